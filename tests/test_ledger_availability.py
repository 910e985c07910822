"""The monthly statement of availability, from the ledger's facts alone."""

import json
from zoneinfo import ZoneInfo

import pytest
from typer.testing import CliRunner
from wallbox.core import decisions

from host.cli import app
from host.collect.database import Database
from host.collect.keeper import Keeper, Message
from host.keys import KeyStore
from host.ledger.availability import absences, month_bounds, statement
from host.ledger.entries import Entry
from tests.boxes import BOOT_UTC_S, Ledger

COPENHAGEN = ZoneInfo("Europe/Copenhagen")
BEGIN, END = month_bounds("2026-11", COPENHAGEN)


def fact(kind, utc_s, cause, from_utc_s, planned=0, **bounds):
    fields = {
        "cause": cause,
        "planned": planned,
        "from_utc_s": from_utc_s,
        "from_quality": "S" if from_utc_s else "U",
    }
    return Entry("WB-1", 1, kind, "S" if utc_s else "U", 1, 0, utc_s, fields, **bounds)


def told(*entries, now=END):
    return statement("WB-1", absences(entries), "2026-11", COPENHAGEN, now)


def test_a_month_at_home_begins_at_local_midnight():
    assert END - BEGIN == 30 * 86400
    assert month_bounds("2026-03", COPENHAGEN)[1] - month_bounds("2026-03", COPENHAGEN)[0] == (
        31 * 86400 - 3600
    )
    assert month_bounds("2026-12", COPENHAGEN)[1] == month_bounds("2027-01", COPENHAGEN)[0]


def test_without_absences_it_is_all_of_the_month():
    assert told().availability_permille == 1000


def test_an_absence_counts_from_its_begin_to_its_end_under_all_its_causes():
    one = told(
        fact("ABSENCE_BEGIN", BEGIN + 900, ["wifi"], BEGIN + 600),
        fact("ABSENCE_END", BEGIN + 4200, ["wifi", "power"], BEGIN + 600),
    )
    assert one.absent_s == 3600
    assert one.by_cause_s == {"power": 3600, "wifi": 3600}
    assert one.availability_permille == 998


def test_only_the_part_in_the_month_counts_and_what_lasts_counts_up_to_now():
    before = told(
        fact("ABSENCE_BEGIN", BEGIN - 500, ["power"], BEGIN - 1000),
        fact("ABSENCE_END", BEGIN + 100, ["power"], BEGIN - 1000),
    )
    assert before.absent_s == 100
    lasting = told(fact("ABSENCE_BEGIN", BEGIN + 60, ["broker"], BEGIN), now=BEGIN + 5000)
    assert lasting.absent_s == 5000 and lasting.availability_permille == 0


def test_a_planned_absence_is_told_apart():
    one = told(
        fact("ABSENCE_BEGIN", BEGIN + 900, ["power"], BEGIN + 600, planned=1),
        fact("ABSENCE_END", BEGIN + 4200, ["power"], BEGIN + 600, planned=1),
    )
    assert (one.absent_s, one.planned_s, one.availability_permille) == (0, 3600, 1000)


def test_an_end_that_the_box_could_not_date_counts_at_most():
    (one,) = absences(
        [
            fact("ABSENCE_BEGIN", BEGIN + 900, ["power"], BEGIN + 600),
            fact(
                "ABSENCE_END", 0, ["power"], BEGIN + 600,
                earliest_utc_s=BEGIN + 1000, latest_utc_s=BEGIN + 2000,
            ),
        ]
    )  # fmt: skip
    assert (one.to_earliest_utc_s, one.to_utc_s) == (BEGIN + 1000, BEGIN + 2000)


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
    database = Database(tmp_path / "wallbox.db", create=True)
    Keeper(database, keys).keep([Message("wallbox/WB-1/ledger", b"".join(ledger.records))])
    database.close()

    def run(*more, code=0):
        words = ["ledger", "availability", "--database", str(tmp_path / "wallbox.db"), *more]
        done = CliRunner(env={"COLUMNS": "200"}).invoke(app, words)
        assert done.exit_code == code, done.output
        return done.output

    told = json.loads(run("--month", "2026-01", "--json"))
    assert told["absent_s"] == 120 and told["by_cause_s"] == {"power": 120, "wifi": 120}
    assert "available 99.9 %, absent 0:02 h" in run("WB-1", "--month", "2026-01")
    assert "no month" in run("--month", "soon", code=2)
    assert "no records of box WB-9" in run("WB-9", code=4)
