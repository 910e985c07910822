"""The self-test with a person at the box, who taps a tag, opens the seals, holds a test plug."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable

import pytest

from host.provisioning import step_test
from host.provisioning.outcome import EXIT_REFUSED, Stopped
from host.provisioning.run import provision
from tests.depots import depot

SPEED = 4  # the box's self-test looks at the contactor for some 400 ms of its time
READER = {"fitted": True}
TAG = b"\x04abcdef"


class Person:
    """Reads the screen, and does what it asks for: `does` maps a part of a line to a deed."""

    def __init__(self, does: dict[str, Callable[[], None]], answers: dict[str, str] | None = None):
        self.does, self.answers = does, answers or {}
        self.lines: dict[str, tuple[str, str, str]] = {}
        self.asked: list[str] = []
        self.hands: list[threading.Thread] = []

    def line(self, name, result, measured, do):
        if result != "wait":
            self.lines[name] = (result, measured, do)
        for words, deed in self.does.items() if result == "wait" else ():
            if words in do:
                self.hands.append(threading.Thread(target=deed))
                self.hands[-1].start()

    def ask(self, question, field, parse):
        self.asked.append(question)
        return parse(next(text for words, text in self.answers.items() if words in question))

    def step(self, number, of, title): ...

    def progress(self, part): ...

    def done(self, text): ...

    def tell(self, text): ...

    def close(self):
        for hand in self.hands:
            hand.join()


@pytest.fixture
def place(tmp_path):
    with depot(tmp_path, tls=False, speed=SPEED) as place:
        yield place


def opens(world, loop):
    """Opens a loop, and closes it when the box has seen it."""

    def deed():
        world.seal.open(loop)
        threading.Event().wait(0.5)
        world.seal.close(loop)

    return deed


def job_with(place, person, **waits):
    job = place.job(screen=person, reader=READER)
    job.person = True
    for name, seconds in waits.items():
        setattr(job, name, seconds)
    return job


def plug(world, wants_power):
    """A test plug shows B or C by its resistors alone; it draws nothing."""

    def deed():
        world.car.plug(waits_for_pilot=False)
        if wants_power:
            world.car.request_power()

    return deed


def test_tag_seals_lamp_and_test_plug_with_a_person_who_does_what_is_asked(place):
    world = place.worlds[0]
    person = Person(
        {
            "hold a tag": lambda: world.tag.present(TAG),
            "open the lid": opens(world, "lid"),
            "open the terminal cover": opens(world, "terminal_cover"),
            "test plug to B": plug(world, False),
            "test plug to C": plug(world, True),
            "plug out": world.car.unplug,
        },
        {"lamp": "yes"},
    )
    job = job_with(place, person, tap_s=30, open_s=30, plug_s=30)
    provision(job, "test")
    assert person.lines["reader"][:2] == ("pass", "version 0x92")
    assert person.lines["tap"][:2] == ("pass", "7 bytes")
    assert person.lines["seals-open"][:2] == ("pass", "open and closed")
    assert person.lines["lamp"][0] == "pass"
    result, measured, _ = person.lines["test-plug"]
    letters = [one.split(",")[0] for one in measured.split("; ")]
    assert (result, letters) == ("pass", ["B", "C"])
    assert world.contactor.moves == 2, "a test plug closes no contactor"


def test_nobody_taps_and_nobody_opens_a_seal(place):
    person = Person({}, {"lamp": "no"})
    with pytest.raises(Stopped) as stopped:
        provision(job_with(place, person, tap_s=1, open_s=1, plug_s=1))
    assert stopped.value.code == EXIT_REFUSED
    for name in ("test tap", "seals opened", "lamp", "test plug"):
        assert name in stopped.value.what
    tap = "hold a tag flat to the reader; try another one"
    assert person.lines["tap"] == ("fail", "no tag", tap)
    result, measured, do = person.lines["seals-open"]
    assert (result, measured) == ("fail", "never open") and "bridged" in do
    assert person.lines["lamp"][0] == "fail" and "cable" in person.lines["lamp"][2]
    assert person.lines["test-plug"][0] == "fail" and "at B" in person.lines["test-plug"][2]
    # the same command, now with somebody there
    world = place.worlds[0]
    person = Person({"hold a tag": lambda: world.tag.present(TAG)}, {"lamp": "ja"})
    provision(job_with(place, person, tap_s=30))
    told = json.loads(place.job().file(".certificate.json").read_text())["certificate"]
    lines = {line["name"]: line for line in told["self_test"]}
    assert lines["tap"]["result"] == "pass"
    assert lines["seals-open"] == {
        "name": "seals-open", "result": "skip", "measured": "", "note": "not asked for"
    }


def test_a_seal_that_is_opened_and_stays_open(place):
    world = place.worlds[0]
    person = Person({"open the lid": lambda: world.seal.open("lid")}, {"lamp": "yes"})
    with pytest.raises(Stopped):
        provision(job_with(place, person, open_s=2))
    result, measured, do = person.lines["seals-open"]
    assert (result, measured) == ("fail", "stays open") and do.startswith("lid:")


def test_the_lamp_is_shown_again_until_somebody_has_looked(place):
    answers = iter(("again", "again", "yes"))
    person = Person({})
    person.ask = lambda question, field, parse: parse(next(answers))
    job = job_with(place, person)
    provision(job, "test")
    assert person.lines["lamp"][0] == "pass" and next(answers, None) is None


def test_in_a_batch_nobody_is_asked_and_the_certificate_says_so(place):
    job = place.job()
    provision(job)
    told = json.loads(job.file(".certificate.json").read_text())["certificate"]
    skipped = {line["name"]: line["note"] for line in told["self_test"]
               if line["result"] == "skip"}
    assert set(skipped) == {"reader", "tap", "seals-open", "tls", "lamp", "test-plug"}
    assert set(skipped) <= set(step_test.MAY_SKIP) and all(skipped.values())
    page = job.file(".certificate.da.html").read_text()
    assert "ingen blev spurgt" in page and "ingen læser monteret" in page


def test_serial_and_display_are_typed_where_the_order_does_not_tell_them(place):
    register_wh = place.worlds[0].meter.register_wh()
    answers = {"lamp": "y", "Serial number": "KW34004", "display": f"{register_wh / 1000}"}
    person = Person({}, answers)
    job = job_with(place, person)
    meter = job.order.meter.model_copy(update={"serial": None, "display_wh": None})
    job.order = job.order.model_copy(update={"meter": meter})
    provision(job, "test")
    assert len(person.asked) == 3
    assert person.lines["display"][0] == person.lines["meter-serial"][0] == "pass"


@pytest.mark.parametrize(
    ("spoil", "line", "do"),
    [
        (lambda world: world.meter.sim.set(power_w=(3000, 3000, 3000)), "idle-current",
         "a wire behind the meter"),
        (lambda world: world.seal.open("lid"), "seals", "close it"),
        (lambda world: world.contactor.stick_open(), "contactor", "coil"),
        (lambda world: world.tag.unplug(), "reader", "cable"),
        (lambda world: world.meter.power(False), "meter", "address"),
    ],
    ids=["current", "seal", "contactor", "reader", "meter"],
)
def test_each_fault_has_its_line_and_what_to_do(place, spoil, line, do):
    person = Person({}, {"lamp": "yes"})
    job = job_with(place, person)
    provision(job, "configure")
    spoil(place.worlds[0])
    with pytest.raises(Stopped) as stopped:
        provision(job_with(place, person))
    assert stopped.value.code == EXIT_REFUSED
    result, _measured, told = person.lines[line]
    assert result == "fail" and do in told
