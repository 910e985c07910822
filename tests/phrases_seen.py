"""What can be asked of a box, in plain sentences."""

from wallbox.core import decisions, events

from tests.phrases import Phrasebook, kwh, utc
from tests.player import PARTS

phrase = Phrasebook()


@phrase("power is (on|off)")
def _(box, which):
    assert box.powered == (which == "on"), box.refused or box.status


@phrase("the box refuses: (.+)")
def _(box, name):
    assert name in box.refused, box.refused


@phrase("nothing is refused")
def _(box):
    assert box.refused == []


@phrase(r"the limit is (\d+) A")
def _(box, limit_a):
    assert box.state.limit_ma == int(limit_a) * 1000


@phrase(r"the pilot offers at most (\d+) A")
def _(box, limit_a):
    assert 0 < box.state.duty_permille * 60 <= int(limit_a) * 1000


@phrase(r"the ledger tells: ([A-Z_]+)(?: with (.+))?")
def _(box, kind, words):
    """The newest fact of the kind: `field is value`, names for codes, - for an empty list."""
    (number,) = [one for one, fact in decisions.facts().items() if fact[0] == kind]
    told = box.last(number)
    assert told, f"no {kind}"
    for word in (words or "").split(", ") if words else ():
        field, _, value = word.partition(" is ")
        assert shown(field, told[field]) == value, f"{field} is {shown(field, told[field])}"


@phrase(r"the ledger tells (\d+|no) ([A-Z_]+)")
def _(box, count, kind):
    (number,) = [one for one, fact in decisions.facts().items() if fact[0] == kind]
    assert len(box.of_kind(number)) == (0 if count == "no" else int(count))


@phrase(r"the ledger knows the register at (.+) UTC: (\S+) kWh")
def _(box, moment, register):
    ends = [fact[1] for fact in box.of_kind(decisions.INTERVAL) if fact[4] == utc(moment)]
    assert ends == [kwh(register)]


@phrase(r"between (.+) and (.+) UTC the ledger counts (\S+) kWh")
def _(box, begin, end, energy):
    quarters = [
        fact[3]
        for fact in box.of_kind(decisions.INTERVAL)
        if utc(begin) < fact[4] <= utc(end)
    ]  # fmt: skip
    assert sum(quarters) == kwh(energy), sum(quarters)


@phrase(r"all parts together are (\S+) kWh")
def _(box, energy):
    assert sum(fact[3] for fact in box.facts if fact[0] in PARTS) == kwh(energy)


@phrase(r"the last session ended at (.+) UTC with (\S+) kWh")
def _(box, moment, energy):
    at = max(index for index, fact in enumerate(box.facts) if fact[0] == decisions.SESSION_END)
    ended_utc_s, quality = box.fact_times[at]
    assert quality == events.SYNCHRONISED
    assert abs(ended_utc_s - utc(moment)) <= 60, ended_utc_s - utc(moment)
    assert box.facts[at][4] == kwh(energy), box.facts[at][4]


@phrase(r"the last session ended by (\S+)")
def _(box, reason):
    assert box.stop_reason() == reason


def shown(field: str, value) -> str:
    if isinstance(value, list):
        return " and ".join(value) or "-"
    if isinstance(value, bytes):
        return value.decode("ascii", "replace")
    if field.endswith("_wh"):
        return f"{value // 1000}.{value % 1000:03d} kWh"
    return str(value)
