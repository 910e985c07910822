"""`wallbox ledger show`: what is told of times that the box did not know."""

import csv
import io

import pytest
from wallbox.core import decisions

from tests.boxes import BOOT_UTC_S, Ledger
from tests.test_ledger_show import KEY, SERIAL, Stored, row


def test_bounds_come_from_neighbours_that_are_not_shown(tmp_path):
    stored = Stored(tmp_path)
    ledger = Ledger(KEY)
    ledger.registers(1)
    ledger.restart(BOOT_UTC_S + 300)
    ledger.fact(decisions.FAULT, 6, 0, quality=0)
    stored.keep(SERIAL, ledger)
    (newest,) = stored.lines("show", "--last", "1")
    assert newest["utc"] is None and newest["earliest_utc"] == "2026-01-01T00:02:00Z"
    assert "latest_utc" not in newest
    ledger.records.clear()
    ledger.restart(BOOT_UTC_S + 600)
    ledger.clock_set = True
    ledger.fact(decisions.WATERMARK, 2)
    stored.keep(SERIAL, ledger)
    (fault,) = stored.lines("show", "--kind", "fault")
    (since,) = stored.lines("show", "--kind", "fault", "--since", "2026-01-01")
    shown = stored.show("show", "--kind", "fault")
    stored.database.close()
    assert fault == since and fault["earliest_utc"] == "2026-01-01T00:02:00Z"
    assert fault["latest_utc"] == "2026-01-01T00:10:00Z"
    assert "after 2026-01-01 00:02:00, before 2026-01-01 00:10:00" in row(shown, "FAULT")


def without_a_clock(tmp_path):
    """A session, and gaps, in a boot that never learned the time, between two that did."""
    stored = Stored(tmp_path)
    ledger = Ledger(KEY)
    ledger.fact(decisions.METER, 1000, 7, b"a|b|c")
    ledger.restart(BOOT_UTC_S + 300)
    ledger.fact(decisions.SESSION_BEGIN, 1000, 7, 1, 1, 0, 0, b"", quality=0)
    ledger.fact(decisions.GAP_BEGIN, 1000, 7, 0, 0, decisions.GAP_CLOCK, quality=0)
    ledger.fact(decisions.GAP_CAUSE, decisions.GAP_CLOCK | decisions.GAP_METER, quality=0)
    return stored, ledger


def ended(stored, ledger):
    ledger.fact(decisions.SESSION_END, 1500, 7, 1, 500, 0, 0, 1, 3, 0, quality=0)
    ledger.restart(BOOT_UTC_S + 900)
    ledger.clock_set = True
    ledger.fact(
        decisions.GAP_END, 1500, 7, 500, 0, 0, decisions.GAP_CLOCK | decisions.GAP_METER
    )  # fmt: skip
    stored.keep(SERIAL, ledger)
    stored.database.close()


def test_sessions_and_gaps_without_a_clock_are_told_with_bounds(tmp_path):
    stored, ledger = without_a_clock(tmp_path)
    ended(stored, ledger)
    session, gap, _totals = stored.lines("show", "--sessions")
    assert session["begin_utc"] is None and session["end_utc"] is None
    assert session["begin_earliest_utc"] == "2026-01-01T00:02:00Z"  # 60 s behind METER
    assert session["begin_latest_utc"] == "2026-01-01T00:12:00Z"  # 180 s before the boot's end
    assert session["end_earliest_utc"] == "2026-01-01T00:05:00Z"
    assert session["end_latest_utc"] == "2026-01-01T00:15:00Z"
    assert gap["from_utc"] is None and gap["from_earliest_utc"] == "2026-01-01T00:01:00Z"
    assert gap["from_latest_utc"] == "2026-01-01T00:13:00Z"
    assert gap["to_utc"] == "2026-01-01T00:16:00Z" and "to_latest_utc" not in gap
    (cells,) = csv.DictReader(io.StringIO(stored.show("show", "--sessions", "--csv")))
    assert {name: value for name, value in session.items() if name.endswith("est_utc")} == {
        name: value for name, value in cells.items() if name.endswith("est_utc")
    }
    shown = stored.show("show", "--sessions")
    told = row(shown, "EVDisconnected (read: O)")
    assert "after 2026-01-01 00:02:00, before 2026-01-01 00:12:00" in told
    assert "after 2026-01-01 00:05:00, before 2026-01-01 00:15:00" in told
    assert "after 2026-01-01 00:01:00, before 2026-01-01 00:13:00" in row(shown, "clock")
    assert "unknown" not in shown


def test_a_session_that_the_clock_reaches_later_is_placed_to_the_second(tmp_path):
    stored, ledger = without_a_clock(tmp_path)
    ledger.clock_set = True
    ledger.fact(decisions.CLOCK, ledger.boot_utc_s * 1000, 0, 0)
    stored.keep(SERIAL, ledger)
    shown = stored.show("show", "--sessions")
    stored.database.close()
    assert "= 2026-01-01 00:06:00" in row(shown, "running")


def test_a_gap_that_lasts_shows_all_causes_so_far(tmp_path):
    stored, ledger = without_a_clock(tmp_path)
    stored.keep(SERIAL, ledger)
    lines = stored.lines("show", "--sessions")
    shown = stored.show("show", "--sessions")
    stored.database.close()
    (gap,) = (line for line in lines if line["what"] == "gap")
    assert gap["energy_wh"] is None and gap["cause"] == ["meter", "clock"]
    assert "meter and clock" in row(shown, "lasts")


@pytest.mark.parametrize("status, letter", list(enumerate("GTXOFE")))
def test_how_the_last_register_of_a_session_was_read(tmp_path, status, letter):
    stored = Stored(tmp_path)
    ledger = Ledger(KEY)
    ledger.fact(decisions.SESSION_END, 1500, 7, 1, 500, BOOT_UTC_S, 3, 1, status, 0)
    stored.keep(SERIAL, ledger)
    shown = row(stored.show("show", "--sessions"), "EVDisconnected")
    stored.database.close()
    assert shown.endswith("EVDisconnected" if letter == "G" else f"(read: {letter})")
