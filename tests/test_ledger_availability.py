"""The monthly statement of availability, from the ledger's facts alone."""

import json
import re
from zoneinfo import ZoneInfo

import pytest
from typer.testing import CliRunner
from wallbox.core import decisions

from host.cli import app
from host.collect.database import Database
from host.collect.keeper import Keeper, Message
from host.keys import KeyStore
from host.ledger.absences import absences
from host.ledger.availability import month_bounds, statement
from host.ledger.availability_command import _print
from host.ledger.entries import Entry
from host.ledger.words import Words
from tests.boxes import BOOT_UTC_S, Ledger

COPENHAGEN = ZoneInfo("Europe/Copenhagen")
BEGIN, END = month_bounds("2026-11", COPENHAGEN)


def record(kind, utc_s, fields, boot=1, uptime_s=0, sequence=1, **bounds):
    quality = "S" if utc_s else "U"
    return Entry("WB-1", sequence, kind, quality, boot, uptime_s * 1000, utc_s, fields, **bounds)


def fact(kind, utc_s, cause, from_utc_s, planned=0, **where):
    fields = {
        "cause": cause,
        "planned": planned,
        "from_utc_s": from_utc_s,
        "from_quality": "S" if from_utc_s else "U",
    }
    return record(kind, utc_s, fields, **where)


def some(utc_s, **where):
    """A record that tells nothing but that the box has written one then."""
    return record("INTERVAL", utc_s, {}, **where)


def announced(utc_s, from_utc_s, until_utc_s):
    return record("ANNOUNCED", utc_s, {"from_utc_s": from_utc_s, "until_utc_s": until_utc_s})


def told(*entries, now=END + 999):
    return statement("WB-1", absences(entries), "2026-11", COPENHAGEN, now)


def of_whole_month(*entries, now=END + 999):
    """With records before and after the month."""
    return told(some(BEGIN - 9999), *entries, some(END + 99), now=now)


def test_a_month_at_home_begins_at_local_midnight():
    assert END - BEGIN == 30 * 86400
    assert month_bounds("2026-03", COPENHAGEN)[1] - month_bounds("2026-03", COPENHAGEN)[0] == (
        31 * 86400 - 3600
    )
    assert month_bounds("2026-12", COPENHAGEN)[1] == month_bounds("2027-01", COPENHAGEN)[0]


def test_without_absences_it_is_all_of_the_month():
    one = of_whole_month()
    assert (one.availability_permille, one.unknown_s, one.present_s) == (1000, 0, END - BEGIN)


def test_an_absence_counts_from_its_begin_to_its_end_under_all_its_causes():
    one = of_whole_month(
        fact("ABSENCE_BEGIN", BEGIN + 900, ["wifi"], BEGIN + 600),
        fact("ABSENCE_END", BEGIN + 4200, ["wifi", "power"], BEGIN + 600),
    )
    assert one.absent_s == 3600
    assert one.by_cause_s == {"power": 3600, "wifi": 3600}
    assert one.availability_permille == 998


def test_only_the_part_in_the_month_counts():
    before = of_whole_month(
        fact("ABSENCE_BEGIN", BEGIN - 500, ["power"], BEGIN - 1000),
        fact("ABSENCE_END", BEGIN + 100, ["power"], BEGIN - 1000),
    )
    assert before.absent_s == 100
    beyond = of_whole_month(fact("ABSENCE_BEGIN", END - 40, ["power"], END - 100))
    assert (beyond.absent_s, beyond.unknown_s) == (100, 0)


def test_what_lasts_counts_up_to_the_last_record_and_then_it_is_not_known():
    one = told(
        some(BEGIN - 9),
        fact("ABSENCE_BEGIN", BEGIN + 60, ["broker"], BEGIN),
        some(BEGIN + 900),
        now=BEGIN + 5000,
    )
    assert (one.absent_s, one.unknown_s, one.availability_permille) == (900, 4100, 0)


def test_after_the_last_record_and_before_the_first_one_nothing_is_known():
    one = told(some(BEGIN + 86400), some(BEGIN + 4 * 86400), now=END + 3600)
    assert (one.present_s, one.unknown_s) == (3 * 86400, 27 * 86400)
    assert (one.availability_permille, one.permille(one.unknown_s)) == (100, 900)
    assert (one.known_from_utc_s, one.known_until_utc_s) == (BEGIN + 86400, BEGIN + 4 * 86400)
    nothing = told()
    assert (nothing.unknown_s, nothing.availability_permille) == (END - BEGIN, 0)
    undated = told(some(0), some(0))
    assert (undated.unknown_s, undated.availability_permille) == (END - BEGIN, 0)


def test_a_month_that_has_not_begun_has_no_availability():
    one = told(some(BEGIN - 9), now=BEGIN - 5)
    assert (one.total_s, one.unknown_s, one.availability_permille) == (0, 0, 0)


def test_where_records_are_missing_nothing_is_known_but_an_absence_goes_on():
    hole = some(BEGIN + 1000, sequence=1), some(BEGIN + 3000, sequence=5)
    assert of_whole_month(*hole).unknown_s == 2000
    one = of_whole_month(
        fact("ABSENCE_BEGIN", BEGIN + 1000, ["wifi"], BEGIN + 900),
        fact("ABSENCE_END", BEGIN + 3000, ["wifi"], BEGIN + 900, sequence=5),
    )
    assert (one.absent_s, one.unknown_s) == (2100, 0)


def test_an_absence_whose_end_is_missing_lasts_at_most_until_the_next_one():
    one = of_whole_month(
        fact("ABSENCE_BEGIN", BEGIN + 1000, ["wifi"], BEGIN + 900),
        fact("ABSENCE_END", BEGIN + 9000, ["power"], BEGIN + 5000, sequence=9),
    )
    assert [(each.from_utc_s, each.to_utc_s) for each in one.absences] == [
        (BEGIN + 900, BEGIN + 5000),
        (BEGIN + 5000, BEGIN + 9000),
    ]
    assert one.by_cause_s == {"power": 4000, "wifi": 4100}


def test_a_planned_absence_is_told_apart():
    one = of_whole_month(
        announced(BEGIN + 50, BEGIN + 500, BEGIN + 4500),
        fact("ABSENCE_BEGIN", BEGIN + 900, ["power"], BEGIN + 600, planned=1),
        fact("ABSENCE_END", BEGIN + 4200, ["power"], BEGIN + 600, planned=1),
    )
    assert (one.absent_s, one.planned_s, one.availability_permille) == (0, 3600, 1000)
    assert one.present_s == END - BEGIN - 3600


def test_a_planned_absence_that_overruns_its_announcement_is_planned_up_to_there():
    one = of_whole_month(
        announced(BEGIN + 10, BEGIN + 99, BEGIN + 999_999),
        announced(BEGIN + 20, BEGIN + 3600, BEGIN + 7200),
        fact("ABSENCE_BEGIN", BEGIN + 4000, ["wifi"], BEGIN + 3700, planned=1),
        announced(BEGIN + 5000, BEGIN + 3600, BEGIN + 999_999),
        fact("ABSENCE_END", BEGIN + 20 * 86400, ["wifi"], BEGIN + 3700, planned=1),
    )
    assert one.planned_s == 3500
    assert one.absent_s == one.by_cause_s["wifi"] == 20 * 86400 - 7200


def test_without_its_announcement_an_absence_is_not_planned():
    one = of_whole_month(
        fact("ABSENCE_BEGIN", BEGIN + 900, ["power"], BEGIN + 600, planned=1),
        fact("ABSENCE_END", BEGIN + 4200, ["power"], BEGIN + 600, planned=1),
    )
    assert (one.absent_s, one.planned_s) == (3600, 0)


def test_an_end_that_the_box_could_not_date_counts_at_most():
    entries = (
        fact("ABSENCE_BEGIN", BEGIN + 900, ["power"], BEGIN + 600),
        fact(
            "ABSENCE_END", 0, ["power"], BEGIN + 600,
            earliest_utc_s=BEGIN + 1000, latest_utc_s=BEGIN + 2000,
        ),
    )  # fmt: skip
    (one,) = absences(entries).found
    assert (one.to_earliest_utc_s, one.to_utc_s) == (BEGIN + 1000, BEGIN + 2000)
    assert of_whole_month(*entries).absent_s == 1400


def test_an_end_that_nothing_bounds_counts_up_to_the_last_known_time():
    one = told(
        some(BEGIN - 9),
        fact("ABSENCE_BEGIN", BEGIN + 900, ["power"], BEGIN + 600),
        fact("ABSENCE_END", 0, ["power"], BEGIN + 600, earliest_utc_s=BEGIN + 1000),
        some(0, earliest_utc_s=BEGIN + 1500),
    )
    assert (one.absent_s, one.unknown_s) == (900, END - BEGIN - 1500)


def test_a_begin_that_the_box_could_not_date_counts_at_its_earliest():
    bounds = {"earliest_utc_s": BEGIN + 1000, "latest_utc_s": BEGIN + 40_000}
    end = fact("ABSENCE_END", BEGIN + 50_000, ["broker"], 0, uptime_s=90_000)
    at_boot = fact("ABSENCE_BEGIN", 0, ["broker"], 0, boot=2, uptime_s=60, **bounds)
    later = fact("ABSENCE_BEGIN", 0, ["broker"], 0, boot=2, uptime_s=600, **bounds)
    last = some(BEGIN + 300)  # of the boot before

    assert of_whole_month(at_boot, end).absences[0].from_latest_utc_s == BEGIN + 40_000
    assert told(at_boot, end).absent_s == 49_000
    assert told(last, at_boot, end).absent_s == 49_700, "it may have stood still since then"
    assert told(last, later, end).absent_s == 49_060, "written after a minute of it"
    answered = (
        fact("ABSENCE_BEGIN", BEGIN + 100, ["wifi"], BEGIN + 40),
        fact("ABSENCE_END", BEGIN + 980, ["wifi"], BEGIN + 40),
    )
    assert told(*answered, later, end).by_cause_s == {"wifi": 940, "broker": 49_020}


def test_a_guessed_begin_is_not_taken_for_the_begin():
    begin = fact("ABSENCE_BEGIN", BEGIN + 4000, ["power"], BEGIN + 3000, boot=2)
    begin.fields["from_quality"] = "I"
    one = of_whole_month(
        some(BEGIN + 500), begin, fact("ABSENCE_END", BEGIN + 5000, ["power"], BEGIN + 3000, boot=2)
    )
    assert one.absent_s == 4500


def test_what_is_no_month_is_an_error():
    with pytest.raises(ValueError):
        month_bounds("november", COPENHAGEN)


def test_the_command_prints_the_statement(tmp_path):
    (tmp_path / "keys").mkdir(mode=0o700)
    keys = KeyStore(tmp_path / "keys")
    keys.create("WB-1", b"k" * 32)
    ledger = Ledger(b"k" * 32)
    ledger.fact(decisions.ABSENCE_BEGIN, 3, 0, BOOT_UTC_S, 3)
    ledger.fact(decisions.ABSENCE_END, 3, 0, BOOT_UTC_S, 3)
    ledger.uptime_ms = 3 * 86400 * 1000
    ledger.registers(1)
    database = Database(tmp_path / "wallbox.db", create=True)
    Keeper(database, keys).keep([Message("wallbox/WB-1/ledger", b"".join(ledger.records))])
    database.close()

    def run(*more, code=0):
        words = ["ledger", "availability", "--database", str(tmp_path / "wallbox.db"), *more]
        done = CliRunner(env={"COLUMNS": "200"}).invoke(app, words)
        assert done.exit_code == code, done.output
        return done.output

    told = json.loads(run("--month", "2026-01", "--utc", "--json"))
    assert told["absent_s"] == 120 and told["by_cause_s"] == {"power": 120, "wifi": 120}
    assert told["unknown_s"] == 28 * 86400 - 60 and told["unknown_permille"] == 904
    text = run("WB-1", "--month", "2026-01", "--utc")
    assert "WB-1 2026-01: available at least 9.6 %" in text
    assert re.search(r"present +planned +absent +not known", text)
    assert re.search(r"2 d 23:59 h +0:00 h +0:02 h +27 d 23:59 h", text)
    assert re.search(r"9.6 % +0.0 % +0.1 % +90.4 %", text)
    assert "from 2026-01-01 00:01:00 to 2026-01-04 00:01:00 (UTC)" in text
    assert "no month" in run("--month", "soon", code=2)
    assert "no records of box WB-9" in run("WB-9", code=4)


def test_the_command_shows_both_bounds(capsys):
    one = told(
        some(BEGIN - 9),
        fact("ABSENCE_BEGIN", 0, ["wifi"], 0, uptime_s=60, boot=2, latest_utc_s=BEGIN + 3600),
        fact("ABSENCE_END", 0, ["wifi"], 0, earliest_utc_s=BEGIN + 60, latest_utc_s=BEGIN + 7200),
        some(END + 9),
    )
    _print(one, Words(local=True))
    shown = " ".join(capsys.readouterr().out.split())
    assert "after 2026-10-31 23:59:51, before 2026-11-01 01:00:00" in shown
    assert "after 2026-11-01 00:01:00, before 2026-11-01 02:00:00" in shown
