"""The file of a field log: what is read is what was written, or it is refused by name."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from host.cli import app
from host.replay.field_log import FieldLog, NoLog, Origin, join, read_log, write_log
from tests.replay_story import charging_story


@pytest.fixture(scope="module")
def field(tmp_path_factory):
    return charging_story().save(tmp_path_factory.mktemp("log") / "field.zip")


def test_a_log_is_read_back_whole_or_refused(tmp_path, field):
    log = read_log(field)
    write_log(tmp_path / "again.zip", log)
    assert (tmp_path / "again.zip").read_bytes() == field.read_bytes(), "same log, same bytes"
    for data, named in (
        (b"", "neither a log nor a ring"), (b"x" * 5000, "neither a log nor a ring"),
        (b"\xff" * 8192, "no ring"), (field.read_bytes()[:-30], "a ZIP that is cut short"),
        (encrypted(), "encrypted"), (with_info(field, serial=5), "log.json is damaged"),
        (with_info(field, layouts={"00" * 8: "no layout"}), "log.json is damaged"),
        (with_info(field, layouts={"00" * 8: "far 999"}), "log.json is damaged"),
        (with_info(field, layouts={"00" * 8: ",".join(["a 1"] * 20_000)}), "log.json is damaged"),
        (with_info(field, serial="WB-\x1b[2J"), "log.json is damaged"),
        (with_info(field, serial="WB-1\nWB-2"), "log.json is damaged"),
        (with_info(field, serial="WB-\ud800"), "log.json is damaged"),
    ):
        (tmp_path / "wrong.zip").write_bytes(data)
        with pytest.raises(NoLog, match=named):
            read_log(tmp_path / "wrong.zip")
        done = CliRunner().invoke(app, ["replay", str(tmp_path / "wrong.zip")])
        assert done.exit_code == 4 and str(tmp_path / "wrong.zip") in done.stderr


def with_info(field: Path, **info: object) -> bytes:
    """A log whose log.json has other members."""
    whole = io.BytesIO()
    with zipfile.ZipFile(field) as old, zipfile.ZipFile(whole, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if name == "log.json":
                data = json.dumps({**json.loads(data), **info}).encode()
            new.writestr(name, data)
    return whole.getvalue()


def encrypted() -> bytes:
    """A ZIP whose members say that they need a password."""
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as file:
        file.writestr("log.json", "{}")
        file.writestr("trace.bin", "")
    data = bytearray(whole.getvalue())
    at = data.find(b"PK\1\2")
    while at >= 0:
        data[at + 8] |= 1
        at = data.find(b"PK\1\2", at + 1)
    return bytes(data)


def test_two_pulls_become_one_log_in_whatever_order():
    log = charging_story().log()
    early = FieldLog(log.origin, log.trace[:60], log.ledger[:5], {})
    late = FieldLog(log.origin, log.trace[50:], log.ledger[3:], log.layouts)
    assert join(early, late) == join(late, early) == log, "an old image takes nothing away"
    anew = FieldLog(log.origin, [log.trace[0][:-1] + bytes([log.trace[0][-1] ^ 1])])
    with pytest.raises(NoLog, match="record 1 of the trace is another one in each"):
        join(log, anew)
    with pytest.raises(NoLog, match="of one box"):
        join(FieldLog(Origin("WB-1")), log)


def test_what_others_wrote_of_its_origin_cannot_command_the_terminal(tmp_path, field):
    (tmp_path / "hostile.zip").write_bytes(with_info(field, source="\x1b[2J", firmware="1\n2"))
    origin = read_log(tmp_path / "hostile.zip").origin
    assert (origin.source, origin.firmware) == ("?[2J", "1?2")


def test_no_flipped_bit_of_the_file_changes_what_is_read(tmp_path, field):
    """The directory of a ZIP has no check of its own."""
    log = read_log(field)
    short = FieldLog(log.origin, log.trace[:20], log.ledger[:5], {})
    write_log(tmp_path / "short.zip", short)
    whole = (tmp_path / "short.zip").read_bytes()
    assert whole.count(b"ledger.bin") == 2
    path = tmp_path / "flipped.zip"
    refused = 0
    for bit in range(len(whole) * 8):
        data = bytearray(whole)
        data[bit >> 3] ^= 1 << (bit & 7)
        path.write_bytes(data)
        try:
            read = read_log(path)
        except NoLog:
            refused += 1
        else:
            assert read == short, f"bit {bit & 7} of byte {bit >> 3}"
    assert refused > len(whole) * 4


def test_records_are_there_once_and_in_their_order(tmp_path, field):
    log = read_log(field)
    for trace in ([log.trace[1], log.trace[0]], [log.trace[0], log.trace[0]]):
        write_log(tmp_path / "wrong.zip", replace(log, trace=trace))
        with pytest.raises(NoLog, match=r"trace.bin has record 1 behind [12]; pull the log anew"):
            read_log(tmp_path / "wrong.zip")
