"""`wallbox ledger show`: what is stored, in the field's terms, and whether it adds up."""

import csv
import io
import json

import pytest
from typer.testing import CliRunner
from wallbox.core import decisions

from host.cli import app
from host.collect.database import Database
from host.collect.keeper import Keeper, Message
from host.keys import KeyStore
from host.ledger.entries import kind_names
from host.ledger.words import Words
from tests.boxes import BOOT_UTC_S, Ledger

SERIAL = "WB-000001"
KEY = bytes(range(32))
METER = 4711
START_WH = 1_000_000


def story(ledger):
    """A box's first hours: boot, clock, an interval, a session over a power cut, a gap."""
    at = BOOT_UTC_S
    ledger.clock_set = False
    ledger.fact(decisions.BOOT, 1, b"0.1.0", quality=0)
    ledger.fact(decisions.METER, START_WH, METER, b"Eastron|SDM630|4711", quality=0)
    ledger.clock_set = True
    ledger.fact(decisions.CLOCK, at * 1000 + 250, 0, 0)
    ledger.fact(decisions.GAP_END, START_WH, METER, 0, 0, 0, decisions.GAP_CLOCK)
    ledger.fact(decisions.SESSION_BEGIN, START_WH, METER, 1, 1, 0, 0, b"")
    ledger.fact(decisions.INTERVAL, START_WH + 2750, METER, 2750, at + 900, 3, 900, 1)
    ledger.fact(decisions.INTERVAL, START_WH + 2800, METER, 50, at + 920, 3, 900, 1)
    ledger.fact(decisions.GAP_BEGIN, START_WH + 2800, METER, at + 920, 3, decisions.GAP_POWER)
    ledger.boot = 2
    ledger.fact(
        decisions.GAP_END, START_WH + 3000, METER, 200, at + 920, 3,
        decisions.GAP_POWER | decisions.GAP_CLOCK,
    )  # fmt: skip
    ledger.fact(
        decisions.SESSION_END, START_WH + 3000, METER, 1, 3000, at + 300, 3,
        decisions.REASON_POWER_LOSS, 0, 0,
    )  # fmt: skip
    ledger.fact(decisions.FAULT, 6, 0)
    ledger.record(61, b"\x01\x02\x03")
    ledger.fact(decisions.WATERMARK, 7)
    ledger.record(42, b"\xca\xfe")
    return ledger


class Stored:
    def __init__(self, directory):
        (directory / "keys").mkdir(mode=0o700)
        self.path = directory / "collector.db"
        self.keys = KeyStore(directory / "keys")
        self.database = Database(self.path, create=True)
        self.keeper = Keeper(self.database, self.keys)

    def keep(self, serial, ledger):
        if serial not in self.keys.serials():
            self.keys.create(serial, ledger.key)
        self.keeper.keep([Message(f"wallbox/{serial}/ledger", data) for data in ledger.records])

    def show(self, *arguments, columns=250, code=0):
        runner = CliRunner(env={"COLUMNS": str(columns), "NO_COLOR": "1"})
        done = runner.invoke(app, ["ledger", *arguments, "--database", str(self.path)])
        assert done.exit_code == code, done.output
        return done.stdout if code == 0 else done.stderr

    def lines(self, *arguments):
        return [json.loads(line) for line in self.show(*arguments, "--json").splitlines()]


@pytest.fixture
def stored(tmp_path):
    stored = Stored(tmp_path)
    stored.keep(SERIAL, story(Ledger(KEY)))
    yield stored
    stored.database.close()


def row(output, *words):
    """The only line that holds all the words."""
    (found,) = (line for line in output.splitlines() if all(word in line for word in words))
    return found


def test_records_in_the_fields_terms(stored):
    shown = stored.show("show")
    assert "PowerUp, firmware 0.1.0" in row(shown, "BOOT").replace("cause ", "")
    assert "boot 1 + 0:01:00.000 U" in row(shown, "BOOT")
    assert "register 1000.000 kWh, meter id 4711, Eastron|SDM630|4711" in row(shown, " METER ")
    assert "set to 2026-01-01 00:00:00.250, before unknown" in row(shown, "CLOCK ")
    interval = row(shown, "INTERVAL", "1002.750")
    assert "2026-01-01 00:06:00 S" in interval
    assert "energy 2.750 kWh, end 2026-01-01 00:15:00 S, of 900 s, partial" in interval
    assert "power and clock" in row(shown, "GAP_END", "1003.000")
    assert "session 1, energy 3.000 kWh, begin 2026-01-01 00:05:00 S, PowerLoss" in row(
        shown, "SESSION_END"
    )
    assert "PowerMeterSilent" in row(shown, "FAULT")
    assert "3 bytes" in row(shown, "STATE")
    assert "2 bytes" in row(shown, "KIND_42")


def test_the_parts_add_up_to_the_register(stored):
    _records, totals = stored.show("show").split("WB-000001, meter 4711")
    assert [line.split() for line in totals.splitlines()[1:]] == [
        ["number", "kWh"],
        ["register", "from", "1000.000"],
        ["register", "to", "1003.000"],
        ["intervals", "2", "2.800"],
        ["gaps", "2", "0.200"],
        ["register", "-", "its", "parts", "0.000"],
        ["sessions", "1", "3.000"],
    ]


def test_a_part_that_is_missing_shows_as_a_difference(stored):
    ledger = Ledger(b"\x02" * 32)
    ledger.registers(2)
    ledger.fact(decisions.INTERVAL, START_WH + 1500, METER, 250, BOOT_UTC_S + 9000, 3, 900, 0)
    stored.keep("WB-000002", ledger)
    (totals,) = (line for line in stored.lines("show", "WB-000002", "--sessions"))
    assert totals["what"] == "totals" and totals["difference_wh"] == 750


def test_sessions_and_gaps(stored):
    shown = stored.show("show", "--sessions")
    assert row(shown, "PowerLoss").split() == [
        *(SERIAL, "1", "2026-01-01", "00:05:00", "S", "2026-01-01", "00:10:00", "S", "3.000"),
        "PowerLoss",
    ]
    assert "0.200" in row(shown, "power and clock")
    session, first_gap, second_gap, totals = stored.lines("show", "--sessions")
    assert session == {
        "what": "session",
        "box": SERIAL,
        "session": 1,
        "meter_id": METER,
        "begin_utc": "2026-01-01T00:05:00Z",
        "begin_quality": "S",
        "begin_register_wh": START_WH,
        "end_utc": "2026-01-01T00:10:00Z",
        "end_quality": "S",
        "end_register_wh": START_WH + 3000,
        "energy_wh": 3000,
        "reason": "PowerLoss",
        "status": "G",
        "carried_wh": 0,
    }
    assert first_gap["from_utc"] is None and first_gap["energy_wh"] == 0
    assert second_gap["cause"] == ["power", "clock"] and second_gap["energy_wh"] == 200
    assert totals["interval_wh"] + totals["gap_wh"] == 3000 == totals["session_wh"]
    assert totals["difference_wh"] == 0


def test_a_session_that_runs_and_a_gap_that_lasts(stored):
    ledger = Ledger(b"\x02" * 32)
    ledger.fact(decisions.SESSION_BEGIN, START_WH, METER, 9, 1, 0, 0, b"")
    ledger.registers(2)
    ledger.fact(decisions.GAP_BEGIN, START_WH + 500, METER, BOOT_UTC_S, 3, decisions.GAP_METER)
    stored.keep("WB-000002", ledger)
    shown = stored.show("show", "WB-000002", "--sessions")
    assert "running" in row(shown, " 9 ") and "0.500" in row(shown, " 9 ")
    assert "lasts" in row(shown, "meter", "2026")


def test_a_session_whose_begin_is_not_shown_is_told_by_its_end(stored):
    (session, *_rest) = stored.lines("show", "--sessions", "--since", "2026-01-01T00:10")
    assert session["begin_register_wh"] == START_WH and session["energy_wh"] == 3000


def test_json_and_csv_hold_the_same(stored):
    lines = stored.lines("show")
    rows = list(csv.DictReader(io.StringIO(stored.show("show", "--csv"))))
    assert len(lines) == len(rows) == 14
    assert lines[5] == {
        "box": SERIAL,
        "sequence": 6,
        "utc": "2026-01-01T00:06:00Z",
        "quality": "S",
        "boot": 1,
        "uptime_ms": 360_000,
        "kind": "INTERVAL",
        "fields": {
            "register_wh": 1_002_750,
            "meter_id": METER,
            "energy_wh": 2750,
            "end_utc_s": BOOT_UTC_S + 900,
            "end_quality": "S",
            "interval_s": 900,
            "flags": ["partial"],
        },
    }
    for line, cells in zip(lines, rows, strict=True):
        assert cells["sequence"] == str(line["sequence"]) and cells["utc"] == (line["utc"] or "")
        for name, value in line["fields"].items():
            assert cells[name] == (" ".join(value) if isinstance(value, list) else str(value))
    sessions = list(csv.DictReader(io.StringIO(stored.show("show", "--sessions", "--csv"))))
    assert [one["energy_wh"] for one in sessions] == ["3000"]


def test_filters(stored):
    assert [line["kind"] for line in stored.lines("show", "--kind", "interval")] == ["INTERVAL"] * 2
    assert [line["sequence"] for line in stored.lines("show", "--last", "3")] == [12, 13, 14]
    assert stored.lines("show", "--since", "2026-01-01T00:08")[0]["sequence"] == 8
    assert stored.lines("show", "--since", "2027-01-01") == []
    shown = stored.show("show", "--local", "--since", "2026-01-01T01:08+01:00")
    assert "2026-01-01 01:08:00 S" in shown and "00:07:00" not in shown
    assert stored.lines("show", "--local", "--since", "2026-01-01T01:08")[0]["sequence"] == 8


def test_two_boxes(stored):
    ledger = Ledger(b"\x02" * 32)
    ledger.registers(150)
    stored.keep("WB-000002", ledger)
    assert {line["box"] for line in stored.lines("show")} == {SERIAL, "WB-000002"}
    shown = stored.show("show")
    assert len([line for line in shown.splitlines() if line.startswith("WB-000002 ")]) == 100
    assert stored.show("show", "WB-000002", "--last", "0").count("INTERVAL") == 150


def test_an_hour_that_comes_twice_is_told_apart_by_its_offset():
    words = Words(local=True)
    assert words.time(1_792_884_600, "S") == "2026-10-25 01:30:00 S"
    assert words.time(1_792_888_200, "S") == "2026-10-25 02:30:00+0200 S"
    assert words.time(1_792_891_800, "S") == "2026-10-25 02:30:00+0100 S"
    assert words.time(0, "U") == "unknown"


def test_what_was_not_believed_and_a_hole_that_is_accepted(stored):
    ledger = Ledger(b"\x02" * 32)
    ledger.registers(3)
    ledger.records.clear()  # the box's flash has lost them
    ledger.registers(2)
    stored.keep("WB-000002", ledger)
    assert stored.lines("show", "WB-000002") == []
    assert "goes on" not in stored.show("accept-hole", "WB-000002")
    stored.keep("WB-000002", ledger)
    assert [line["sequence"] for line in stored.lines("show", "WB-000002")] == [4, 5]
    assert "WB-000002: chain starts at record 4" in stored.show("show")
    forged = Ledger(b"\xee" * 32, first_sequence=15)
    forged.registers(1)
    stored.keep(SERIAL, forged)
    assert "WB-000001 record 15: mac, 1 times" in stored.show("quarantine")
    assert "WB-000001: 1 not believed" in stored.show("show")


def test_errors_name_what_is_there(stored, tmp_path):
    assert "no records of box WB-9; there are WB-000001" in stored.show("show", "WB-9", code=4)
    assert "no records of box WB-9" in stored.show("accept-hole", "WB-9", code=4)
    assert "write 2026-01-31" in stored.show("show", "--since", "yesterday", code=2)
    told = stored.show("show", "--kind", "ENERGY", code=2, columns=400)
    assert all(kind in told for kind in kind_names())
    assert "exclude each other" in stored.show("show", "--json", "--csv", code=2)
    stored.path = tmp_path / "none.db"
    told = stored.show("show", code=4)
    assert "no such database" in told and told.count("\n") == 1


def test_colours_can_be_switched_off(stored, monkeypatch):
    monkeypatch.setattr("host.console.out.no_color", False)
    stored.show("show", "--no-color")
    from host.console import out

    assert out.no_color


def test_a_rollover_and_an_exchanged_meter_add_up_apart(tmp_path):
    stored = Stored(tmp_path)
    ledger = Ledger(KEY)
    ledger.clock_set = True
    utc_s = BOOT_UTC_S
    ledger.fact(decisions.METER, 99_999_000, METER, b"a|b|c")
    ledger.fact(decisions.SESSION_BEGIN, 99_999_000, METER, 1, 1, 0, 0, b"")
    ledger.fact(decisions.METER_ROLLOVER, 400, METER, 1400, 100_000_000, utc_s, 3)
    ledger.fact(decisions.INTERVAL, 500, METER, 100, utc_s + 900, 3, 900, 1)
    ledger.fact(decisions.SESSION_END, 500, METER, 1, 1500, utc_s, 3, 1, 0, 0)
    ledger.fact(decisions.METER_EXCHANGE, 500, METER, 78)
    ledger.fact(decisions.GAP_BEGIN, 500, METER, utc_s + 900, 3, decisions.GAP_EXCHANGE)
    ledger.fact(decisions.METER, 7, 78, b"a|b|d")
    ledger.fact(decisions.GAP_END, 7, 78, 0, utc_s + 900, 3, decisions.GAP_EXCHANGE)
    ledger.fact(decisions.INTERVAL, 10, 78, 3, utc_s + 1800, 3, 900, 0)
    stored.keep(SERIAL, ledger)
    session, gap, first, second = stored.lines("show", "--sessions")
    stored.database.close()
    assert session["energy_wh"] == 1500 and gap["cause"] == ["exchange"]
    assert (first["rollover_wh"], first["difference_wh"]) == (1400, 0)
    assert (second["meter_id"], second["first_register_wh"]) == (78, 7)
    assert second["difference_wh"] == 0


def test_a_clock_that_ran_wild_is_still_told():
    assert Words().time((1 << 48) // 1000) == "281474976710 s, behind the calendar's end"
    assert Words(local=True).time(253_402_214_399).startswith("9999-12-3")
