"""`wallbox bench-check`: each part of a bench tried for itself, then together with the box.

What fails is left out of what follows, so that one missing adapter hides nothing else.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import asdict, dataclass

from host.provisioning.outcome import Stopped, refused
from hw.bench.box import ConsoleBox
from hw.bench.config import BenchConfig
from hw.bench.guard import guarded_relays
from hw.bench.meter import BenchMeter
from hw.bench.rig import Bench, BenchWorld
from hw.bench.states import States

PASS, FAIL, SKIP = "pass", "fail", "skip"
ANSWER_S = 15.0
LINK_S = 60.0


@dataclass(frozen=True)
class Row:
    """`result`: pass, fail or skip. `measured`: what was seen. `do`: what to do about it."""

    part: str
    result: str
    measured: str = ""
    do: str = ""

    def as_dict(self) -> dict[str, str]:
        return asdict(self)


def try_bench(config: BenchConfig, port: str) -> Generator[Row, None, None]:
    """Every row as it is known; the bench is safe again after the last. Raises nothing of a part.
    """
    usable = config
    for part, attempt in _PARTS.items():
        if part != "USB socket" and getattr(config, _FIELDS[part]) is None:
            yield Row(part, SKIP, "", f"[{_FIELDS[part]}] is missing")
            continue
        row = _tried(part, functools.partial(attempt, config, port))
        yield row
        if row.result == FAIL:
            if part == "USB socket":
                return
            usable = usable.model_copy(update={_FIELDS[part]: None})
    yield from _together(usable, port, config.lacking())


def _tried(part: str, attempt: Callable[[], str]) -> Row:
    try:
        return Row(part, PASS, attempt())
    except Stopped as stopped:
        return Row(part, FAIL, f"{stopped.what}: {stopped.why}", stopped.action)
    except (OSError, RuntimeError) as error:  # TimeoutError among them
        measured = str(error).splitlines()[0][:200].removesuffix("; console:")
        return Row(part, FAIL, measured, "look at this part's wiring")


# each part for itself


def _relays(config: BenchConfig, port: str) -> str:
    """Every coil on and off."""
    assert config.relays
    with guarded_relays(config) as board:
        for name in config.relays.coils:
            board.switch(name, True)
            board.switch(name, False)
        board.inputs()
    told = "read back" if config.relays.read_back else "not read back: listen for each click"
    return f"{len(config.relays.coils)} relays switched, {told}"


def _meter(config: BenchConfig, port: str) -> str:
    assert config.meter
    meter = BenchMeter(config.meter, config.make_folder(), config.box.installation_limit_a, None)
    try:
        meter.open()
        return f"{config.meter.model} with {meter.register_wh()} Wh"
    finally:
        meter.close()


def _broker(config: BenchConfig, port: str) -> str:
    assert config.broker
    config.make_folder()
    world = BenchWorld(config, None, None)
    try:
        world.start_broker()
        return f"{config.broker.address}:{config.broker.port}"
    finally:
        world.broker.stop()


def _usb(config: BenchConfig, port: str) -> str:
    """That it can be opened; the box may still be without power."""
    ConsoleBox(port).close()
    return port


_PARTS: dict[str, Callable[[BenchConfig, str], str]] = {
    "relay board": _relays,
    "meter": _meter,
    "broker": _broker,
    "USB socket": _usb,
}
_FIELDS = {"relay board": "relays", "meter": "meter", "broker": "broker"}


# together with the box


def _together(config: BenchConfig, port: str, lacking: dict[str, str]) -> Iterator[Row]:
    """`config` without what has failed; `lacking`: what the file itself lacks, by capability."""
    try:
        with Bench(config, port) as bench:
            answers = _tried("box", functools.partial(_answers, bench))
            yield answers
            for part, needs, attempt in _WITH_BOX if answers.result == PASS else ():
                missing = [name for name in needs if name not in bench.capabilities]
                if missing:
                    why = lacking.get(missing[0], f"{missing[0]}: a part of it has failed")
                    yield Row(part, SKIP, "", why)
                else:
                    yield _tried(part, functools.partial(attempt, bench))
    except Stopped as stopped:
        yield Row("bench", FAIL, f"{stopped.what}: {stopped.why}", stopped.action)


def _answers(bench: Bench) -> str:
    bench.rest()
    bench.wait_until(lambda: bench.box.identity(), ANSWER_S, "the box does not answer")
    told = str(bench.box.identity().get("serial"))
    if told != bench.config.box.serial:
        raise refused("it is another box", f"it says {told}", "correct it", "box.serial")
    return told


def _key(bench: Bench) -> str:
    return str(bench.box.order("why").get("why"))


def _polled(bench: Bench) -> str:
    before = bench.world.meter.sim.answers
    bench.wait_until(lambda: bench.world.meter.sim.answers >= before + 3, ANSWER_S,
                     "the box does not ask the meter: look at A, B and the model")
    return "the box asks, the meter answers"


def _linked(bench: Bench) -> str:
    bench.wait_until(lambda: bench.box.health().get("link"), LINK_S,
                     "the box does not reach the broker: look at its broker.host and network")
    return "the box has reached it"


def _ready(bench: Bench) -> str:
    States(bench).make_ready()
    return "no refusal, all delivered" if "operator" in bench.capabilities else "no refusal"


def _car(bench: Bench) -> str:
    bench.world.car.plug()
    bench.wait_until(lambda: bench.box.health().get("state") not in (None, "Available"),
                     ANSWER_S, "the box sees no car: look at the pilot's wires")
    told = str(bench.box.health().get("state"))
    bench.world.car.unplug()
    return f"the box says {told}"


def _contactor(bench: Bench) -> str:
    if bench.world.contactor.closed:
        raise refused("the contactor is closed", "no car is there",
                      "look at the wire of relays.inputs.contactor", "relays.inputs.contactor")
    return "open"


def _seal(bench: Bench) -> str:
    bench.world.seal.open("lid")
    bench.wait_until(lambda: "TamperDetectionActivated" in bench.box.health().get("refusals", ()),
                     ANSWER_S, "the box does not see the opened loop")
    bench.world.seal.close("lid")
    time.sleep(0.5)
    bench.settle()
    return "opened, seen, sealed anew"


def _net(bench: Bench) -> str:
    bench.world.net.drop()
    bench.wait_until(lambda: bench.box.health().get("wifi_dbm") == 0, LINK_S,
                     "the box still has its network")
    bench.world.net.restore()
    bench.wait_until(lambda: bench.box.health().get("link"), 2 * LINK_S, "it does not come back")
    return "gone, and back"


def _tag(bench: Bench) -> str:
    """One that the box reads is a record."""
    before = bench.box.health()["ledger"]["sequence"]
    bench.world.tag.present(bench.tag_uid)
    try:
        bench.wait_until(lambda: any(entry.kind == "TAG" and entry.sequence > before
                                     for entry in bench.operator.entries()),
                         ANSWER_S, "the box does not read the tag: look where it is held")
    finally:
        bench.world.tag.remove()
    return "read and told"


_WITH_BOX: tuple[tuple[str, tuple[str, ...], Callable[[Bench], str]], ...] = (
    ("key", ("key",), _key),
    ("meter at the box", ("meter",), _polled),
    ("link", ("broker",), _linked),
    ("known state", (), _ready),
    ("contactor", ("contactor",), _contactor),
    ("car", ("car",), _car),
    ("seal", ("seal", "key"), _seal),
    ("tag", ("tag", "operator"), _tag),
    ("network", ("net", "operator"), _net),
)
