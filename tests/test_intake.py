"""What the collector believes: sequence, hash chain, and what happens to the rest. No network."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from typer.testing import CliRunner
from wallbox.store.ledger import Ledger as StoredLedger

from host.cli import app
from host.collect.database import Database, DatabaseUnusable, boxes, chain_starts, quarantine
from host.collect.database import records as record_table
from host.collect.keeper import Keeper, Message
from host.keys import KeyStore
from host.records import acknowledgement
from hw.sim.flash import NorFlash, Partition
from tests.boxes import BOOT_UTC_S, Ledger, digest, messages

SERIAL = "WB-000001"
KEY = bytes(range(32))


class Operator:
    """A collector without a network."""

    def __init__(self, directory):
        (directory / "keys").mkdir(mode=0o700)
        self.keys = KeyStore(directory / "keys")
        self.keys.create(SERIAL, KEY)
        self.path = directory / "collector.db"
        self.database = Database(self.path, create=True)
        self.keeper = Keeper(self.database, self.keys)

    def send(self, *payloads, serial=SERIAL):
        return self.keeper.keep([Message(f"wallbox/{serial}/ledger", data) for data in payloads])

    def status(self, payload, retained=False):
        return self.keeper.keep([Message(f"wallbox/{SERIAL}/status", payload, retained)])

    def rows(self, table, *columns):
        with self.database.reading() as connection:
            return connection.execute(select(*columns) if columns else select(table)).all()

    def stored(self, serial=SERIAL):
        columns = record_table.c.sequence, record_table.c.data, record_table.c.box
        return {row[0]: row[1] for row in self.rows(record_table, *columns) if row[2] == serial}

    def set_aside(self):
        columns = quarantine.c.reason, quarantine.c.sequence, quarantine.c.data
        return [tuple(row) for row in self.rows(quarantine, *columns)]


@pytest.fixture
def operator(tmp_path):
    operator = Operator(tmp_path)
    yield operator
    operator.database.close()


def codes(kept):
    return [notice.code for notice in kept.notices]


def test_records_are_stored_byte_for_byte_and_acknowledged(operator):
    sent = Ledger(KEY).registers(40)
    kept = operator.send(*messages(sent))
    assert operator.stored() == {n + 1: data for n, data in enumerate(sent)}
    assert kept.acknowledgements[SERIAL] == acknowledgement(KEY, 40, sent[-1][-8:])
    assert codes(kept) == []


def test_what_is_set_aside_is_listed_for_machines(operator, tmp_path):
    operator.send(*messages(Ledger(KEY).registers(3)))
    operator.send(b"no record")
    words = ["ledger", "quarantine", "--database", str(operator.path), "--json"]
    (row,) = json.loads(CliRunner().invoke(app, words).stdout)["quarantine"]
    assert (row["box"], row["count"], row["data"]) == (SERIAL, 1, b"no record".hex())
    words = ["ledger", "accept-hole", SERIAL, "--database", str(operator.path), "--json"]
    assert json.loads(CliRunner().invoke(app, words).stdout)["hole_accepted"] is True
    assert operator.rows(boxes, boxes.c.hole_accepted) == [(1,)]


def test_the_acknowledgement_is_sequence_mac_and_a_keyed_hash(operator):
    (sent,) = Ledger(KEY).registers(1)
    message = operator.send(sent).acknowledgements[SERIAL]
    assert message[:12] == b"\x01\0\0\0" + sent[-8:]
    assert message[12:] == digest(KEY, b"ack" + message[:12]) and len(message) == 20


def test_what_comes_again_is_not_stored_again_but_acknowledged_again(operator):
    sent = Ledger(KEY).registers(10)
    first = operator.send(b"".join(sent))
    again = operator.send(b"".join(sent[2:5]), b"".join(sent))
    assert len(operator.stored()) == 10
    assert again.acknowledgements == first.acknowledgements
    assert [outcome.repeated for outcome in again.outcomes] == [3, 10]
    assert codes(again) == []


def test_a_hole_stops_the_acknowledgement_and_the_repeat_fills_it(operator):
    sent = Ledger(KEY).registers(10)
    operator.send(b"".join(sent[:4]))
    kept = operator.send(b"".join(sent[6:]), b"".join(sent[6:]))
    assert sorted(operator.stored()) == [1, 2, 3, 4]
    assert kept.acknowledgements[SERIAL] == acknowledgement(KEY, 4, sent[3][-8:])
    assert codes(kept) == ["hole"] and operator.set_aside() == []
    operator.send(b"".join(sent[4:]))
    assert len(operator.stored()) == 10


def test_a_mac_that_does_not_follow_is_quarantined_and_not_acknowledged(operator):
    sent = Ledger(KEY).registers(3)
    forged = Ledger(b"\xff" * 32)
    forged.sequence, forged.mac = 4, sent[-1][-8:]
    lie = forged.registers(1)[0]
    kept = operator.send(b"".join(sent), lie + lie)
    assert kept.acknowledgements[SERIAL][:4] == b"\x03\0\0\0"
    assert operator.set_aside() == [("mac", 4, lie)]
    assert codes(kept) == ["mac"] and kept.notices[0].level == "alarm"
    assert "record 4" in kept.notices[0].text and SERIAL == kept.notices[0].box


def test_evidence_that_comes_again_is_counted(operator):
    lie = Ledger(b"\xff" * 32).registers(1)[0]
    for _ in range(3):
        operator.send(lie)
    assert [row.count for row in operator.rows(quarantine)] == [3]


def test_the_same_sequence_with_other_bytes_is_an_alarm(operator):
    ledger = Ledger(KEY)
    sent = ledger.registers(3)
    operator.send(b"".join(sent))
    other = Ledger(KEY)
    other.sequence, other.mac = 3, sent[1][-8:]
    fork = other.registers(1, start_wh=5_000_000)[0]
    forged = fork[:-1] + bytes([fork[-1] ^ 1])
    kept = operator.send(fork, forged, ledger.registers(1)[0])
    assert [notice.level for notice in kept.notices] == ["alarm", "alarm"]
    assert ", signed with the box's key" in kept.notices[0].text
    assert "not signed with the box's key" in kept.notices[1].text
    assert operator.stored()[3] == sent[2] and len(operator.stored()) == 4


def test_a_box_that_begins_later_is_asked_for_the_beginning(operator):
    sent = Ledger(KEY).registers(5)
    kept = operator.send(b"".join(sent[1:]))
    assert kept.acknowledgements[SERIAL] == acknowledgement(KEY, 0, digest(KEY, b"wallbox ledger"))
    assert operator.stored() == {} and codes(kept) == ["hole"]
    assert "came after nothing" in kept.notices[0].text and "from 1" in kept.notices[0].text
    operator.send(b"".join(sent))
    assert len(operator.stored()) == 5


def test_a_chain_starts_later_if_all_before_was_acknowledged_and_a_second_record_proves_it(
    operator,
):
    first, second, third = Ledger(KEY, first_sequence=500).registers(3)
    operator.status(b'{"ledger":{"acknowledged":499}}')
    kept = operator.send(first)
    assert kept.acknowledgements[SERIAL][:4] == bytes(4) and operator.stored() == {}
    kept = operator.send(second + third)
    assert kept.acknowledgements[SERIAL] == acknowledgement(KEY, 502, third[-8:])
    assert sorted(operator.stored()) == [500, 501, 502]
    assert [(row.sequence, row.previous_sequence) for row in operator.rows(chain_starts)] == [
        (500, 0)
    ]
    assert codes(kept) == ["chain-start"] and "starts at 500" in kept.notices[0].text


def test_a_forged_start_does_not_keep_the_box_out(operator):
    operator.status(b'{"ledger":{"acknowledged":499}}')
    operator.send(Ledger(b"\xff" * 32, first_sequence=499).registers(1)[0])
    operator.send(b"".join(Ledger(KEY, first_sequence=500).registers(3)))
    assert sorted(operator.stored()) == [500, 501, 502]


def test_an_accepted_hole_begins_a_new_chain_and_is_recorded(operator):
    ledger = Ledger(KEY)
    operator.send(b"".join(ledger.registers(3)))
    ledger.registers(4)  # lost
    rest = b"".join(ledger.registers(3))
    assert codes(operator.send(rest)) == ["hole"]
    with operator.database.writing() as connection:
        connection.execute(boxes.update().values(hole_accepted=1))
    operator.send(rest)
    assert sorted(operator.stored()) == [1, 2, 3, 8, 9, 10]
    assert [(row.sequence, row.previous_sequence) for row in operator.rows(chain_starts)] == [
        (8, 3)
    ]
    assert codes(operator.send(b"".join(Ledger(KEY, 20).registers(2)))) == ["hole"]


def test_where_every_box_stands_is_known_also_of_a_box_that_never_sent(operator):
    operator.keys.create("WB-000002", b"\x02" * 32)
    sent = Ledger(KEY).registers(2)
    operator.send(*sent)
    genesis = digest(b"\x02" * 32, b"wallbox ledger")
    assert operator.keeper.acknowledgements() == {
        SERIAL: acknowledgement(KEY, 2, sent[-1][-8:]),
        "WB-000002": acknowledgement(b"\x02" * 32, 0, genesis),
    }


def test_a_box_without_a_key_is_refused_once_in_words(operator):
    record = Ledger(KEY).registers(1)[0]
    kept = operator.send(record, record, serial="WB-000002")
    assert kept.refused == 2 and "WB-000002" not in kept.acknowledgements
    assert codes(kept) == ["no-key"] and "WB-000002" in kept.notices[0].text
    assert operator.stored("WB-000002") == {} and operator.set_aside() == []
    operator.keys.create("WB-000002", KEY)
    assert operator.send(record, serial="WB-000002").acknowledgements


@pytest.mark.parametrize("topic", ["wallbox/../ledger", "wallbox/a b/ledger", "x/y", "wallbox//l"])
def test_a_topic_that_names_no_box(operator, topic):
    kept = operator.keeper.keep([Message(topic, Ledger(KEY).registers(1)[0])])
    assert kept.refused == 1 and operator.rows(record_table) == []


def test_what_is_no_record_is_quarantined_and_what_is_before_it_stored(operator):
    sent = Ledger(KEY).registers(2)
    kept = operator.send(sent[0] + sent[1][:-3], b"", b"\xff" * 5000)
    assert sorted(operator.stored()) == [1]
    assert codes(kept) == ["malformed", "oversized"]
    assert [reason for reason, _sequence, _data in operator.set_aside()] == codes(kept)


def test_quarantine_is_bounded(operator, monkeypatch):
    monkeypatch.setattr("host.collect.intake.QUARANTINE_ROWS_MAX", 5)
    operator.send(*(b"x%d" % n for n in range(9)))
    assert len(operator.set_aside()) == 5


def test_what_the_boxes_own_ledger_holds_is_taken_and_its_acknowledgement_believed(operator):
    ledger = StoredLedger(Partition(NorFlash(None, 65536), 0, 65536), KEY)
    ledger.mount()
    for number in range(1, 101):
        ledger.append(4, 3, 1, number * 900_000, BOOT_UTC_S, b"register", 8)
    buf = bytearray(1024)
    sequence = 1
    while True:
        end, _first, last = ledger.read_into(sequence, buf)
        if not end:
            break
        kept = operator.send(bytes(buf[:end]))
        assert codes(kept) == []
        sequence = last + 1
    assert len(operator.stored()) == sequence - 1 >= 100
    assert ledger.acknowledge_message(kept.acknowledgements[SERIAL])
    assert ledger.acknowledged == sequence - 1


def test_two_boxes_do_not_disturb_each_other(operator):
    operator.keys.create("WB-000002", b"\x02" * 32)
    one, two = Ledger(KEY), Ledger(b"\x02" * 32)
    operator.send(*one.registers(3))
    operator.send(*two.registers(2), serial="WB-000002")
    swapped = operator.send(*one.registers(1), serial="WB-000002")
    assert codes(swapped) == ["hole"]
    assert len(operator.stored()) == 3 and len(operator.stored("WB-000002")) == 2


def test_the_latest_status_of_a_box_is_kept(operator):
    status = operator.status
    status(b'{"online":true}')
    assert codes(status(b"[1]")) == codes(status(b"{" * 100_000)) + ["status"]
    (row,) = operator.rows(boxes)
    assert row.status == '{"online":true}' and row.status_at > 0
    with operator.database.writing() as connection:
        connection.execute(boxes.update().values(status_at=7))
    status(b'{"online":true}', retained=True)
    assert operator.rows(boxes)[0].status_at == 7
    status(b'{"online":false}', retained=True)
    assert operator.rows(boxes)[0].status == '{"online":false}'


@settings(max_examples=40)
@given(st.data())
def test_any_order_of_repeats_and_losses_ends_with_every_record_once(tmp_path_factory, data):
    operator = Operator(tmp_path_factory.mktemp("operator"))
    sent = Ledger(KEY).registers(12)
    highest = 0
    for _ in range(data.draw(st.integers(0, 12))):
        first = data.draw(st.integers(0, 11))
        count = data.draw(st.integers(1, 5))
        kept = operator.send(b"".join(sent[first : first + count]))
        acknowledged = int.from_bytes(kept.acknowledgements.get(SERIAL, bytes(4))[:4], "little")
        assert acknowledged >= highest
        highest = acknowledged
        assert sorted(operator.stored()) == list(range(1, highest + 1))
    operator.send(b"".join(sent[highest:]))
    assert operator.stored() == {n + 1: data for n, data in enumerate(sent)}
    assert operator.set_aside() == []
    operator.database.close()


@given(st.binary(max_size=300), st.integers(0, 400), st.integers(0, 255))
@settings(max_examples=60)
def test_bytes_from_anywhere_never_raise_and_are_never_stored(tmp_path_factory, junk, at, value):
    operator = Operator(tmp_path_factory.mktemp("operator"))
    sent = b"".join(Ledger(KEY).registers(8))
    mutated = bytearray(sent)
    mutated[at % len(sent)] = value
    operator.send(junk, bytes(mutated))
    for sequence, data in operator.stored().items():
        assert data in sent, f"record {sequence} was invented"
    operator.database.close()


def test_another_file_is_not_taken_for_the_database(tmp_path):
    with pytest.raises(DatabaseUnusable, match="no such database"):
        Database(tmp_path / "none.db")
    with pytest.raises(DatabaseUnusable, match="directory does not exist"):
        Database(tmp_path / "none" / "new.db", create=True)
    (tmp_path / "text").write_text("a letter, not a database" * 100)
    with pytest.raises(DatabaseUnusable, match="not a database"):
        Database(tmp_path / "text", create=True)
    import sqlite3

    with sqlite3.connect(tmp_path / "foreign.db") as foreign:
        foreign.execute("CREATE TABLE mine (x)")
    before = (tmp_path / "foreign.db").read_bytes()
    with pytest.raises(DatabaseUnusable, match="not a collector's database"):
        Database(tmp_path / "foreign.db", create=True)
    assert (tmp_path / "foreign.db").read_bytes() == before
    newer = Database(tmp_path / "newer.db", create=True)
    with newer.writing() as connection:
        connection.exec_driver_sql("PRAGMA user_version = 99")
    newer.close()
    with pytest.raises(DatabaseUnusable, match="newer version"):
        Database(tmp_path / "newer.db")
