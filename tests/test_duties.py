"""What the operator's terms demand of the box, a story or more for each duty of docs/duties.md.

Each story begins with a box at home: in service, sealed, online, reader free, 1000 kWh counted.
Sentences are played one after the other; tests/phrases.py says what each means.
"""

import re
from pathlib import Path

import pytest

from tests.phrases import PHRASES, tell
from tests.player import Player

RULES = Path(__file__).resolve().parent.parent / "firmware/lib/wallbox/core/rules"
DOCUMENT = Path(__file__).resolve().parent.parent / "docs" / "duties.md"
NOT_THE_BOX = "not the box: "

STORIES = """
M1 What a car took is counted to the Wh, by the meter's own register
    a car is plugged in
    the car charges 60 minutes at 11 kW
    the car is unplugged
    the ledger tells: SESSION_END with energy_wh is 11.000 kWh, register_wh is 1011.000 kWh

M1 Without a meter that is believed nothing is sold
    a car is plugged in
    the meter falls silent
    power is off
    the box refuses: PowerMeterSilent

M2 At the turn of the month the ledger holds the register
    it is 2026-09-30 21:00 UTC
    a car is plugged in
    the car charges 59 minutes at 6 kW
    the car charges 30 minutes at 6 kW
    the ledger knows the register at 2026-09-30 22:00 UTC: 1005.950 kWh

M4 Each hour can be netted by its four quarters
    it is 2026-09-21 10:50 UTC
    a car is plugged in
    the car charges 130 minutes at 3 kW
    between 2026-09-21 11:00 and 2026-09-21 12:00 UTC the ledger counts 3.000 kWh
    between 2026-09-21 12:00 and 2026-09-21 13:00 UTC the ledger counts 3.000 kWh

M5 A hole in the data has the register at its begin and at its end
    a car is plugged in
    the car charges 50 minutes at 6 kW
    the power is cut for 3 hours
    the ledger tells: GAP_BEGIN with register_wh is 1005.000 kWh, cause is 1
    the ledger tells: GAP_END with register_wh is 1005.000 kWh, energy_wh is 0.000 kWh
    all parts together are 5.000 kWh

M5 What went by unseen is in the hole, and nowhere else
    the power is cut for 1 hours
    the meter falls silent
    60 minutes go by
    the register rises by 1.500 kWh all the same
    60 minutes go by
    all parts together are 1.500 kWh

M6 A session across the turn of the month has the month in which it stopped
    it is 2026-03-31 20:30 UTC
    a car is plugged in
    the car charges 120 minutes at 11 kW
    the car is unplugged
    the last session ended at 2026-03-31 22:30 UTC with 22.000 kWh
    the ledger tells 1 SESSION_END

M7 A session that followed the plan says so
    the plan allows 10 A until 2026-12-31 00:00 UTC
    a car is plugged in
    the car charges 60 minutes at 6 kW
    the car is unplugged
    the ledger tells: SESSION_END with flags is smart

M7 A session that was told to charge at once says so too
    the plan allows 0 A until 2026-12-31 00:00 UTC
    a car is plugged in
    power is off
    the subscriber says: charge now
    power is on
    the car charges 60 minutes at 11 kW
    the car is unplugged
    the ledger tells: SESSION_END with flags is smart and overridden

M8 The first charge is a fact, also when a guest makes it
    the operator demands the reader
    a car is plugged in
    the ledger tells no FIRST_CHARGE
    the guest's tag is held to the reader
    the car charges 10 minutes at 11 kW
    the ledger tells: FIRST_CHARGE with session is 1, subscription is 0
    the car is unplugged
    a car is plugged in
    the guest's tag is held to the reader
    the car charges 10 minutes at 11 kW
    the ledger tells 1 FIRST_CHARGE

A1 Plugging in starts, unless the operator demands the reader
    a car is plugged in
    power is on
    the ledger tells: SESSION_BEGIN with authority is anybody
    the car has enough
    the car is unplugged
    the operator demands the reader
    a car is plugged in
    power is off
    anna's tag is held to the reader
    power is on
    the ledger tells: SESSION_BEGIN with authority is tag, subscription is 1
    the car is unplugged
    the operator frees the reader
    a car is plugged in
    power is on

A1 The demand may name a time, holds offline, and outlives a power cut
    it is 2026-09-21 10:00 UTC
    the operator demands the reader from 2026-09-21 12:00 UTC on
    the Wi-Fi is lost
    the power is cut for 1 hours
    a car is plugged in
    power is on
    the car is unplugged
    60 minutes go by
    a car is plugged in
    power is off
    the ledger tells: MODE with mode is required

A2 A pay-per-use tag starts with the reader on alone, and its energy is its holder's
    the guest's tag is held to the reader
    the ledger tells: TAG with verdict is Invalid, reason is pay-per-use needs the reader on
    the operator demands the reader
    a car is plugged in
    the guest's tag is held to the reader
    power is on
    the ledger tells: SESSION_BEGIN with authority is tag, subscription is 0

A2 Whom nobody knows starts nothing
    the operator demands the reader
    a car is plugged in
    an unknown tag is held to the reader
    power is off
    the ledger tells: TAG with verdict is Invalid, reason is unknown tag, action is none

A3 The app starts a charge and stops it
    the operator demands the reader
    a car is plugged in
    the app starts a charge for subscription 1
    power is on
    the ledger tells: SESSION_BEGIN with authority is operator, subscription is 1
    the app stops the charge
    power is off
    the last session ended by Remote

A4 A lost tag is blocked at once, in mid-session too
    the operator demands the reader
    a car is plugged in
    anna's tag is held to the reader
    power is on
    the operator blocks anna's tag
    power is off
    1 minutes go by
    the last session ended by DeAuthorized

A4 A blocked tag and a copied tag start nothing
    the operator demands the reader
    a car is plugged in
    a blocked tag is held to the reader
    the ledger tells: TAG with verdict is Blocked, action is none
    a copied tag is held to the reader
    the ledger tells: TAG with verdict is Invalid, reason is its counter went back: a copy
    power is off

A5 Two subscriptions are told apart
    the operator demands the reader
    a car is plugged in
    anna's tag is held to the reader
    the ledger tells: SESSION_BEGIN with subscription is 1
    ben's tag is held to the reader
    the ledger tells: TAG with verdict is ConcurrentTx, reason is another tag charges
    power is on
    anna's second's tag is held to the reader
    power is off
    the last session ended by Local
    the car is unplugged
    ben's tag is held to the reader
    a car is plugged in
    the ledger tells: SESSION_BEGIN with subscription is 2

A6 A subscription on hold charges nothing, and comes back
    the operator puts the box on hold, because: hold
    a car is plugged in
    power is off
    the box refuses: OnHold
    90 days go by
    the power is cut for 2 hours
    the box refuses: OnHold
    the operator takes the box into service
    power is on

P1 A power cut is on record with cause and begin
    60 minutes go by
    the power is cut for 5 hours
    the ledger tells: ABSENCE_BEGIN with cause is power, planned is 0, from_quality is 3
    the operator is reached again
    the ledger tells: ABSENCE_END with cause is power

P1 So is each time offline, with all its causes
    the Wi-Fi is lost
    30 minutes go by
    the name server is lost
    30 minutes go by
    the operator is reached again
    the ledger tells: ABSENCE_END with cause is wifi and address, planned is 0

P1 After three days offline no new charge begins, the running one finishes
    a car is plugged in
    the Wi-Fi is lost
    4 days go by
    power is on
    the car is unplugged
    a car is plugged in
    power is off
    the box refuses: Offline
    the operator is reached again
    power is on

P2 The operator suspends at once and lifts it again; from and to are on record
    a car is plugged in
    the operator suspends charging, because: always-on
    power is off
    the box refuses: Suspended
    the ledger tells: LIFECYCLE with before is in service, after is suspended, reason is always-on
    the power is cut for 2 hours
    the box refuses: Suspended
    the operator lifts the suspension
    power is on
    the ledger tells: LIFECYCLE with before is suspended, after is in service, by is operator

P3 An absence that was announced beforehand is planned
    an absence in the next 6 hours is announced
    60 minutes go by
    the power is cut for 30 hours
    the operator is reached again
    the ledger tells: ABSENCE_END with planned is 1

P3 One that was not is a breakdown
    an absence in the next 6 hours is announced
    7 hours go by
    the power is cut for 30 hours
    the operator is reached again
    the ledger tells: ABSENCE_END with planned is 0

S1 An opened seal stops the charge, is on record, and no closing undoes it
    a car is plugged in
    power is on
    the seal of the lid is opened
    power is off
    the ledger tells: SEAL with change is opened, loops is lid
    everything is closed again
    the power is cut for 1 hours
    the box refuses: TamperDetectionActivated
    the ledger tells: SEAL with change is closed
    the operator names new seals 4711 4712
    power is on
    the ledger tells: SEAL with change is sealed, numbers is 4711 4712

S1 Who opens it while the power is off is found out
    the power is cut for 2 hours, and the terminal cover opened meanwhile
    the box refuses: TamperDetectionActivated
    the ledger tells: SEAL with change is opened without power, loops is terminal cover

S2 A configuration charges on its own chip alone
    a box was configured for another chip
    a car is plugged in
    power is off
    the box refuses: ChipForeign

S2 A meter that is not the known one is refused until the operator approves it
    a car is plugged in
    another meter is wired in
    power is off
    the box refuses: MeterExchanged
    the operator approves the meter
    power is on
    the ledger tells: METER_EXCHANGE with meter_id is 42, next_meter_id is 77

S3 A box that was carried away charges after an approval alone
    the power is cut for 5 hours
    it sees strangers' networks alone for 24 hours
    a car is plugged in
    power is off
    the box refuses: Moved
    the ledger tells: PLACE with change is moved
    the operator approves its place
    power is on
    the ledger tells: PLACE with change is approved

S4 Nothing but a car that asks is fed
    something other than a car is connected (pilot A)
    power is off
    something other than a car is connected (pilot B)
    power is off
    something other than a car is connected (pilot E)
    power is off
    the box refuses: EVCommunicationError

S4 Current past the contactor is found out
    current flows though the contactor is open
    the box refuses: CurrentWithoutContactor
    the ledger tells: FAULT with refusal is 15

W1 Nobody gets more than the breaker allows
    a box behind a breaker of 16 A
    the grid allows 32 A for 600 minutes
    a car is plugged in
    the limit is 16 A
    the pilot offers at most 16 A

W2 The grid's limit holds for its time, and the record tells what it held back
    a car is plugged in
    the grid allows 6 A for 30 minutes
    the limit is 6 A
    the pilot offers at most 6 A
    31 minutes go by
    the limit is 16 A
    the ledger tells: LIMIT with change is ended, source is grid

W2 A pause takes the power and gives it back
    a car is plugged in
    the grid allows 0 A for 30 minutes
    1 minutes go by
    power is off
    nothing is refused
    31 minutes go by
    power is on

W2 The subscriber may opt out of the grid's part and of no other
    a car is plugged in
    the grid allows 6 A for 60 minutes
    the protection allows 10 A for 60 minutes
    the subscriber opts out of limits for the grid
    the limit is 10 A
    the ledger tells: PREFERENCE with opt_out is 1

W3 The plan moves the charge into good hours
    it is 2026-09-21 18:00 UTC
    the plan allows 0 A until 2026-09-21 22:00 UTC
    a car is plugged in
    power is off
    nothing is refused
    3 hours go by
    power is off
    61 minutes go by
    power is on
    the limit is 16 A

I1 Only the partner commissions; before that no car is fed
    a box comes new from the store
    a car is plugged in
    the box refuses: NotInService
    the operator commissions the box
    the ledger tells no LIFECYCLE
    the partner commissions the box
    the ledger tells: LIFECYCLE with after is commissioned, by is partner, reason is installation
    power is off
    the partner takes the box into service
    power is on

I4 Leaving service takes a final reading
    a car is plugged in
    the car charges 60 minutes at 11 kW
    the partner takes the box out of service, because: dismounted
    power is off
    the ledger tells: LIFECYCLE with after is decommissioned, register_wh is 1011.000 kWh
    the box refuses: NotInService
    the partner takes the box back to the store
    the ledger tells: LIFECYCLE with before is decommissioned, after is factory

I5 A new resident begins with a first charge of his own
    a car is plugged in
    the car charges 10 minutes at 11 kW
    the car is unplugged
    the ledger tells 1 FIRST_CHARGE
    the operator puts the box on hold, because: hold
    the operator takes the box into service, because: new resident
    a car is plugged in
    the car charges 10 minutes at 11 kW
    the ledger tells 2 FIRST_CHARGE

U1 Which firmware measured from which register on is on record
    a car is plugged in
    the car charges 60 minutes at 11 kW
    new firmware 9.9 starts
    the ledger tells: FIRMWARE with firmware is 9.9

U2 What is wrong has a name, for each fault at the same time
    the meter falls silent
    the operator suspends charging, because: payment
    the seal of the lid is opened
    the box refuses: PowerMeterSilent
    the box refuses: Suspended
    the box refuses: TamperDetectionActivated
"""


def stories() -> list[tuple[str, str, list[str]]]:
    """(duty, title, sentences) of each story."""
    found = []
    for block in STORIES.strip().split("\n\n"):
        title, *lines = block.split("\n")
        duty, _, title = title.partition(" ")
        found.append((duty, title, [line.strip() for line in lines]))
    return found


def duties() -> dict[str, str]:
    """{id: who answers} of the document."""
    rows = re.findall(r"^\| ([A-Z]\d) \| (.+) \| (.+) \|$", DOCUMENT.read_text(), re.MULTILINE)
    return {number: answered for number, _, answered in rows}


@pytest.mark.parametrize(
    ("title", "sentences"),
    [pytest.param(title, told, id=f"{duty} {title}") for duty, title, told in stories()],
)
def test_duty(title, sentences):
    box = Player().home()
    for sentence in sentences:
        try:
            box = tell(box, sentence)
        except AssertionError as error:
            raise AssertionError(f"{title}: {sentence}: {error}") from error


def test_every_duty_has_a_story_or_a_reason_why_it_is_not_the_boxs():
    answered = duties()
    assert len(answered) == 31
    told = {duty for duty, _, _ in stories()}
    assert told <= answered.keys(), "a story for a duty that there is not"
    for duty, who in answered.items():
        reason = who.removeprefix(NOT_THE_BOX) if who.startswith(NOT_THE_BOX) else ""
        assert (duty in told) != (len(reason) > 20), f"{duty} has neither, or both"


def cited(rule: str) -> set[str]:
    """The ids in a rule's first words: `M1, A1-A6`."""
    first = (RULES / f"{rule}.py").read_text().split('"""')[1]
    found = set()
    for letter, first_number, last_number in re.findall(r"\b([MAPSWIU])(\d)(?:-\1(\d))?", first):
        numbers = range(int(first_number), int(last_number or first_number) + 1)
        found |= {f"{letter}{number}" for number in numbers}
    return found


def test_every_rule_that_answers_cites_its_duty_and_cites_no_other():
    answered = {duty: who for duty, who in duties().items() if not who.startswith(NOT_THE_BOX)}
    for duty, who in answered.items():
        for rule in who.split(", "):
            assert duty in cited(rule), f"{rule} does not cite {duty}"
    for path in RULES.glob("[a-z]*.py"):
        for duty in cited(path.stem):
            assert path.stem in answered[duty].split(", "), f"{path.stem} cites {duty}"


def test_a_sentence_that_nobody_knows_fails():
    with pytest.raises(LookupError):
        tell(Player().home(), "the car flies away")


def test_every_sentence_means_one_thing_and_is_used():
    used = set()
    for _, title, sentences in stories():
        for sentence in sentences:
            meant = [pattern for pattern, _ in PHRASES if pattern.fullmatch(sentence)]
            assert len(meant) == 1, f"{title}: {sentence}"
            used.add(meant[0])
    assert not [pattern.pattern for pattern, _ in PHRASES if pattern not in used]
