"""`wallbox send` over a real broker, to a box that believes and answers by the page."""

import json
import os
import re
import select
import shlex
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
import typer.main
from paho.mqtt.enums import CallbackAPIVersion
from typer.testing import CliRunner

from host.cli import app
from host.keys import KeyStore
from hw.sim.ports import free_port
from tests.answering_box import AnsweringBox
from tests.mosquitto import wait_until

SERIAL = "WB-000001"
KEY = bytes(range(32))
UID = "04a1b2c3d4e5f6"
DOCS = Path(__file__).resolve().parent.parent / "docs"
TAGS = "uid,status,limit_a\n" + "".join(f"04{n:012x},Accepted,10\n" for n in range(60))


@pytest.fixture
def keys(tmp_path):
    (tmp_path / "keys").mkdir(mode=0o700)
    store = KeyStore(tmp_path / "keys")
    store.create(SERIAL, KEY)
    return store


@pytest.fixture
def box(mosquitto):
    box = AnsweringBox(mosquitto, SERIAL, KEY)
    yield box
    box.close()


@pytest.fixture
def send(mosquitto, keys, tmp_path, monkeypatch):
    """Runs `wallbox send WB-000001 …` in an empty directory beside the key store."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tags.csv").write_text(TAGS)
    (tmp_path / "changes.csv").write_text(f"uid,status\n{UID},Remove\n")
    (tmp_path / "uid.txt").write_text(UID)
    (plan,) = re.findall(r"(?:^    (?:from,until|2027-01).*\n)+", operator_page(), re.MULTILINE)
    (tmp_path / "night.csv").write_text(plan.replace("    ", ""))
    environment = {"WALLBOX_BROKER": mosquitto.host, "WALLBOX_PORT": str(mosquitto.port)}

    def send(*arguments, text=None, **more):
        runner = CliRunner(env={**environment, "COLUMNS": "250", **more})
        return runner.invoke(app, ["send", SERIAL, *arguments], input=text)

    return send


def operator_page():
    return (DOCS / "operator.md").read_text()


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
    other = threading.Timer(0.5, lambda: box._do(7, "stop", {}))
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


def test_a_status_cannot_command_the_terminal(send, box):
    box.answers["stop"] = ("Rejected", "\x1b[2Jgone")
    assert "\x1b" not in send("stop").output


def test_a_limit(send, box):
    done = send(
        *("limit", "--source", "grid", "--amps", "7.5", "--from", "2027-01-10T22:00"),
        *("--until", "2027-01-10T22:00Z", "--fallback-amps", "0"),
    )
    given = box.taken[0]["with"]
    assert done.exit_code == 0 and f"lease {given['lease']}" in done.stdout
    assert given == {
        "source": "grid", "lease": box.taken[0]["counter"], "limit_ma": 7500,
        "from_utc_s": 1_799_614_800, "until_utc_s": 1_799_618_400, "fallback_ma": 0,
    }
    assert send("limit-end", str(given["lease"])).exit_code == 0
    assert box.taken[1]["with"] == {"lease": given["lease"]}


def test_a_plan_and_the_limit_behind_it_have_numbers_of_their_own(send, box):
    assert send("plan", "night.csv").exit_code == 0
    given = box.taken[0]["with"]
    assert given["periods"] == [
        [1_799_614_800, 1_799_643_600, 16_000], [1_799_683_200, 1_799_694_000, 0],
    ]
    assert send("limit", "--source", "grid", "--amps", "6", "--until", "+1h").exit_code == 0
    assert box.taken[1]["with"]["lease"] >= given["lease"] + 2
    assert send("plan", "--none", "--lease", "5").exit_code == 0
    assert box.taken[2]["with"] == {"periods": [], "lease": 5}


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ("2027-01-10T22:00,2027-01-11T06:00Z,16", "line 2, column from: '2027-01-10T22:00'; right"),
        ("2027-01-10T22:00Z,2027-01-10T21:00Z,16", "column until"),
        ("2027-01-10T22:00Z,2027-01-11T06:00Z,", "column amps: nothing"),
        ("2027-01-10T22:00Z,2027-01-11T06:00Z,99", "column amps: '99'; right is 0 to 80 A"),
        (
            "2027-01-10T22:00Z,2027-01-11T06:00Z,16\n2027-01-11T05:00Z,2027-01-11T07:00Z,6",
            "line 3, column from: '2027-01-11T05:00Z'; right is a time after the until of line 2",
        ),
        ("", "no period"),
        ("\n".join(["2027-01-10T22:00Z,2027-01-11T06:00Z,1"] * 25), "line 3"),
    ],
)
def test_a_plan_that_is_wrong_is_not_sent(send, box, tmp_path, rows, told):
    (tmp_path / "wrong.csv").write_text("from,until,amps\n" + rows + "\n")
    done = send("plan", "wrong.csv")
    assert done.exit_code == 4 and told in done.stderr and "wrong.csv" in done.stderr
    assert box.messages == []


def test_a_full_list_of_tags(send, box):
    done = send("tags", "tags.csv", "--version", "9")
    assert done.exit_code == 0 and "tags-end: Accepted, version 9, tags 60" in done.stdout
    assert box.verbs() == ["tags-begin", *["tags-part"] * 3, "tags-end"]
    assert box.taken[0]["with"] == {"full": True, "version": 9}
    assert [command["with"]["part"] for command in box.taken[1:-1]] == [0, 1, 2]
    assert box.taken[-1]["with"] == {"count": 60}
    hashes = [box.entries[at : at + 8] for at in range(0, len(box.entries), 21)]
    assert len(hashes) == 60 and hashes == sorted(set(hashes))
    assert not any(bytes.fromhex(f"{n:012x}") in message for message in box.messages
                   for n in range(60))


def test_an_answer_to_a_part_that_gets_lost(send, box):
    box.deaf_to = ["tags-part", "tags-begin"]
    assert send("tags", "tags.csv", "--wait", "1").exit_code == 0
    assert [command["with"].get("part") for command in box.taken] == [None, None, 0, 0, 1, 2, None]


def test_changes_of_another_list(send, box):
    box.answers["tags-begin"] = ("VersionMismatch", "")
    done = send("tags", "--changes", "changes.csv", "--version", "9", "--base", "8")
    assert done.exit_code == 1 and box.verbs() == ["tags-begin"]
    assert box.taken[0]["with"] == {"full": False, "version": 9, "base": 8}
    assert "reader.list_version" in done.stderr and "in full" in done.stderr


def test_a_tag_is_blocked_by_its_hash_alone(send, box):
    tag = "74d0aa3f38afa2bd"
    for arguments, text in (
        (("--uid-file", "uid.txt"), None),
        (("--uid-file", "-"), UID),
    ):
        assert send("block-tag", *arguments, text=text).exit_code == 0
    assert send("block-tag", "--hash", tag).exit_code == 0
    first, second, third = (command["with"]["tag"] for command in box.taken)
    assert first == second and len(first) == 16 and third == tag
    assert not any(UID.encode() in message for message in box.messages)


def test_at_a_terminal_it_asks_for_the_uid_and_does_not_show_it(send, box, mosquitto, keys):
    command = [
        *(sys.executable, "-m", "host.cli", "send", SERIAL, "block-tag"),
        *("--broker", mosquitto.host, "--port", str(mosquitto.port)),
    ]
    ours, theirs = os.openpty()
    process = subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    )
    os.close(theirs)
    shown = read_until(ours, b"not shown): ")
    os.write(ours, UID.encode() + b"\n")
    shown += read_until(ours, b"Accepted")
    assert process.wait(20) == 0 and UID.encode() not in shown
    os.close(ours)
    assert send("block-tag", "--uid-file", "uid.txt").exit_code == 0
    assert box.taken[0]["with"] == box.taken[1]["with"]


def read_until(descriptor, end):
    shown = b""
    while end not in shown:
        assert select.select([descriptor], [], [], 20)[0], shown
        shown += os.read(descriptor, 1000)
    return shown


def test_the_trace_is_asked_again_for_what_got_lost(send, box, tmp_path):
    box.lose = {0, 1024, 3 * 4096 + 2048}
    done = send("trace", "--first", "0", "--count", "5", "-o", "trace.bin")
    assert done.exit_code == 0, done.output
    assert (tmp_path / "trace.bin").read_bytes() == box.trace[: 5 * 4096]
    asked = [(one["with"]["first"], one["with"]["count"]) for one in box.taken]
    assert asked == [(0, 5), (0, 1), (3, 1)]
    again = send("trace", "--count", "5", "-o", "trace.bin")
    assert again.exit_code == 4 and "exists" in again.stderr


def test_it_is_decommissioned_only_with_a_yes(send, box):
    for text in ("n\n", ""):
        done = send("decommission", text=text)
        assert done.exit_code == 2 and "nothing was sent" in done.stderr
    assert box.taken == []
    assert send("decommission", text="y\n").exit_code == 0
    assert send("decommission", "--yes", "--reason", "dismounted").exit_code == 0
    assert [command["with"]["reason"] for command in box.taken] == ["none", "dismounted"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("limit", "--source", "grid", "--amps", "6", "--until", "-1h"), "after --from"),
        (("limit", "--source", "grid", "--amps", "6", "--until", "soon"), "write 2026-11-24T18:00"),
        (("limit", "--source", "grid", "--amps", "600", "--until", "+1h"), "--amps"),
        (("absence", "--from", "2026-10-25T02:30", "--until", "+1h"), "comes twice"),
        (("absence", "--from", "2027-03-28T02:30", "--until", "+1h"), "does not exist"),
        (("suspend", "--reason", "boredom"), "--reason"),
        (("seal", "x" * 49), "1 to 48"),
        (("seal", "é" * 25), "50 bytes"),
        (("configure", "serial", "X"), "can be set from afar"),
        (("configure", "interval_s", "700"), "divisor of 3600"),
        (("configure", "seals.policy", "none"), "report, pause, stop"),
        (("configure", "place.relocate_after_h", "9000"), "0 to 8760"),
        (("block-tag",), "which tag?"),
        (("block-tag", "--hash", "12"), "16 hex digits"),
        (("block-tag", "--hash", "12", "--uid-file", "uid.txt"), "not both"),
        (("plan",), "or --none"),
        (("tags", "tags.csv", "--base", "3"), "--changes"),
        (("stop", "--valid-for", "32d"), "1s to 31d"),
        (("stop", "--wait", "0"), "--wait"),
        (("stop", "--user", "operator"), "--password-file"),
    ],
)
def test_wrong_options_send_nothing(send, box, arguments, told):
    done = send(*arguments)
    assert done.exit_code == 2 and told in re.sub(r"[│\s]+", " ", done.stderr), done.stderr
    assert box.messages == []


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


def examples():
    """Every line of the page and of the help that begins with `wallbox send WB-000001`."""
    group = typer.main.get_command(app).commands["send"]
    texts = [operator_page(), *(command.help for command in group.commands.values())]
    for text in texts:
        yield from re.findall(r"^ *wallbox send WB-000001 (.+)$", text, re.MULTILINE)


# without an option it asks, which has a test of its own
@pytest.mark.parametrize("example", sorted(set(examples()) - {"block-tag"}))
def test_the_examples_work(send, box, example):
    done = send(*shlex.split(example))
    assert done.exit_code == 0, done.output
    assert box.taken
