"""`wallbox ledger verify` on the collector's database, sound and with somebody's hands in it."""

import contextlib
import json
import sqlite3

import pytest
from typer.testing import CliRunner

from host.cli import app
from host.collect.database import Database
from host.collect.keeper import Keeper, Message
from host.records import split
from tests.boxes import messages
from tests.ledger_story import Story
from tests.verifying import SERIAL, Operator, found_in, said


@pytest.fixture
def operator(tmp_path):
    return Operator(tmp_path / "operator")


@pytest.fixture(scope="module")
def story():
    """16 records of two boots."""
    return Story(sectors=128).boot().day().boot().intervals(1)


def stored(operator, records, serial=SERIAL):
    """A database into which the collector has taken these records."""
    path = operator.directory / "wallbox.db"
    database = Database(path, create=True)
    keeper = Keeper(database, operator.keys)
    keeper.keep([Message(f"wallbox/{serial}/ledger", data) for data in messages(records)])
    database.close()
    return path


@pytest.fixture
def records(story):
    """What the box sends: all it has."""
    buffer = bytearray(65536)
    end = story.ring.read_into(1, buffer)[0]
    found = [one.data for one in split(bytes(buffer[:end]))]
    end, first, _ = story.ring.read_into(len(found) + 1, buffer)
    assert first == len(found) + 1, "behind the mark"
    return found + [one.data for one in split(bytes(buffer[:end]))]


def change(path, *statements):
    """Somebody who can write to the file, and has no key."""
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        for statement in statements:
            connection.execute(*statement)


def test_a_sound_database(operator, records):
    path = stored(operator, records)
    before = path.read_bytes()
    report = operator.report(path)
    assert (report["box"], report["source"], report["chain"]) == (SERIAL, "database", "proved")
    assert report["records"] == report["proved"] == 16 and not report["notes"]
    assert path.read_bytes() == before
    assert {one.name for one in operator.directory.iterdir()} == {"keys", "wallbox.db"}


def test_a_database_that_the_collector_has_open(operator, records):
    path = stored(operator, records[:9])
    database = Database(path)
    keeper = Keeper(database, operator.keys)
    keeper.keep([Message(f"wallbox/{SERIAL}/ledger", data) for data in messages(records[9:])])
    assert operator.report(path)["proved"] == 16, "also what is still in the write-ahead log"
    database.close()


def test_every_flipped_bit_of_a_stored_record_is_named(operator, records):
    path = stored(operator, records)
    data = records[5]
    for bit in range(0, 8 * len(data), 7):
        broken = bytearray(data)
        broken[bit // 8] ^= 1 << bit % 8
        change(path, ("UPDATE record SET data = ? WHERE sequence = 6", (bytes(broken),)))
        (found,) = operator.report(path)["findings"]
        assert (found["sequence"], found["kind"]) == (6, "SESSION_BEGIN"), bit
        assert found["code"] in ("damaged", "mac")


def test_dropped_repeated_and_swapped_rows_are_named(operator, records):
    path = stored(operator, records)
    change(path, ("DELETE FROM record WHERE sequence IN (7, 8)",))
    (found,) = operator.report(path)["findings"]
    assert (found["code"], found["sequence"], found["last_sequence"]) == ("missing", 7, 8)
    assert "0.500 kWh in no interval" in found["text"]
    change(path, ("DELETE FROM record WHERE sequence = 16",))
    assert ("missing", 16) in found_in(operator.report(path)), "the newest one too"

    path.unlink()
    path = stored(operator, records)
    change(path, ("UPDATE record SET data = ? WHERE sequence = 5", (records[3],)))
    assert set(found_in(operator.report(path))) == {("repeated", 4), ("missing", 5)}

    path.unlink()
    path = stored(operator, records)
    for row, data in ((5, records[5]), (6, records[4])):
        change(path, ("UPDATE record SET data = ? WHERE sequence = ?", (data, row)))
    report = operator.report(path)
    assert {code for code, _ in found_in(report)} == {"order", "number"}
    assert {sequence for _, sequence in found_in(report)} == {5, 6}
    assert report["chain"] == "proved"


def test_a_changed_column_and_a_changed_end_of_the_chain_are_named(operator, records):
    path = stored(operator, records)
    change(path, ("UPDATE record SET utc_s = utc_s + 3600 WHERE sequence = 9",))
    assert found_in(operator.report(path)) == [("column", 9)]
    change(path, ("UPDATE record SET utc_s = utc_s - 3600 WHERE sequence = 9",))
    change(path, ("UPDATE box SET last_sequence = 14",))
    assert {code for code, _ in found_in(operator.report(path))} == {"head"}
    change(path, ("UPDATE box SET last_sequence = 16, last_mac = x'0011223344556677'",))
    assert found_in(operator.report(path)) == [("head", None)]


def test_an_accepted_hole_is_reported_until_it_is_allowed(operator, records):
    path = stored(operator, records[:5])
    done = CliRunner().invoke(app, ["ledger", "accept-hole", SERIAL, "--database", str(path)])
    assert done.exit_code == 0
    stored(operator, records[7:])
    report = operator.report(path)
    assert found_in(report) == [("accepted", 6)] and report["findings"][0]["last_sequence"] == 7
    assert (report["chain"], report["unproved"]) == ("partly", [[8, 8]])
    text = said(operator.run(path, "--allow-accepted"), 0)
    assert "note: accepted: records 6 to 7: missing, and the operator has accepted" in text


def test_all_boxes_or_one(operator, records):
    stored(operator, records)
    other = Story(key=operator.keys.load("WB-000002")).boot().intervals(3)
    buffer = bytearray(4096)
    end = other.ring.read_into(1, buffer)[0]
    path = stored(operator, [one.data for one in split(bytes(buffer[:end]))], "WB-000002")
    lines = said(operator.run(path, "--json"), 0).splitlines()
    assert [json.loads(line)["box"] for line in lines] == [SERIAL, "WB-000002"]
    assert operator.report(path, "--box", "WB-000002")["records"] == 6
    assert f"nothing of box WB-3; there is {SERIAL}, WB-000002" in said(
        operator.run(path, "--box", "WB-3"), 4
    )
    (operator.directory / "keys" / "WB-000002.key").unlink()
    lines = said(operator.run(path, "--json"), 0).splitlines()
    assert [json.loads(line)["chain"] for line in lines] == ["proved", "not proved"]


def test_other_sqlite_files_are_refused(operator, records):
    path = operator.directory / "other.db"
    change(path, ("CREATE TABLE box (serial)",))
    assert "not a collector's" in said(operator.run(path), 4)
    path = stored(operator, records)
    data = bytearray(path.read_bytes())
    data[4096:12288] = bytes(8192)
    assert "restore it from a copy" in said(operator.run(operator.file(data, "bad.db")), 4)
