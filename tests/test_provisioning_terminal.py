"""`wallbox provision` at a terminal: Ctrl-C in the middle, and what a person sees."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from host.cli import app
from host.provisioning import certificate, flash_image
from host.provisioning.outcome import EXIT_INTERRUPTED
from host.provisioning.run import provision
from host.provisioning.shelf import provision_all
from tests.depots import depot, order_file

ROOT = Path(__file__).resolve().parent.parent
READER = {"fitted": True}


@pytest.fixture
def place(tmp_path):
    with depot(tmp_path, tls=False, speed=4) as place:
        flash_image.save(place.image, tmp_path / "wallbox.bin")
        yield place


def words_for(place, *more, **changes):
    order = order_file(place, 0, **changes)
    return ["provision", "--order", str(order), "--image", str(place.folder / "wallbox.bin"),
            "--partner", str(place.partner_file), "--journal", str(place.journal_folder),
            "--port", place.worlds[0].box.usb, *more]


def started(words):
    return subprocess.Popen(
        [sys.executable, "-c", "from host.cli import main; main()", *words], cwd=ROOT,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        start_new_session=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1", "COLUMNS": "120"},
    )


@pytest.mark.parametrize("moment", ["[3/8]", "hold a tag"])
def test_ctrl_c_ends_with_what_to_do_and_the_same_command_goes_on(place, moment):
    provision(place.job(reader=READER), "flash")
    process = started(words_for(place, reader=READER))
    seen = ""
    for line in process.stdout:
        seen += line
        if moment in line:
            os.killpg(process.pid, signal.SIGINT)
            break
    rest = process.communicate(timeout=60)[0]
    assert process.returncode == EXIT_INTERRUPTED, seen + rest
    assert "interrupted" in rest and "repeat the command" in rest
    assert "Traceback" not in rest
    job = place.job(reader=READER)
    provision(job)
    authority = place.authority.file.read_bytes()
    certificate.verify(certificate.read(job.file(".certificate.json")), authority)


def test_ctrl_c_on_a_shelf_ends_each_box_where_it_can_go_on(place):
    jobs = [place.job()]
    thread = threading.Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGINT))
    thread.start()
    results = provision_all(jobs, "certify")
    thread.join()
    assert [result.code for result in results] == [EXIT_INTERRUPTED]
    assert provision_all([place.job()], "certify")[0].code == 0


def test_the_end_of_the_input_at_a_question_is_an_interruption_too(place):
    provision(place.job(), "flash")
    order = place.order(0)
    meter = {**order["meter"], "display_wh": None}
    meter.pop("display_wh")
    words = words_for(place, meter=meter, seals={**order["seals"], "fitted": False})
    ended = CliRunner().invoke(app, words, input="yes\n")
    assert ended.exit_code == EXIT_INTERRUPTED and "repeat the command" in ended.output


def test_what_a_person_sees_in_danish(place):
    provision(place.job(reader=READER), "flash")
    world = place.worlds[0]

    def hand():
        for words, deed in (
            ("hold a tag", lambda: world.tag.present(b"\x04abcdef")),
            ("open the lid", lambda: world.seal.open("lid")),
            (None, lambda: world.seal.close("lid")),
            ("open the terminal cover", lambda: world.seal.open("terminal_cover")),
            (None, lambda: world.seal.close("terminal_cover")),
        ):
            world.box.wait_for(words, 60) if words else time.sleep(0.5)
            deed()

    person = threading.Thread(target=hand)
    person.start()
    shown = CliRunner().invoke(app, words_for(place, "--lang", "da", "--no-color", "--label",
                                              reader=READER), input="ja\n")
    person.join()
    assert shown.exit_code == 0, shown.output
    assert "\x1b" not in shown.output
    for sentence in ("[5/8] Selvtest", "hold en brik mod læseren inden 30 s", "åbn låg",
                     "hvilestrøm", "Lyste lampen", "lukket og åbnet", "7 byte"):
        assert sentence in shown.output, sentence
    english = re.findall(r"\b(?:the|open|closed|pass|fail|waits|skipped|step|within)\b",
                         shown.output)
    assert not english, shown.output


def test_the_events_for_machines(place):
    provision(place.job(), "flash")
    told = CliRunner().invoke(app, words_for(place, "--json"))
    events = [json.loads(line) for line in told.stdout.splitlines()]
    assert {"step", "line", "done", "end"} <= {event["event"] for event in events}
    assert events[-1] == {"event": "end", "port": place.worlds[0].box.usb,
                          "serial": "WB-000001", "code": 0}
    lines = {event["name"]: event for event in events if event["event"] == "line"}
    assert lines["phases"]["result"] == "pass" and lines["lamp"]["do"] == "nobody was asked"
    wrong = CliRunner().invoke(app, [*words_for(place, "--json"), "--port", "/dev/none"])
    assert wrong.exit_code == 3 and json.loads(wrong.stdout)["event"] == "stopped"
