"""The verbs of `wallbox send`: what each makes of its options and files, and what it refuses."""

# ruff: noqa: F811 - fixtures are imported by name

import os
import re
import select
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import typer.main
from typer.testing import CliRunner

from host.cli import app
from hw.sim.ports import free_port
from tests.send_fixtures import PAGE, SERIAL, UID, box, keys, send  # noqa: F401


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
def test_wrong_options_send_nothing(keys, tmp_path, monkeypatch, arguments, told):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tags.csv").write_text("hash\n0123456789abcdef\n")
    nobody = {"WALLBOX_PORT": str(free_port()), "COLUMNS": "250"}  # exit code 3 if it is asked
    done = CliRunner(env=nobody).invoke(app, ["send", SERIAL, *arguments])
    assert done.exit_code == 2 and told in re.sub(r"[│\s]+", " ", done.stderr), done.stderr


def test_the_help_of_a_verb_needs_no_box():
    for arguments in (("limit",), (SERIAL, "limit")):
        done = CliRunner(env={"COLUMNS": "120"}).invoke(app, ["send", *arguments, "--help"])
        assert done.exit_code == 0 and "--fallback-amps" in done.stdout
        assert "Exit code 0: Accepted" in done.stdout and "WALLBOX_KEYS" in done.stdout
        assert "May be taken for 10 minutes" in done.stdout


def examples():
    """Every line of the page and of the help that begins with `wallbox send WB-000001`."""
    group = typer.main.get_command(app).commands["send"]
    texts = [PAGE, *(command.help for command in group.commands.values())]
    for text in texts:
        yield from re.findall(r"^ *wallbox send WB-000001 (.+)$", text, re.MULTILINE)


def test_the_examples_work(send, box):
    asking = "block-tag"  # a test of its own
    for example in sorted(set(examples()) - {asking}):
        box.taken.clear()
        done = send(*shlex.split(example))
        assert done.exit_code == 0, f"{example}: {done.output}"
        assert box.taken, example
        (Path("trace.bin")).unlink(missing_ok=True)
