"""`wallbox republish`: a log's ledger reaches a real collector through a real broker, once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sqlalchemy import select, update
from typer.testing import CliRunner
from wallbox.core import decisions

from host.cli import app
from host.collect.broker import BrokerSettings
from host.collect.collector import Collector
from host.collect.database import Database, quarantine, records
from host.collect.intake import Intake
from host.keys import KeyStore
from host.replay.command import place_of
from host.replay.field_log import FieldLog, Origin, write_log
from host.replay.publish import CannotPublish, moments, republish
from hw.sim.ports import free_port
from tests.boxes import Ledger
from tests.mosquitto import wait_until

SERIAL = "WB-000001"
KEY = bytes(range(32))


def log_of(count: int = 500) -> FieldLog:
    ledger = Ledger(KEY)
    ledger.fact(decisions.METER, 1_000_000, 4711, b"maker|model|1")
    ledger.registers(count - 1)
    return FieldLog(Origin(SERIAL), ledger=ledger.records)


class Operator:
    """A collector with the box's key, and its database."""

    def __init__(self, broker, folder: Path) -> None:
        self.settings = BrokerSettings(broker.host, broker.port)
        (folder / "keys").mkdir(mode=0o700)
        self.keys = KeyStore(folder / "keys")
        self.keys.create(SERIAL, KEY)
        self.path = folder / "collector.db"
        self.database = Database(self.path, create=True)

    def __enter__(self) -> Operator:
        self.collector = Collector(self.settings, self.database, self.keys)
        self.collector.start()
        assert self.collector.wait_connected(60)
        return self

    def __exit__(self, *_exception: object) -> None:
        self.collector.stop()

    def stored(self) -> list[bytes]:
        with self.database.reading() as connection:
            assert not connection.execute(select(quarantine)).all()
            query = select(records.c.data).order_by(records.c.sequence)
            return list(connection.execute(query).scalars())


@pytest.fixture
def operator(mosquitto, tmp_path):
    with Operator(mosquitto, tmp_path) as operator:
        yield operator


@pytest.mark.parametrize("packed", (True, False))
def test_everything_is_stored_once_and_acknowledged(operator, packed):
    log = log_of()
    told = []
    outcome = republish(
        log, operator.settings, KEY, progress=lambda *at: told.append(at), packed=packed
    )
    assert outcome.complete and outcome.acknowledged == outcome.last == 500
    assert outcome.connections == 1 and outcome.resent == 0
    assert told[-1] == (500, 500)
    assert operator.stored() == log.ledger
    assert operator.collector.counters.repeated == 0


def test_again_it_ends_at_once_since_the_operator_has_everything(operator):
    log = log_of(50)
    republish(log, operator.settings, KEY)
    assert republish(log, operator.settings, KEY).complete
    assert operator.stored() == log.ledger


def test_a_ledger_whose_beginning_the_box_has_freed_begins_a_chain(operator):
    log = log_of(50)
    log.ledger = log.ledger[10:]
    assert republish(log, operator.settings, KEY).complete
    assert operator.stored() == log.ledger


def test_the_records_own_times_set_the_pace(operator):
    log = log_of(4)  # a minute each
    outcome = republish(log, operator.settings, KEY, speed=120)
    assert outcome.complete and outcome.lasted_s >= 1.5


def test_what_is_missing_is_told(operator):
    log = log_of(60)
    del log.ledger[30]
    outcome = republish(log, operator.settings, KEY, wait_s=3)
    assert not outcome.complete and outcome.acknowledged == 30
    assert outcome.records_per_s == 30 / outcome.lasted_s, "those that were acknowledged"


def test_a_broker_that_goes_away_meanwhile(operator, mosquitto):
    log, stopped = log_of(3000), []

    def progress(_released: int, acknowledged: int) -> None:
        if acknowledged > 100 and not stopped:
            stopped.append(mosquitto.stop())
            mosquitto.start()

    outcome = republish(log, operator.settings, KEY, progress=progress, packed=False)
    assert stopped and outcome.complete and outcome.connections >= 2
    wait_until(lambda: operator.stored() == log.ledger, what="all records")


def test_refusals_in_one_line(mosquitto):
    settings = BrokerSettings(mosquitto.host, mosquitto.port)
    with pytest.raises(CannotPublish, match="not signed with the key"):
        republish(log_of(5), settings, bytes(32))
    with pytest.raises(CannotPublish, match="no ledger"):
        republish(FieldLog(Origin(SERIAL)), settings, KEY)
    nobody = BrokerSettings(mosquitto.host, free_port())
    with pytest.raises(CannotPublish, match="no broker at"):
        republish(log_of(5), nobody, KEY, wait_s=1)


def test_a_boot_that_learns_the_time_late_is_placed_by_it():
    ledger = Ledger(KEY)
    ledger.registers(2)
    ledger.restart(ledger.boot_utc_s + 3600)
    ledger.registers(1)
    ledger.clock_set = True
    ledger.registers(1)
    assert moments(ledger.records) == [0, 60, 3600, 3660]


def test_the_command(operator, tmp_path):
    path = tmp_path / "a.log"
    write_log(path, log_of(100))
    options = ["--broker", operator.settings.host, "--port", str(operator.settings.port)]
    options += ["--keys", str(operator.keys.directory), "--json"]
    done = CliRunner().invoke(app, ["republish", str(path), *options])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["complete"] and told["acknowledged"] == 100 and told["box"] == SERIAL
    again = ["republish", str(operator.path), "--box", SERIAL, *options]
    assert CliRunner().invoke(app, again).exit_code == 0  # out of the collector's own database
    again = ["replay", str(path), "--publish", f"127.0.0.1:{operator.settings.port}", "--json"]
    told = CliRunner().invoke(app, again, env={"WALLBOX_KEYS": str(operator.keys.directory)})
    assert told.exit_code == 0 and json.loads(told.stdout)["complete"]
    assert CliRunner().invoke(app, ["republish", str(path), "--speed", "fast"]).exit_code == 2
    for wrong in (["--publish", "localhost", "--rev", "HEAD"], ["--speed", "60x"]):
        assert CliRunner().invoke(app, ["replay", str(path), *wrong]).exit_code == 2
    for address in ("::1", "[::1]", "[::1]:1883"):
        no_keys = CliRunner().invoke(app, ["replay", str(path), "--publish", address])
        assert no_keys.exit_code == 4 and "no such key store" in no_keys.stderr
    verified = CliRunner().invoke(
        app, ["ledger", "verify", str(operator.path), "--keys", str(operator.keys.directory)]
    )
    assert verified.exit_code == 0, verified.output


def test_a_broker_with_and_without_its_port():
    places = {
        "localhost": ("localhost", ""), "localhost:1883": ("localhost", "1883"),
        "::1": ("::1", ""), "[::1]": ("::1", ""), "[::1]:1883": ("::1", "1883"),
        "fe80::1:1883": ("fe80::1:1883", ""), "127.0.0.1:x": ("127.0.0.1", "x"),
    }  # fmt: skip
    assert {text: place_of(text) for text in places} == places


def test_what_cannot_be_read_is_said_as_elsewhere(tmp_path):
    for path, why in ((tmp_path, "Is a directory"), (tmp_path / "no", "No such file or directory")):
        done = CliRunner().invoke(app, ["republish", str(path)])
        assert done.exit_code == 4
        assert done.stderr == f"wallbox: {path}: cannot be read: {why}; name another file\n"


FIFTH, SIXTH = log_of(6).ledger[4:]
DAMAGED = {
    "nothing": b"",
    "two bytes": b"\1\2",
    "zeros": bytes(len(FIFTH)),
    "a flipped bit": FIFTH[:20] + bytes([FIFTH[20] ^ 4]) + FIFTH[21:],
    "another record": SIXTH,
}


@pytest.mark.parametrize("data", DAMAGED.values(), ids=DAMAGED)
def test_a_database_with_a_damaged_record_is_refused(tmp_path, data):
    database = Database(tmp_path / "collector.db", create=True)
    with database.writing() as connection:
        Intake(connection, SERIAL, KEY).take(b"".join(log_of(6).ledger))
        connection.execute(update(records).where(records.c.sequence == 5).values(data=data))
    database.close()
    (tmp_path / "keys").mkdir(mode=0o700)
    KeyStore(tmp_path / "keys").create(SERIAL, KEY)
    words = ["republish", str(database.path), "--box", SERIAL, "--keys", str(tmp_path / "keys")]
    done = CliRunner().invoke(app, [*words, "--port", str(free_port())])
    assert done.exit_code == 4 and f"record 5 of {SERIAL} is damaged" in done.stderr
