"""The collector against a real broker: nothing lost or doubled, nothing acknowledged early."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from sqlalchemy import event, func, select
from typer.testing import CliRunner

from host.cli import app
from host.collect.collector import BrokerSettings, Collector
from host.collect.database import Database, quarantine, records
from host.keys import KeyStore
from host.records import acknowledgement
from hw.sim.ports import free_port
from tests.boxes import Ledger, messages
from tests.mosquitto import wait_until

SERIAL = "WB-000001"
KEY = bytes(range(32))


class Box:
    """The box's place on the broker: publishes ledger messages, hears acknowledgements."""

    def __init__(self, broker, serial=SERIAL):
        self.serial = serial
        self.heard = []
        self.client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=serial)
        self.published = set()
        self.client.on_publish = lambda client, data, mid, *_: self.published.add(mid)
        self.client.reconnect_delay_set(1, 1)
        self.client.on_message = lambda client, data, message: self.heard.append(message.payload)
        subscribed = threading.Event()
        self.client.on_subscribe = lambda *_: subscribed.set()
        self.client.on_connect = lambda client, *_: client.subscribe(f"wallbox/{serial}/ack", 1)
        self.client.connect(broker.host, broker.port)
        self.client.loop_start()
        assert subscribed.wait(10)

    def send(self, *payloads):
        topic = f"wallbox/{self.serial}/ledger"
        sent = {self.client.publish(topic, payload, qos=1).mid for payload in payloads}
        wait_until(lambda: sent <= self.published, what="PUBACKs")

    @property
    def acknowledged(self):
        return max((int.from_bytes(heard[:4], "little") for heard in self.heard), default=-1)

    def close(self):
        self.client.disconnect()
        self.client.loop_stop()


class Operator:
    def __init__(self, broker, directory):
        self.settings = BrokerSettings(broker.host, broker.port)
        self.directory = directory
        (directory / "keys").mkdir(mode=0o700)
        self.keys = KeyStore(directory / "keys")
        self.keys.create(SERIAL, KEY)
        self.path = directory / "collector.db"
        self.database = Database(self.path, create=True)
        self.notices = []

    def collector(self, **more):
        return Collector(
            self.settings, self.database, self.keys, self.notices.append, retry_s=0.1, **more
        )

    def stored(self):
        with self.database.reading() as connection:
            rows = connection.execute(select(records.c.sequence, records.c.data)).all()
        return dict(rows)

    def codes(self):
        return [notice.code for notice in self.notices]


@pytest.fixture
def operator(mosquitto, tmp_path):
    operator = Operator(mosquitto, tmp_path)
    yield operator
    operator.database.close()


@pytest.fixture
def box(mosquitto):
    box = Box(mosquitto)
    yield box
    box.close()


def expected(sent):
    return {n + 1: data for n, data in enumerate(sent)}


def test_records_are_stored_and_the_box_hears_it(operator, box):
    sent = Ledger(KEY).registers(200)
    with operator.collector() as collector:
        assert collector.wait_connected(10)
        box.send(*messages(sent))
        wait_until(lambda: box.acknowledged == 200)
    assert operator.stored() == expected(sent)
    assert box.heard[-1] == acknowledgement(KEY, 200, sent[-1][-8:])
    assert collector.counters.stored == 200 and collector.counters.repeated == 0


def test_it_says_where_it_stands_whenever_it_connects(operator, box):
    sent = Ledger(KEY).registers(5)
    with operator.collector():
        wait_until(lambda: box.acknowledged == 0)  # nothing yet: a box sends from its beginning
        box.send(*sent)
        wait_until(lambda: box.acknowledged == 5)
    box.heard.clear()
    with operator.collector():
        wait_until(lambda: box.heard)
    assert box.heard[0] == acknowledgement(KEY, 5, sent[-1][-8:])


def test_what_was_sent_while_it_was_away_comes_later(operator, box):
    sent = Ledger(KEY).registers(300)
    with operator.collector() as collector:
        assert collector.wait_connected(10)
    box.send(*messages(sent[:150]))
    with operator.collector():
        box.send(*messages(sent[150:]))
        wait_until(lambda: box.acknowledged == 300)
    assert operator.stored() == expected(sent)


def test_the_broker_goes_and_comes_back(operator, mosquitto, box):
    sent = Ledger(KEY).registers(90)
    with operator.collector() as collector:
        assert collector.wait_connected(10)
        for part in range(3):
            box.send(*messages(sent[30 * part : 30 * part + 30]))
            mosquitto.restart()
        wait_until(lambda: len(operator.stored()) == 90, 30)
    assert operator.stored() == expected(sent)
    assert operator.codes().count("disconnected") >= 1


def test_killed_at_any_moment_it_loses_and_doubles_nothing(operator, mosquitto, box):
    """The real command, ended by SIGKILL between and inside its transactions."""
    sent = Ledger(KEY).registers(1500)
    packed = messages(sent, 200)
    command = [
        *(sys.executable, "-m", "host.cli", "collect", "--broker", mosquitto.host),
        *("--port", str(mosquitto.port), "--database", str(operator.path)),
        *("--keys", str(operator.keys.directory)),
    ]
    with operator.collector() as collector:  # makes the broker's session
        assert collector.wait_connected(10)
    for part in range(4):
        before = len(operator.stored())
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        size = len(packed) // 4 + 1
        box.send(*packed[part * size : part * size + size])
        wait_until(lambda before=before: len(operator.stored()) > before, 20)
        process.kill()
        process.wait()
    with operator.collector():
        wait_until(lambda: box.acknowledged == 1500, 20)
    assert operator.stored() == expected(sent)


def test_a_full_disk_acknowledges_nothing_and_goes_on_when_there_is_room(operator, box):
    pages = {"max": 0}

    def limit(connection, _record, _proxy):
        if pages["max"]:
            connection.execute(f"PRAGMA max_page_count = {pages['max']}")

    event.listen(operator.database.engine, "checkout", limit)
    sent = Ledger(KEY).registers(600)
    with operator.collector() as collector:
        assert collector.wait_connected(10)
        with operator.database.reading() as connection:
            used = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        pages["max"] = used + 4
        box.send(*messages(sent))
        wait_until(lambda: "database" in operator.codes(), what="the alarm")
        wait_until(collector_is_back(operator, 3), what="three tries")
        assert box.acknowledged <= len(operator.stored()) < 600
        pages["max"] = 1_000_000
        wait_until(lambda: box.acknowledged == 600, 20)
    assert operator.stored() == expected(sent)
    alarms = [notice.text for notice in operator.notices if notice.code == "database"]
    assert alarms[-1] == "the database takes records again"
    assert "no room left" in alarms[0] and str(operator.path) in alarms[0]
    assert "\n" not in alarms[0]


def collector_is_back(operator, times):
    return lambda: operator.codes().count("connected") > times


def test_a_forged_record_is_set_aside_and_holds_nobody_else_up(operator, mosquitto, box):
    operator.keys.create("WB-000002", b"\x02" * 32)
    other = Box(mosquitto, "WB-000002")
    with operator.collector() as collector:
        assert collector.wait_connected(10)
        box.send(*Ledger(b"\xff" * 32).registers(30))
        other.send(*Ledger(b"\x02" * 32).registers(30))
        wait_until(lambda: other.acknowledged == 30)
        wait_until(lambda: collector.counters.refused == 30)
    other.close()
    assert box.acknowledged == 0
    with operator.database.reading() as connection:
        assert connection.execute(select(func.count()).select_from(quarantine)).scalar() == 1
    assert [notice.box for notice in operator.notices if notice.level == "alarm"] == [SERIAL]


def test_a_box_without_a_key_hears_nothing_until_it_has_one(operator, mosquitto):
    unknown = Box(mosquitto, "WB-000009")
    record = Ledger(KEY).registers(1)[0]
    with operator.collector() as collector:
        assert collector.wait_connected(10)
        unknown.send(record)
        wait_until(lambda: "no-key" in operator.codes())
        assert unknown.heard == []
        operator.keys.create("WB-000009", KEY)
        unknown.send(record)
        wait_until(lambda: unknown.acknowledged == 1)
    unknown.close()


def test_a_wrong_password_is_said_with_what_to_do(operator, mosquitto):
    mosquitto.reconfigure(users={"operator": "right"})
    operator.settings = BrokerSettings(
        mosquitto.host, mosquitto.port, user="operator", password="wrong"
    )
    with operator.collector() as collector:
        assert collector.wait_settled(10)
        assert not collector.connected
        assert "refuses" in collector.refusal and "--password-file" in collector.refusal
        assert "wrong" not in collector.refusal
    operator.settings = BrokerSettings(
        mosquitto.host, mosquitto.port, user="operator", password="right"
    )
    with operator.collector() as collector:
        assert collector.wait_connected(10)


def test_a_broker_that_is_not_there_is_said_once_and_tried_again(operator, mosquitto):
    mosquitto.stop()
    with operator.collector() as collector:
        assert collector.wait_settled(10)
        assert f"no broker at {mosquitto.host}:{mosquitto.port}" in collector.refusal
        mosquitto.start()
        assert collector.wait_connected(20)
    assert operator.codes().count("refused") == 1


def test_a_rush_of_statuses_keeps_no_record_waiting(operator, box, monkeypatch):
    """The network goes on while the database works; of messages that nobody keeps, some go by."""
    monkeypatch.setattr("host.collect.collector.QUEUE_MESSAGES_MAX", 30)
    sent = Ledger(KEY).registers(5)
    held = threading.Event()
    collector = operator.collector()
    keep = collector._keeper.keep
    collector._keeper.keep = lambda taken: held.wait(30) and keep(taken)
    with collector:
        assert collector.wait_connected(10)
        for number in range(300):
            box.client.publish(f"wallbox/{SERIAL}/status", f'{{"uptime_ms":{number}}}')
        wait_until(lambda: collector.counters.passed_over > 100)
        box.send(*sent)
        held.set()
        wait_until(lambda: box.acknowledged == 5)
    assert operator.stored() == expected(sent)


def test_an_error_of_our_own_ends_it_loudly(operator, box, monkeypatch):
    def broken(*_):
        raise AssertionError("a bug")

    monkeypatch.setattr("host.collect.keeper.Intake", broken)
    collector = operator.collector()
    collector.start()
    assert collector.wait_connected(10)
    box.send(b"x")
    wait_until(lambda: not collector.running)
    with pytest.raises(AssertionError, match="a bug"):
        collector.stop()


def run(*arguments, **more):
    return subprocess.run(
        [sys.executable, "-m", "host.cli", "collect", *arguments],
        capture_output=True,
        text=True,
        timeout=30,
        env={**os.environ, "NO_COLOR": "1", "COLUMNS": "200", **more},
    )


def test_the_command_drains_once(operator, mosquitto, box, tmp_path):
    mosquitto.reconfigure(users={"operator": "secret word", SERIAL: "x"})
    password = tmp_path / "password"
    password.write_text("secret word\nwhat follows is no part of it\n")
    password.chmod(0o600)
    common = [
        *("--broker", mosquitto.host, "--port", str(mosquitto.port), "--once", "--json"),
        *("--database", str(tmp_path / "new.db"), "--keys", str(operator.keys.directory)),
        *("--user", "operator", "--password-file", str(password)),
    ]
    done = run(*common)
    assert done.returncode == 0, done.stderr
    assert '"code": "connected"' in done.stdout
    assert "secret" not in done.stdout + done.stderr
    password.write_text("wrong")
    done = run(*common)
    assert done.returncode == 3 and "refuses" in done.stderr and done.stderr.count("\n") == 1


def test_the_command_ends_on_a_signal_with_a_sum(operator, mosquitto):
    command = [
        *(sys.executable, "-u", "-m", "host.cli", "collect", "--broker", mosquitto.host),
        *("--port", str(mosquitto.port), "--keys", str(operator.keys.directory)),
        *("--database", str(operator.path)),
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    line = process.stdout.readline()
    assert "connected" in line
    process.send_signal(signal.SIGTERM)
    rest = process.communicate(timeout=20)[0]
    assert process.returncode == 0 and "0 records stored" in rest


def test_the_command_explains_what_is_missing(operator, tmp_path):
    keys = ("--keys", str(operator.keys.directory))
    place = ("--broker", "127.0.0.1", "--port", str(free_port()))
    database = ("--database", str(tmp_path / "a.db"))
    for arguments, code, text in (
        ((*place, *database, "--keys", str(tmp_path / "none")), 4, "no such key store"),
        ((*place, *keys, "--database", str(Path("/none/a.db"))), 4, "directory does not exist"),
        ((*place, *keys, *database, "--once"), 3, "no broker at"),
        ((*place, *keys, *database, "--user", "a"), 2, "--password-file"),
        (("--broker", "broker.example", *keys, *database), 2, "broker.example: add --tls"),
        ((*place, *keys, *database, "--user", "a", "--password-file", "/none"), 4, "/none"),
        ((*place, *keys, *database, "--tls", "--ca-file", "/none"), 4, "/none"),
    ):
        done = CliRunner(env={"COLUMNS": "200"}).invoke(app, ["collect", *arguments])
        assert done.exit_code == code, (arguments, done.output)
        assert text in done.stderr, (arguments, done.output)
