"""Fixtures of the link's tests on the real interpreter; import them by name."""

from __future__ import annotations

import pytest

from tests.link_peers import LinkBox, PahoOperator
from tests.mosquitto import wait_until
from tests.tcp_proxy import Proxy


@pytest.fixture
def make_box(micropython, tmp_path):
    boxes = []

    def make(port: int, **config) -> LinkBox:
        config.setdefault("backoff_max_ms", 1000)
        box = LinkBox(micropython, tmp_path, port, **config)
        boxes.append(box)
        return box

    yield make
    for box in boxes:
        box.kill()


@pytest.fixture
def lazy(mosquitto):
    """The broker writes its state down now and then, not at every change."""
    mosquitto.reconfigure(lines=["autosave_on_changes false"])
    return mosquitto


@pytest.fixture
def operator(lazy, mosquitto):
    made = PahoOperator(mosquitto.port)
    yield made
    made.close()


@pytest.fixture
def proxy(mosquitto):
    with Proxy(mosquitto.port) as made:
        yield made
        made.check()


def delivered(box: LinkBox, operator: PahoOperator, timeout_s: float = 30.0) -> None:
    """Wait until the box knows that everything is stored; then compare with its flash."""
    state: dict = {}

    def done() -> bool:
        state.update(box.state())
        return state["acknowledged"] == state["next"] - 1

    wait_until(done, timeout_s, f"delivery; {state}, stored {len(operator.stored)}")
    box.stop()
    assert operator.stored == box.records()
