"""`wallbox timeline`: what is read of a field log, and what the page says in words."""

from __future__ import annotations

import json
import random
import re
from binascii import crc32
from dataclasses import replace

import pytest
from typer.testing import CliRunner
from wallbox.store.record import fold

from host.cli import app
from host.replay import lane, timeline_read
from host.replay.cores import of_tree
from host.replay.field_log import FieldLog, Origin, write_log
from host.replay.timeline import make_timeline
from host.replay.timeline_marks import MIXED, POINTS_MAX, Band, Lane, Numbers
from host.replay.timeline_page import offsets
from host.replay.timeline_read import Window
from tests.field_story import BEGIN_UTC_S, field_log

END_OF_SUMMER_MS = 1_792_890_000_000  # 2026-10-25 01:00 UTC


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    return field_log(tmp_path_factory.mktemp("story"), hours=20)


@pytest.fixture(scope="module")
def timeline(log):
    return make_timeline(log)


def bands(chart, name):
    return [(band.what, band.more) for band in chart.lanes[name].bands]


def test_lines_and_lanes_tell_what_the_box_lived_through(timeline):
    calendar = timeline.story.calendar
    highest = max(y for _, y in calendar.numbers["power_w"].points() if y is not None)
    assert highest == 11_000
    assert {"limit_ma", "limit:grid", "limit:protection", "limit:cable"} <= set(calendar.numbers)
    assert ("TamperDetectionActivated", "") in bands(calendar, "refused:TamperDetectionActivated")
    assert ("seal_open", "") in bands(calendar, "seal:lid")
    assert ("suspended", "") in bands(calendar, "lifecycle")
    assert ("link_5", "") in bands(calendar, "link")
    assert ("absence", "broker") in bands(calendar, "absence")
    assert ("gap", "power") in bands(calendar, "gap")
    assert bands(calendar, "session")[:2] == [("session", "1"), ("session", "2")]
    assert bands(calendar, "recorded") == [("boot", "1"), ("boot", "2")]
    assert timeline.story.differs == timeline.story.unknown == timeline.story.holes == 0


def test_a_boot_that_learns_the_time_later_is_placed_and_one_that_never_does_has_its_own(timeline):
    calendar, lost = timeline.story.charts
    assert calendar.begin_ms == BEGIN_UTC_S * 1000  # 90 s before the box knew the time
    assert (lost.boot, lost.begin_ms) == (3, 0)
    assert bands(lost, "session") == [("session", str(timeline.ledger.sessions[-1].number))]
    assert lost.lanes["session"].bands[0].end_ms == lost.end_ms  # it runs on


def test_the_sessions_are_those_of_the_ledger(timeline):
    first, second = timeline.ledger.sessions[:2]
    assert (first.number, first.reason) == (1, "PowerLoss")
    assert (second.number, second.reason) == (2, "EVDisconnected")
    assert timeline.ledger.sessions[-1].energy_wh is None  # still runs


def test_a_trace_alone_tells_its_sessions_too_and_a_ledger_alone_its_own(log):
    alone = make_timeline(FieldLog(log.origin, trace=log.trace))
    assert bands(alone.story.calendar, "session")[0] == ("session", "1")
    table = alone.html().split("<h2>Sessions</h2>")[1].split("</table>")[0]
    assert table.count("<tr>") > 3, "not: none"
    assert alone.summary()["sessions"] == make_timeline(log).summary()["sessions"] > 2
    paper = make_timeline(FieldLog(log.origin, ledger=log.ledger))
    assert "mean_w" in paper.story.calendar.numbers
    assert "The log holds no trace" in paper.html()


def test_a_hole_in_the_trace_is_a_band_and_a_row(log):
    torn = make_timeline(FieldLog(log.origin, trace=log.trace[:2000] + log.trace[2100:]))
    assert (torn.story.holes, torn.story.missing) == (1, 100)
    assert ("hole", "100") in bands(torn.story.calendar, "recorded")
    assert "records missing: 100" in torn.html()


def test_a_part_of_the_time(log):
    begin_ms = END_OF_SUMMER_MS - 3_600_000
    part = make_timeline(log, Window(begin_ms, END_OF_SUMMER_MS))
    calendar = part.story.calendar
    assert begin_ms <= calendar.begin_ms and calendar.end_ms <= END_OF_SUMMER_MS
    assert len(part.story.charts) == 1
    assert make_timeline(log, Window(1000, 2000)).empty


def test_a_trace_of_another_core_shows_what_was_sensed_and_says_so(log, monkeypatch):
    monkeypatch.setattr(lane, "FORMAT", 99)
    other = make_timeline(log)
    assert other.story.unknown > 20 and "limit_ma" not in other.story.calendar.numbers
    assert other.story.calendar.numbers["power_w"].count
    assert "cannot be played with this tool" in other.html()


def test_a_trace_that_another_firmware_decided_is_played_and_says_so(log, monkeypatch):
    other = make_timeline(log)  # its story names no rules
    assert other.story.others > 20 and other.story.unknown == 0
    assert other.story.calendar.numbers["limit_ma"].count
    assert "decided by other rules" in other.html()
    assert other.summary()["segments_of_other_cores"] == other.story.others
    monkeypatch.setattr(timeline_read, "of_tree", lambda: replace(of_tree(), hash=bytes(8)))
    mine = make_timeline(log)
    assert mine.story.others == 0 and "decided by other rules" not in mine.html()


def test_without_a_ledger_nobody_knows_the_energy(log):
    assert make_timeline(log).summary()["energy_wh"] > 0
    alone = make_timeline(FieldLog(log.origin, log.trace, [], log.layouts)).summary()
    assert alone["energy_wh"] is None and alone["sessions"] > 0


def test_no_record_whatever_it_holds_stops_the_page(log, seed):
    draw = random.Random(seed)
    trace, ledger = list(log.trace[::3]), list(log.ledger)
    for records in (trace, ledger):
        for _ in range(len(records) // 4):
            at = draw.randrange(len(records))
            bad = bytearray(records[at])
            for _ in range(draw.randrange(1, 4)):
                place = draw.choice([*range(6, 17), *range(17, max(18, len(bad) - 10))])
                bad[place] = draw.randrange(256)
            bad[-10:-8] = fold(crc32(bad[:-10])).to_bytes(2, "little")
            records[at] = bytes(bad)
    spoilt = make_timeline(FieldLog(log.origin, trace, ledger))
    assert "</html>" in spoilt.html() and spoilt.summary()["trace_entries"]


def test_peaks_outlive_decimation():
    line = Numbers()
    for at in range(50 * POINTS_MAX):
        line.add(at, 11_000 if at == 77_777 else at % 7)
    points = list(line.points())
    assert len(points) <= POINTS_MAX + 2 and line.coarse
    assert (77_777, 11_000) in points
    assert [x for x, _ in points] == sorted(x for x, _ in points)


def test_many_short_bands_become_few_and_say_so():
    flicker = Lane()
    for at in range(20_000):
        flicker.set(at * 100.0, "pilot_B" if at % 2 else "pilot_C")
    flicker.set(10_000_000.0, "pilot_A")
    flicker.done(20_000_000.0)
    assert flicker.coarse and len(flicker.bands) <= 1500
    assert flicker.bands[-1] == Band(10_000_000.0, 20_000_000.0, "pilot_A")
    assert {band.what for band in flicker.bands} >= {MIXED, "pilot_A"}


def test_the_page_has_the_end_of_summer_time(timeline):
    found = offsets(timeline.story.calendar)
    assert (END_OF_SUMMER_MS, 3_600_000) in found
    text = timeline.html()
    assert re.search(r"2026-10-25 0\d:\d\d:\d\d", text)


def test_the_page_speaks_danish_and_no_text_of_a_log_becomes_markup(log):
    hostile = FieldLog(Origin(serial="</script><script>alert(1)</script>"), log.trace, log.ledger)
    text = make_timeline(hostile).html("da")
    assert "Ladninger" in text and "En plombe er blevet brudt" in text
    assert "<script>alert" not in text


def test_the_command(tmp_path, log):
    path, page = tmp_path / "a.log", tmp_path / "a.html"
    write_log(path, log)
    before = path.stat().st_size
    done = CliRunner().invoke(app, ["timeline", str(path), "-o", str(page), "--json"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["refused_s"]["Suspended"] > 3600 and told["boots_without_clock"] == [3]
    assert page.stat().st_size == told["bytes"]
    same = CliRunner().invoke(app, ["timeline", str(path), "-o", str(path)])
    assert same.exit_code == 2 and path.stat().st_size == before, "a log is not overwritten"
    part = ["--from", "2020-01-01", "--to", "2020-01-02"]
    assert CliRunner().invoke(app, ["timeline", str(path), *part]).exit_code == 4
    assert CliRunner().invoke(app, ["timeline", str(path), "--from", "soon"]).exit_code == 2
    page.write_bytes(b"no log at all")
    assert CliRunner().invoke(app, ["timeline", str(page)]).exit_code == 4
