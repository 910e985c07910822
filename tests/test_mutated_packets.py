"""A broker gone mad: only LinkError comes of what it sends, and the heap stays as it is.

WALLBOX_MUTANTS=1000000 says how many packets; `tests/mutated_packets.py` makes them.
"""

from __future__ import annotations

import json
import os

import pytest

from tests.interpreter import ROOT
from tests.mqtt_decoder import ClientStream
from tests.mutated_packets import play

VARIABLE = "WALLBOX_MUTANTS"
PACKETS = int(os.environ.get(VARIABLE, "50000"))
CHECKED = PACKETS // 5  # those whose answers are decoded


@pytest.mark.timeout(3600)
def test_mutated_packets_do_nothing_but_end_the_connection(micropython, seed):
    printed = micropython.run(
        (ROOT / "tests" / "mutated_packets.py").read_text(), str(seed), str(PACKETS),
        heap="256K", path=[ROOT], timeout_s=3600,
    )  # fmt: skip
    print(printed)
    told = json.loads(printed)
    assert told["refused"] > PACKETS // 10
    # the rest got through, and far
    for kind in ("commands", "false commands", "too long", "other topics"):
        assert told[kind] > PACKETS // 1000, kind
    assert told["acknowledged"] > PACKETS // 100
    assert told["bytes sent"] > 10 * PACKETS
    heap = told["heap"]
    # a counter that outgrows a machine word takes 32 bytes, once
    assert max(heap) - heap[1] < 512, heap


def test_what_the_box_answers_keeps_to_the_standard(seed):
    stream = ClientStream(lossy=True)

    def began() -> None:
        nonlocal stream
        stream = ClientStream(lossy=True)

    def watch(data: bytes) -> None:
        stream.feed(data)
        stream.in_use.clear()  # who knows what a mutated PUBACK was

    told = play(seed, CHECKED, watch, began)
    print(told)
    assert told["refused"] > CHECKED // 10
    assert told["bytes sent"] > 10 * CHECKED
