"""The three lanes: CPython, the real MicroPython, and a chip by the real mpremote."""

import json
import os
import re
from binascii import crc32
from dataclasses import replace

import pytest
from typer.testing import CliRunner
from wallbox.store.record import PAYLOAD_AT, TAIL

from host.cli import app
from host.replay import cores, lanes
from host.replay.field_log import read_log, write_log
from host.replay.other_lanes import LaneFails, on_chip, on_micropython
from host.replay.spread import Task, play_all
from hw.sim.box import Box
from tests.replay_story import TracedBench, charging_story
from tests.simbox import flash_of
from tests.test_console_locked import READY, locked_flash
from tests.test_replay import plant


@pytest.fixture(scope="module")
def field(tmp_path_factory):
    return charging_story().save(tmp_path_factory.mktemp("lanes") / "field.zip")


@pytest.fixture
def short(tmp_path):
    """What goes over a line in a short time."""
    bench = TracedBench()
    bench.known()
    bench.charge()
    bench.minutes(5, 180)
    return bench.save(tmp_path / "short.zip")


def replay(*words: object, code: int = 0):
    done = CliRunner().invoke(app, ["replay", *(str(word) for word in words)])
    assert done.exit_code == code, done.output + (done.stderr or "")
    return done


def test_micropython_comes_to_the_same_sums_and_states(field):
    assert "the lanes cpython, micropython agree" in replay(field, "--on", "micropython").stdout
    told = json.loads(replay(field, "--on", "cpython", "--on", "micropython", "--json").stdout)
    assert told["lanes_differ"] == [] and told["lanes"] == ["cpython", "micropython"]


def test_both_find_a_planted_change_in_the_same_segments(field, tmp_path):
    core = plant(tmp_path / "planted", "metering", "const(150_000)", "const(30_000)")
    done = replay(field, "--rev", core, "--any-core", "--all", "--on", "micropython", code=1)
    assert "agree" in done.stdout.splitlines()[-1], "the lanes, not the rules"
    log = read_log(field)
    planted = cores.of_folder(core, "planted")
    task = Task(planted, log.layouts, None, True, True)
    here = {one.segment for one in play_all(log.trace, task, 1).differences}
    told = lanes.play_on("micropython", planted, log, None)
    there = {one.segment for one in told if one.differed >= 0 or one.fields}
    assert len(here) == len(there) > 1


def test_a_lane_that_decides_otherwise_is_told_with_its_segment(field):
    log = read_log(field)
    core = cores.of_tree()
    played = play_all(log.trace, Task(core, log.layouts, None, True, True), 1)
    told = lanes.play_on("micropython", core, log, None)
    assert lanes.disagreements("micropython", played, told) == []
    told[1] = replace(told[1], decided=told[1].decided ^ 1)
    told[2] = replace(told[2], state=7)
    lines = lanes.disagreements("micropython", played, told)
    assert re.fullmatch(r"micropython decides otherwise .* record \d+", lines[0])
    assert "remembers otherwise" in lines[1]
    assert "3 segments" in lanes.disagreements("x", played, told[:3])[0]


def test_other_lay_outs_and_damaged_snapshots_play_on_micropython_as_here(field):
    log = read_log(field)
    core = cores.of_tree()
    rows = core.layout.split(",")
    log.layouts = {core.hash: ",".join([*rows[:-1], "strange 5"])}  # as wide as due
    task = Task(core, log.layouts, None, True, True)
    told = lanes.play_on("micropython", core, log, None)
    played = play_all(log.trace, task, 1)
    assert lanes.disagreements("micropython", played, told) == []
    log.layouts = {core.hash: "meter_id 4"}
    assert lanes.play_on("micropython", core, log, None) == []


def test_a_record_from_the_end_of_all_uptime_plays_alike(field):
    log = read_log(field)
    core = cores.of_tree()
    record = bytearray(log.trace[-1])
    record[8:13] = b"\xff" * 5
    record[PAYLOAD_AT : PAYLOAD_AT + 2] = b"\xff\xff"  # with which it is more than 40 bits
    crc = crc32(record[:-TAIL])
    record[-TAIL : 2 - TAIL] = ((crc ^ crc >> 16) & 0xFFFF).to_bytes(2, "little")
    log.trace[-1] = bytes(record)
    told = lanes.play_on("micropython", core, log, None)
    played = play_all(log.trace, Task(core, log.layouts, None, True, True), 1)
    assert lanes.disagreements("micropython", played, told) == []


def test_a_lane_that_ends_with_an_error_says_its_last_word(tmp_path):
    core = plant(tmp_path / "broken", "metering", "    bits = 0\n", "    bits = nobody\n")
    bench = TracedBench()
    bench.known()
    with pytest.raises(LaneFails, match="did not play to the end: NameError"):
        lanes.play_on("micropython", cores.of_folder(core, "broken"), bench.log(), None)
    assert on_micropython(cores.of_tree(), b"") == []


def test_a_bare_chip_plays_it_too(short):
    with Box() as box:
        box.flash(flash_of("print('bare')"))
        box.power_on()
        box.wait_for("bare")
        done = replay(short, "--on", box.usb)
        assert f"the lanes cpython, {box.usb} agree" in done.stdout
        assert box.failure is None


def test_a_box_in_service_is_refused_with_the_reason(short):
    with Box() as box:
        box.flash(locked_flash())
        box.power_on()
        box.wait_for(READY, 30)
        done = replay(short, "--on", box.usb, code=3)
        assert "a box in service locks it" in done.stderr
        assert ">>>" not in box.log.text()


def test_a_port_where_nobody_is(short, tmp_path):
    done = replay(short, "--on", tmp_path / "no-port", code=3)
    assert "no-port: cannot be opened" in done.stderr and "a lane is cpython" in done.stderr
    with pytest.raises(LaneFails):
        on_chip(os.devnull, cores.of_tree(), b"")


def test_a_log_that_ends_within_its_first_snapshot_has_none(field, tmp_path):
    log = read_log(field)
    log.trace = log.trace[:1]
    write_log(tmp_path / "one.zip", log)
    replay(tmp_path / "one.zip", "--on", "micropython", code=4)
