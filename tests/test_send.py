"""`wallbox send` over a real broker, to a box that believes and answers by the page."""

# ruff: noqa: F811 - fixtures are imported by name

import json
import re
import stat
import subprocess
import sys
import threading
import time

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from typer.testing import CliRunner

from host.cli import app
from host.collect.broker import BrokerSettings
from host.send.counter import Counter
from host.send.sender import Sender
from hw.sim.ports import free_port
from tests.answering_box import AnsweringBox
from tests.mosquitto import wait_until
from tests.send_fixtures import KEY, SERIAL, UID, box, keys, send  # noqa: F401


def counter_file(keys):
    return keys.directory / f"{SERIAL}.counter"


def test_an_order_is_taken_and_its_answer_told(send, box, keys):
    began = int(time.time())
    done = send("stop", "--session", "7")
    assert done.exit_code == 0 and done.stdout == f"{SERIAL} stop: Accepted\n", done.output
    (command,) = box.taken
    assert command["verb"] == "stop" and command["with"] == {"session": 7}
    assert began <= command["counter"] <= time.time()
    assert began - 60 <= command["from_utc_s"] <= time.time() - 60
    assert command["until_utc_s"] == command["from_utc_s"] + 660
    assert counter_file(keys).read_text() == f"{command['counter']}\n"
    assert stat.S_IMODE(counter_file(keys).stat().st_mode) == 0o600


def test_json_for_machines(send, box):
    box.answers["reboot"] = ("Scheduled", "within 3 s")
    done = send("reboot", "--json")
    counter = box.taken[0]["counter"]
    assert json.loads(done.stdout) == {
        "box": SERIAL, "counter": counter, "verb": "reboot", "status": "Scheduled",
        "info": "within 3 s",
    }


@pytest.mark.parametrize("status", ["Rejected", "Failed", "VersionMismatch", "NotSupported"])
def test_what_the_box_refuses(send, box, status):
    box.answers["seal"] = (status, "a loop is open")
    done = send("seal", "4711")
    assert done.exit_code == 1
    assert done.stdout == f"{SERIAL} seal: {status}: a loop is open\n"


def test_two_commands_in_one_second_have_numbers_that_rise(send, box):
    for _ in range(3):
        assert send("stop").exit_code == 0
    numbers = [command["counter"] for command in box.taken]
    assert numbers == sorted(set(numbers))


def test_many_senders_at_once_reach_the_box_in_order(send, box, mosquitto, keys):
    command = [
        *(sys.executable, "-m", "host.cli", "send", SERIAL, "stop", "--keys", str(keys.directory)),
        *("--broker", mosquitto.host, "--port", str(mosquitto.port)),
    ]
    running = [subprocess.Popen(command, stdout=subprocess.DEVNULL) for _ in range(4)]
    assert [process.wait(60) for process in running] == [0] * 4
    assert len(box.taken) == len(box.messages) == 4


def test_a_box_that_has_taken_a_higher_number_says_it(send, box, keys):
    box.counter = 4_000_000_000
    assert send("stop").exit_code == 0
    assert [command["counter"] for command in box.taken] == [4_000_000_001]
    assert len(box.messages) == 2
    assert send("stop").exit_code == 0, "and it is remembered"
    assert len(box.messages) == 3


def test_a_box_whose_number_cannot_rise_is_asked_twice_and_no_more(send, box):
    box.counter = 0xFFFFFFFE
    assert send("stop").exit_code == 0
    done = send("stop")
    assert done.exit_code == 4 and "no number is left" in done.stderr


def test_nobody_answers(send, mosquitto):
    done = send("stop", "--wait", "1", "--valid-for", "2h")
    assert done.exit_code == 5 and done.stderr.count("\n") == 1
    assert "no answer within 1 s; no status of it" in done.stderr
    until = time.strftime("%Y-%m-%d", time.gmtime(time.time() + 7200))
    assert until[:4] in done.stderr and f"wallbox send {SERIAL} status" in done.stderr


def test_a_box_that_is_offline_gets_the_command_later(send, box, mosquitto):
    box.client.publish(box.topic("status"), '{"online":false}', retain=True).wait_for_publish(10)
    box.close()
    done = send("block-tag", "--uid-file", "uid.txt", "--wait", "1")
    assert done.exit_code == 5 and "it is offline, its status says" in done.stderr
    later = AnsweringBox(mosquitto, SERIAL, KEY)
    wait_until(lambda: later.taken)
    later.close()
    (command,) = later.taken
    assert command["until_utc_s"] == command["from_utc_s"] + 31 * 86_400


def test_a_forged_answer_is_ignored_and_told(send, box):
    box.forged = b"\xff" * 32
    done = send("stop")
    assert done.exit_code == 0 and done.stdout == f"{SERIAL} stop: Accepted\n"
    assert f"a reply in the name of {SERIAL} is ignored: its MAC is wrong" in done.stderr


def test_a_wrong_key_does_nothing_and_is_named(send, box, keys):
    box.key = b"\xff" * 32
    done = send("stop", "--wait", "2")
    assert done.exit_code == 5 and box.taken == []
    assert "is the key in the key store the box's?" in done.stderr
    assert KEY.hex() not in done.output and keys.path(SERIAL).read_text()[:64] == KEY.hex()


def test_an_answer_to_somebody_else_is_not_ours(send, box):
    """The box answers another sender's command at the same time."""
    box.deaf_to = ["stop"]
    box.publish_status()

    def answer_another():
        deadline = time.monotonic() + 30
        while box.deaf_to and time.monotonic() < deadline:
            time.sleep(0.01)
        box._do(7, "stop", {})

    other = threading.Thread(target=answer_another)
    other.start()
    done = send("stop", "--wait", "2")
    other.join()
    assert done.exit_code == 5 and "may still be taken" in done.stderr


def test_the_status_that_follows_is_shown(send, box):
    box.publish_status(state="Faulted")  # what the broker kept is not the answer
    done = send("status")
    assert done.exit_code == 0 and re.search(r"^state +Available *$", done.stdout, re.MULTILINE)
    assert re.search(r"^reader\.list_version +7 *$", done.stdout, re.MULTILINE)
    told = json.loads(send("status", "--json").stdout)
    assert told["status"] == "Accepted" and told["box_status"]["reader"]["list_version"] == 7


def test_a_status_that_was_under_way_is_not_the_one_asked_for(send, box):
    box.due.append("status")
    told = json.loads(send("status", "--json").stdout)
    assert told["box_status"]["state"] == "Available"
    assert told["box_status"]["command"] == told["counter"]


def test_a_reply_that_the_broker_kept_is_none(send, box):
    box.client.publish(box.topic("reply"), b"of yesterday", retain=True).wait_for_publish(10)
    done = send("stop")
    assert done.exit_code == 0 and done.stderr == ""


def test_a_status_from_before_an_order_does_not_answer_it(box, keys, mosquitto):
    settings = BrokerSettings(mosquitto.host, mosquitto.port)
    with Sender(settings, SERIAL, KEY, Counter(keys.path(SERIAL))) as sender:
        box.publish_status(state="Faulted")
        assert sender.wait(lambda: sender.status_live, 10)
        assert sender.order("stop", {}, 600, 10).done
        assert sender.status_live is None and sender.status["state"] == "Faulted"


def test_a_status_cannot_command_the_terminal(send, box):
    box.answers["stop"] = ("Rejected", "\x1b[2Jgone")
    assert "\x1b" not in send("stop").output


def test_what_is_missing_is_named(send, mosquitto, keys, tmp_path):
    assert "no such key store" in send("stop", "--keys", "none").stderr
    (tmp_path / "bad.txt").write_text("Anna's tag")
    for arguments, code, told in (
        (("stop", "--keys", "none"), 4, "no such key store"),
        (("tags", "none.csv"), 4, "none.csv: cannot be read"),
        (("block-tag", "--uid-file", "bad.txt"), 4, "bad.txt: no UID; right are 4, 7 or 10"),
        (("stop", "--port", str(free_port())), 3, "no broker at"),
        (("stop", "--tls", "--ca-file", "/none"), 4, "/none"),
    ):
        done = send(*arguments)
        assert (done.exit_code, done.stdout) == (code, ""), done.output
        assert told in done.stderr and "Anna" not in done.stderr
    counter_file(keys).write_text("many")
    done = send("stop")
    assert done.exit_code == 4 and "not a counter; delete it" in done.stderr


def test_a_broker_that_refuses(send, mosquitto, tmp_path):
    mosquitto.reconfigure(users={"operator": "right"})
    (tmp_path / "password").write_text("wrong")
    (tmp_path / "password").chmod(0o600)
    done = send("stop", "--user", "operator", "--password-file", "password")
    assert done.exit_code == 3 and "refuses" in done.stderr and "wrong" not in done.stderr


def test_a_box_that_has_no_key_and_a_serial_that_is_none(send, mosquitto):
    for serial, code, told in (("WB-9", 4, "no key of box WB-9"), ("a/b", 2, "no serial")):
        done = CliRunner(env={"COLUMNS": "250"}).invoke(app, ["send", serial, "stop"])
        assert done.exit_code == code and told in done.stderr


def test_a_message_that_was_recorded_has_no_effect(send, box, mosquitto):
    """What the answering box refuses, a real one must too; here the sender is what is tested."""
    assert send("stop").exit_code == 0
    client = mqtt.Client(CallbackAPIVersion.VERSION2)
    client.connect(mosquitto.host, mosquitto.port)
    client.loop_start()
    client.publish(box.topic("command"), box.messages[0], qos=1).wait_for_publish(10)
    wait_until(lambda: len(box.messages) == 2)
    client.disconnect()
    client.loop_stop()
    assert len(box.taken) == 1
