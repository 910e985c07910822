"""docs/SPEC.md is enough: a reader written from it alone decodes what the firmware wrote."""

import hmac
import re
from pathlib import Path

import pytest
from wallbox.core import codes, decisions, events, fields, refusals
from wallbox.core.rules import session
from wallbox.drivers import meter_texts
from wallbox.store import record
from wallbox.store.ledger import Ledger

from host.ledger.entries import BOOT_CAUSES
from hw.sim.flash import NorFlash, Partition
from tests import spec_reader, torture

KEY = b"a key of one box"
GENESIS = b"wallbox ledger"
SECTOR = 4096
DOCS = Path(__file__).resolve().parent.parent / "docs"
SPEC = (DOCS / "SPEC.md").read_text(encoding="utf-8")
FACTS = (DOCS / "FACTS.md").read_text(encoding="utf-8")
CODES = (DOCS / "CODES.md").read_text(encoding="utf-8")


def box(flash, boot):
    ledger = Ledger(Partition(flash, 0, flash.size), KEY)
    ledger.mount()
    ledger.state_source = lambda: (record.STATE, b"state of boot %d" % boot)
    return ledger


@pytest.mark.parametrize("boots", [1, 3, 12, 40])
def test_the_spec_reader_finds_what_the_firmware_wrote(boots):
    flash = NorFlash(size=8 * SECTOR)
    for boot in range(1, boots + 1):
        ledger = box(flash, boot)
        for step in range(50):
            ledger.append(step % 50, boot % 4, boot, step << 30, 1_760_000_000 + step, bytes(step))
        ledger.acknowledge(max(ledger.next_sequence - 70, 0))
    records = spec_reader.believed(KEY, GENESIS, flash.image())
    read = [
        (one.sequence, one.kind, "UIRS".index(one.quality), one.boot, one.uptime_ms, one.utc_s,
         one.payload)
        for one in records
    ]  # fmt: skip
    assert read == list(ledger.records())
    assert spec_reader.watermark(flash.image()) == box(flash, 0).acknowledged


def test_the_chain_verifies_from_the_first_header_on():
    flash = NorFlash(size=8 * SECTOR)
    for boot in range(1, 30):
        ledger = box(flash, boot)
        for step in range(40):
            ledger.append(4, 3, boot, step, 0, bytes(5))
        ledger.acknowledge(ledger.next_sequence - 10)
    headers, records = spec_reader.ring_records(flash.image())
    oldest = next(iter(headers.values()))
    assert oldest.first_sequence == records[0].sequence > 1
    previous = oldest.previous_mac
    for one in records:
        assert one.follows(KEY, previous)
        previous = one.mac


def test_the_genesis_of_a_young_ring():
    flash = NorFlash(size=8 * SECTOR)
    box(flash, 1).append(4, 3, 1, 0, 0, bytes(5))
    headers, records = spec_reader.ring_records(flash.image())
    genesis = hmac.digest(KEY, GENESIS, "sha256")[:8]
    assert headers[0] == spec_reader.Header(1, 1, 0, genesis)
    assert records[0].follows(KEY, genesis)
    assert spec_reader.ring_records(b"\xff" * 8 * SECTOR) == ({}, [])


def test_the_spec_reader_agrees_with_the_firmware_after_power_cuts(seed):
    """Wherever the power went off: before the box starts again, and after."""
    box = torture.Torture(seed % 10_000, sectors=8, sector_size=SECTOR)
    for _ in range(60):
        box.live()
        box.flash.power_on()
        if not box.flash.is_weak():
            before = spec_reader.believed(torture.KEY, torture.NAME, box.flash.image())
            ring = box.mount()
            box.check(ring)
            assert [one.sequence for one in before] == [one[0] for one in ring.records()]
            assert [one.payload for one in before] == [one[6] for one in ring.records()]


def rows(text, begin, end=r"\n(?=[#*])"):
    """The cells of the first table behind `begin`, without its head."""
    lines = re.split(end, text.split(begin, 1)[1], maxsplit=1)[0].splitlines()
    table = [line.strip("| ").split(" | ") for line in lines if line.startswith("|")]
    return [[cell.strip(" |") for cell in cells] for cells in table[2:]]


def width(form):
    return "0" if form == "rest" else f"{'-' * (form[0] == 'i')}{int(form[1:]) // 8}"


def specification(columns):
    """[(name, type), ...] in the words of core/fields.py."""
    return ",".join(f"{name} {width(form)}" for name, form in columns)


def numbered(names):
    return {str(number): name for number, name in enumerate(names)}


def first_words(begin):
    return {code: re.match(r"\w+", text).group() for code, text in rows(CODES, begin)}


def test_the_facts_of_the_spec_are_those_of_the_code():
    facts = {kind: fact for kind, fact in decisions.facts().items() if kind < 60}
    told = {
        int(kind): (name, specification(row[:2] for row in rows(FACTS, f"## {kind} {name}\n")))
        for kind, name in re.findall(r"^## (\d+) ([A-Z_]+)$", FACTS, re.MULTILINE)
    }
    assert told == facts


def test_the_events_of_the_spec_are_those_of_the_code():
    told = [
        (name, specification(field.split(" ") for field in "".join(columns).split(", ") if field))
        for _, name, *columns in rows(SPEC, "### Events\n")
    ]
    assert told == fields.table(events.KINDS)
    assert [row[0] for row in rows(SPEC, "### Events\n")] == [str(n) for n in range(len(told))]


def _heading(kind, field):
    (line,) = re.findall(rf"^\*\*{field}\*\* .*of {kind}\b.*:$", CODES, re.MULTILINE)
    return line


def test_the_codes_of_the_spec_are_those_of_the_code():
    assert first_words("**cause** of BOOT") == {str(n): name for n, name in BOOT_CAUSES.items()}
    assert first_words("**reason** of SESSION_END") == numbered(decisions.REASONS)
    assert first_words("**status** of SESSION_END") == numbered(session.STATUS)
    assert first_words("**refusal** of FAULT") == numbered(refusals.all_names())
    assert first_words("**detail** of a FAULT") == numbered(meter_texts.NAMES)
    assert [row[:3] for row in rows(CODES, "**cause** of GAP_BEGIN")] == [
        [str(bit), str(1 << bit), name] for bit, name in enumerate(decisions.GAP_CAUSES)
    ]
    for (kind, field), known in codes.NAMES.items():
        if known[0] is not None and field != "after":
            told = rows(CODES, _heading(kind, field))
            assert told == [[str(number), name] for number, name in enumerate(known)]
        if known[0] is None and kind in ("ABSENCE_BEGIN", "SESSION_END"):
            told = [row[:3] for row in rows(CODES, f"**{field}** of {kind} and")]
            assert told == [[str(n), str(1 << n), name] for n, name in enumerate(known[1:])]
    assert decisions.PARTIAL == 1 and "bit 0 = partial" in CODES
