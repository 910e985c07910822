"""The one answer to: why does it charge, or why not? For the status, and for people."""

import json
import sys
from pathlib import Path

import pytest
from wallbox import why, why_texts
from wallbox.core import events, refusals
from wallbox.core.rules import access

from tests.lane import Lane, Random
from tests.player import UTC_S, Player

LANE = Path(__file__).with_name("lane.py")
NAMES = [line.split(" ")[0] for line in why_texts.ENGLISH.split("\n")]


def told(box: Player) -> dict:
    return why.why(box.state, box.now)


def required() -> Player:
    return Player(mode=access.REQUIRED).home()


def charging(**config: int) -> Player:
    box = Player(**config).home()
    box.charge()
    box.run(15)
    return box


def plugged(box: Player) -> Player:
    box.charge()
    return box


def does(box: Player, verb: str, *values) -> Player:
    getattr(box, verb)(*values)
    return box


def after_a_power_cut() -> Player:
    return charging().resume()


def paused(source: str) -> Player:
    box = charging()
    until_utc_s = box.utc_s - box.utc_s % 3600 + 7200
    box.lease(source, 1, 0, box.utc_s, until_utc_s)
    return box


def resting() -> Player:
    box = paused("grid")
    box.wait(6)
    box.lease_end(1)
    return box


@pytest.mark.parametrize(
    ("story", "state", "name", "english"),
    [
        (lambda: Player().home(), "Available", "Available", "Ready: plug in the car."),
        (
            required,
            "Available",
            "AvailableByTag",
            "Ready: plug in the car and hold your tag to the reader.",
        ),
        (
            lambda: does(required(), "tap"),
            "Available",
            "WaitingForCar",
            "Charging is allowed: plug in the car.",
        ),
        (
            lambda: plugged(required()),
            "Preparing",
            "WaitingForTag",
            "Hold your tag to the reader, or start in the app.",
        ),
        (
            lambda: plugged(does(required(), "reader", 0)),
            "Preparing",
            "ReaderMissing",
            "The tag reader does not answer; start in the app.",
        ),
        (
            lambda: does(Player().home(), "pilot", "B"),
            "Preparing",
            "Starting",
            "The box reads its meter; charging begins in a moment.",
        ),
        (charging, "Charging", "Charging", "The car may draw up to 16 A."),
        (
            lambda: charging(cable_limit_ma=13_000),
            "Charging",
            "Limited",
            "The car may draw up to 13 A, limited by the cable.",
        ),
        (
            lambda: does(charging(), "pilot", "B"),
            "SuspendedEV",
            "WaitingForEV",
            "The car is offered up to 16 A and does not ask for it.",
        ),
        (
            lambda: does(paused("smart"), "wait", 10),
            "SuspendedEVSE",
            "Paused",
            "Paused by the charging plan, until 16:00 UTC.",
        ),
        (
            lambda: does(charging(), "local_limit", "thermal", 1),
            "Charging",
            "Paused",
            "Paused by the box's temperature.",
        ),
        (
            resting,
            "SuspendedEVSE",
            "HoldOff",
            "A short rest for car and contactor; charging goes on within a minute.",
        ),
        (
            lambda: does(charging(), "pilot", "A"),
            "Finishing",
            "Ending",
            "The box reads its meter for the last time.",
        ),
        (
            lambda: does(does(charging(), "remote_stop"), "read"),
            "Finishing",
            "Stopped",
            "Charging was stopped; unplug the car, or start anew.",
        ),
        (
            lambda: does(charging(), "lifecycle", "suspended"),
            "SuspendedEVSE",
            "Suspended",
            "The operator has suspended charging; call the operator.",
        ),
        (
            lambda: does(Player().home(), "lifecycle", "on hold"),
            "Unavailable",
            "OnHold",
            "The subscription is on hold.",
        ),
        (
            lambda: does(charging(), "seal", 1),
            "Faulted",
            "TamperDetectionActivated",
            "A seal was opened; call the operator.",
        ),
    ],
)
def test_every_situation_has_an_answer(story, state, name, english):
    answer = told(story())
    assert (answer["state"], answer["why"], answer["en"]) == (state, name, english)


def test_a_box_that_has_just_started_says_so():
    box = Player()
    box.ready()
    assert told(box)["why"] == "Booting"


def test_the_same_in_danish():
    assert told(charging())["da"] == "Bilen kan bruge op til 16 A."
    assert told(paused("grid"))["da"] == "På pause på grund af elnettet, indtil kl. 16:00 UTC."


def test_the_winner_and_all_losers():
    box = charging()
    box.lifecycle("suspended")
    box.send(events.METER_SILENT, 1)
    box.seal(1)
    answer = told(box)
    assert answer["why"] == "PowerMeterSilent"
    assert answer["losers"] == ["TamperDetectionActivated", "Suspended"]


def test_who_limits_and_to_what():
    box = charging(cable_limit_ma=20_000)
    box.lease("grid", 1, 8000, UTC_S, UTC_S + 3600)
    answer = told(box)
    assert (answer["limit_ma"], answer["limit_by"]) == (8000, "grid")
    assert answer["limits_ma"] == {"installation": 16_000, "cable": 20_000, "grid": 8000}


def test_a_pause_of_several_periods_ends_with_the_last():
    box = charging()
    begin = box.utc_s
    for number, minutes in ((3, 120), (1, 0), (2, 60)):
        period = (begin + minutes * 60, begin + minutes * 60 + 3600)
        box.lease("smart", number, 0, *period)
    assert told(box)["until_utc_s"] == begin + 3 * 3600


def test_a_pause_whose_end_is_not_known_names_none():
    box = charging()
    box.lease("grid", 1, 0, box.utc_s, box.utc_s + 600, fallback_ma=0)
    assert told(box)["until_utc_s"] == 0 and told(box)["en"] == "Paused by the grid."


def test_every_refusal_has_a_sentence_in_both_languages():
    assert NAMES == [line.split(" ")[0] for line in why_texts.DANISH.split("\n")]
    assert set(refusals.all_names()) < set(NAMES)
    for texts in (why_texts.ENGLISH, why_texts.DANISH):
        for name in NAMES:
            line = why_texts.sentence(texts, name, "protection", 16, UTC_S)
            assert line != name and len(line) <= 90 and not set("{}|") & set(line)


def test_the_sentences_are_forgotten_once_they_are_told():
    box = charging()
    box.lease("grid", 1, 8123, UTC_S, UTC_S + 3600)
    told(box)
    assert "wallbox.why_texts" not in sys.modules


def check(state, now) -> str:
    """The answer fits what the box does; returns its name."""
    answer = why.why(state, now)
    assert answer["why"] in NAMES and answer["en"] and answer["da"]
    if state.contactor:
        assert answer["why"] in ("Charging", "Limited", "Paused")
    if state.refusals:
        assert answer["why"] == refusals.names(state.refusals)[0]
    assert len(json.dumps(answer, ensure_ascii=False).encode()) < 700
    return answer["why"]


def test_whatever_happens_there_is_an_answer_that_fits(seed):
    lane = Lane(Random(seed))
    lane.note = lambda length: None
    lane.boot(1)
    seen = set()
    for _ in range(6000):
        lane.step()
        seen.add(check(lane.state, lane.now))
    assert len(seen) > 15, seen


def test_on_the_real_interpreter_too(micropython):
    code = (
        f"import sys\nsys.path.insert(0, {str(LANE.parent)!r})\nimport lane, json\n"
        "from wallbox import why\n"
        "one = lane.Lane(lane.Random(7))\none.boot(1)\n"
        "for _ in range(300):\n"
        "    one.step()\n"
        "    print(json.dumps(why.why(one.state, one.now)))\n"
    )
    # compiled here from its sources, which takes more than the box has and needs
    lines = micropython.run(code, heap="224wK").splitlines()
    lane = Lane(Random(7))
    lane.boot(1)
    for line in lines:
        lane.step()
        assert json.loads(line) == why.why(lane.state, lane.now)


def test_one_line_tells_it_all_on_the_console():
    box = charging()
    assert why.line(box.state, box.now) == (
        "why: Charging, Charging; 16000 mA by installation. "
        "The car may draw up to 16 A. Bilen kan bruge op til 16 A."
    )
    box.send(events.METER_SILENT, 1)
    box.seal(opened=1)
    line = why.line(box.state, box.now)
    assert line.startswith("why: Faulted, PowerMeterSilent; also TamperDetectionActivated. ")
    assert "\n" not in line
