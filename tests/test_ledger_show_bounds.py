"""`wallbox ledger show`: what is told of times that the box did not know."""

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
