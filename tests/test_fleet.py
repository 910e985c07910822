"""`wallbox fleet`: simulated boxes whose ledgers reach a real collector and verify."""

from __future__ import annotations

import json
import random
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import select
from typer.testing import CliRunner

from host.cli import app
from host.collect.broker import BrokerSettings
from host.collect.collector import Collector
from host.collect.database import Database, quarantine, records
from host.fleet.box import Tally, box_key
from host.fleet.chain import RecordChain
from host.fleet.fleet import BEGIN_UTC_S, Fleet, Plan
from host.fleet.life import DAY_S, RECORDS_A_DAY, Life
from host.fleet.tally import Delays
from host.fleet.wire import Entrance
from host.keys import KeyStore
from host.ledger.entries import entry
from host.ledger.verify.books import Books
from host.records import follows, split
from hw.sim.ports import free_port
from tests.certificates import Authority

KEY = bytes(range(32))
ROOT = Path(__file__).parents[1]
NOWHERE = Entrance("localhost", 1, socket.AF_INET, ("127.0.0.1", 1), None)


class Operator:
    def __init__(self, broker, folder, plan: Plan) -> None:
        self.settings = BrokerSettings(broker.host, broker.port)
        (folder / "keys").mkdir(mode=0o700, exist_ok=True)
        self.keys = KeyStore(folder / "keys")
        for index in range(plan.boxes):
            serial = plan.serial(index)
            self.keys.create(serial, box_key(plan.fleet_key, serial))
        self.path = folder / "collector.db"
        self.database = Database(self.path, create=True)

    def __enter__(self) -> Operator:
        self.collector = Collector(self.settings, self.database, self.keys)
        self.collector.start()
        assert self.collector.wait_connected(60)
        return self

    def __exit__(self, *_exception: object) -> None:
        self.collector.stop()

    def stored(self) -> dict[tuple[str, int], bytes]:
        with self.database.reading() as connection:
            assert not connection.execute(select(quarantine)).all()
            query = select(records.c.box, records.c.sequence, records.c.data)
            return {(row.box, row.sequence): row.data for row in connection.execute(query)}


def live(folder, broker, **more) -> tuple[dict, Fleet]:
    plan = Plan(fleet_key=KEY, **{"boxes": 50, "duration_s": 3, "speed": 1800, **more})
    with Operator(broker, folder, plan) as operator:
        fleet = Fleet(plan, Entrance.find(operator.settings))
        assert fleet.run(), fleet.told()
        stored = operator.stored()
    operator.database.close()
    return stored, fleet


def test_all_that_fifty_boxes_write_is_stored_once_and_verifies(mosquitto, tmp_path):
    stored, fleet = live(tmp_path, mosquitto)
    told = fleet.told()
    assert told["records"] == told["acknowledged"] == len(stored) >= 50 * 8
    assert {box for box, _ in stored} == {fleet.plan.serial(index) for index in range(50)}
    assert told["puback"]["count"] and told["delivered"]["p99_ms"] > 0
    verified = CliRunner().invoke(
        app, ["ledger", "verify", str(tmp_path / "collector.db"), "--keys", str(tmp_path / "keys")]
    )
    assert verified.exit_code == 0, verified.output[-2000:]


def test_the_same_seed_writes_the_same_records_and_another_seed_others(mosquitto, tmp_path):
    first, _ = live(tmp_path, mosquitto, boxes=8, duration_s=2)
    (tmp_path / "again").mkdir()
    again, _ = live(tmp_path / "again", mosquitto, boxes=8, duration_s=2, prefix="FLEET")
    both = first.keys() & again.keys()
    assert len(both) >= 8 * 8
    assert all(first[name] == again[name] for name in both)
    (tmp_path / "other").mkdir()
    other, _ = live(tmp_path / "other", mosquitto, boxes=8, duration_s=2, seed=2)
    assert all(first[name] != other[name] for name in first.keys() & other.keys())


def test_a_storm_loses_nothing(mosquitto, tmp_path):
    stored, fleet = live(tmp_path, mosquitto, storm_s=1.0)
    assert fleet.storms >= 2 and fleet.tally.connected > 100
    assert len(stored) == fleet.tally.records


def test_a_broker_that_goes_away_loses_nothing(mosquitto, tmp_path):
    stopped: list[object] = []

    def look(fleet: Fleet) -> bool:
        if fleet.elapsed_s > 1.5 and not stopped:
            stopped.append(mosquitto.kill())
            mosquitto.start()
        return True

    plan = Plan(20, KEY, speed=1800, duration_s=3)
    with Operator(mosquitto, tmp_path, plan) as operator:
        fleet = Fleet(plan, Entrance.find(operator.settings))
        assert fleet.run(lambda: look(fleet)), fleet.told()
        assert stopped and fleet.tally.lost >= 20
        assert len(operator.stored()) == fleet.tally.records


def test_boxes_over_tls_trust_the_authority_alone(mosquitto, tmp_path):
    authority = Authority(tmp_path)
    certificate, key = authority.issue("broker")
    tls = [f"cafile {authority.ca_file}", f"certfile {certificate}", f"keyfile {key}"]
    mosquitto.reconfigure(lines=[*tls, "require_certificate true"])
    own = dict(zip(("certificate_file", "key_file"), authority.issue("boxes"), strict=True))
    settings = BrokerSettings(
        mosquitto.host, mosquitto.port, tls=True, ca_file=authority.ca_file, **own
    )
    plan = Plan(5, KEY, speed=900, duration_s=1, drain_s=30, operator=False)
    fleet = Fleet(plan, Entrance.find(settings))
    assert fleet.run() and fleet.tally.connected == 5 and fleet.messages >= 5
    foreign = Fleet(
        Plan(2, KEY, duration_s=1, drain_s=0, operator=False),
        Entrance.find(BrokerSettings(mosquitto.host, mosquitto.port, tls=True)),
    )
    assert not foreign.run() and not foreign.tally.connected


def test_the_life_of_a_box_adds_up_and_has_the_shape_it_should():
    """A year of one box: books balance, about so many records and sessions a day."""
    life = Life(random.Random("1 FLEET-000001"), BEGIN_UTC_S)
    chain, found, before = RecordChain(KEY), [], None
    for one in life.story():
        if one.at_s > BEGIN_UTC_S + 365 * DAY_S:
            break
        for fact in one.facts:
            (record,) = split(chain.fact(fact, 3 * one.known, life.boot, 0, int(one.at_s)))
            assert before is None or follows(KEY, before.mac, record)
            before = record
            found.append(entry("FLEET-000001", record))
    books = Books(complete=True)
    assert all(books.watch(found)) and not books.mismatches
    kinds = [one.kind for one in found]
    assert 200 < kinds.count("SESSION_END") < 315  # 0.7 a day
    assert kinds.count("SESSION_BEGIN") - kinds.count("SESSION_END") in (0, 1)
    assert 2 < kinds.count("BOOT") < 16 and 15 < kinds.count("ABSENCE_END") < 80
    assert abs(len(found) / 365 - RECORDS_A_DAY) < 15
    seconds = [one.utc_s - one.fields["end_utc_s"] for one in found if one.kind == "INTERVAL"
               and not one.fields["flags"]]
    assert min(seconds) >= 0 and max(seconds) <= 3


def test_percentiles_are_those_of_what_was_added():
    delays = Delays()
    for ms in range(1, 1001):
        delays.add(ms)
    assert delays.percentile(50) == pytest.approx(500, rel=0.06)
    assert delays.percentile(99) == pytest.approx(990, rel=0.06)
    assert Delays().percentile(50) is None and Tally().puback.told()["longest_ms"] is None


def test_the_command(mosquitto, tmp_path):
    keys = tmp_path / "keys"
    at = ["--broker", mosquitto.host, "--port", str(mosquitto.port), "--keys", str(keys)]
    few = ["fleet", "--boxes", "5", "--duration", "2", "--speed", "900", "--json", *at]
    done = CliRunner().invoke(app, [*few, "--no-operator"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["messages"] >= 5 and told["acknowledged"] == 0 and told["delivered_all"]
    assert (keys / "FLEET-000005.key").stat().st_mode & 0o777 == 0o600
    assert CliRunner().invoke(app, [*few, "--drain", "0.5"]).exit_code == 5
    nobody = ["fleet", "--boxes", "2", "--duration", "1", "--drain", "0", "--keys", str(keys)]
    nobody += ["--broker", mosquitto.host, "--port", str(free_port())]
    absent = CliRunner().invoke(app, nobody)
    assert absent.exit_code == 3 and "cannot be entered: ECONNREFUSED" in absent.stderr
    plain = CliRunner().invoke(app, [*few, "--drain", "0", "--tls", "--no-operator"])
    assert plain.exit_code == 3 and "no TLS with it" in plain.stderr
    lost = CliRunner().invoke(app, [*few, "--keys", str(tmp_path / "no" / "keys")])
    assert lost.exit_code == 4 and "cannot be made" in lost.stderr
    path = tmp_path / "wallbox.psk"
    assert CliRunner().invoke(app, [*few, "--psk-file", str(path)]).exit_code == 0
    assert path.read_text().startswith("FLEET-000001:") and len(path.read_text()) == 5 * 78


def test_ctrl_c_says_what_had_not_arrived_and_nothing_of_the_broker(mosquitto, tmp_path):
    words = ["fleet", "--boxes", "20", "--duration", "600", "--speed", "900", "--json"]
    words += ["--broker", mosquitto.host, "--port", str(mosquitto.port), "--keys", str(tmp_path)]
    command = [sys.executable, "-m", "host.cli", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        assert running.stderr and b"connected" in running.stderr.readline()
        running.send_signal(signal.SIGINT)
        told, said = running.communicate(timeout=60)
    assert running.returncode == 130 and b"stopped; " in said and b"broker" not in said
    assert json.loads(told)["backlog"] == int(said.split()[-6])


def test_the_status_has_each_member_that_a_box_has():
    fleet = Fleet(Plan(1, KEY), NOWHERE)
    status = json.loads(fleet.boxes[0]._status())
    table = (ROOT / "docs/mqtt.md").read_text().split("## Status")[1].split("## ")[0]
    named = {
        name for row in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE)
        for name in re.findall(r"`(\w+)`", row)
    }
    assert named == set(status)
    assert 700 < len(fleet.boxes[0]._status()) < 2048
