"""Snapshots in the trace: when the box writes them, what it writes between them, what it survives.
"""

import sys
import zlib

import pytest
import wallbox
from wallbox import checkpoint
from wallbox.core import decisions, engine, events
from wallbox.store.trace import DECIDED, SNAPSHOT

from host.replay import cores
from host.replay.lane import Lane
from host.replay.play import Lanes, play
from host.replay.segments import read_entries, read_segments
from hw.sim.flash_faults import PowerCut
from tests import spec_reader
from tests.replay_story import MINUTE_MS, TracedBench, charging_story
from tests.test_agent import KEY

HOUR_MS = 60 * MINUTE_MS


def snapshots(bench: TracedBench) -> list[tuple[int, int, int]]:
    """(boot, now, lost) of each whole snapshot."""
    segments = read_segments(bench.log().trace)
    return [(one.first.boot, one.first.now, one.snapshot[1]) for one in segments]


def replayed(bench: TracedBench):
    core = cores.of_tree().load()
    return play(read_segments(bench.log().trace), Lanes(core, {}), on=True)


def test_a_snapshot_is_the_first_thing_that_a_boot_writes_and_its_events_follow():
    bench = TracedBench()
    entries = list(read_entries(bench.log().trace))
    pieces = [entry for entry in entries if entry.kind == SNAPSHOT]
    assert entries[: len(pieces)] == pieces and len(pieces) >= 2
    bench.known()
    kinds = [entry.kind for entry in read_entries(bench.log().trace)][len(pieces) :]
    assert kinds[:3] == [events.LEDGER, events.CONFIG, events.BOOT]
    assert kinds[-2:] == [events.METER_READING, DECIDED]


def test_one_an_hour_and_each_is_what_replay_comes_to():
    bench = TracedBench(sectors=64)
    bench.known()
    bench.charge()
    bench.minutes(200, 180)
    times = [now for _, now, _ in snapshots(bench)]
    assert times == [0, HOUR_MS, 2 * HOUR_MS, 3 * HOUR_MS]
    played = replayed(bench)
    assert not played.differences
    assert played.checked.states == 3 and played.checked.decisions >= 200


def test_the_marks_name_the_core_and_the_configuration():
    (segment,) = read_segments(TracedBench().log().trace)
    assert segment.core == cores.of_tree().hash and segment.configuration == b"config!!"


def test_after_events_were_lost_in_ram_the_next_flush_begins_anew():
    bench = TracedBench()
    bench.known()
    for number in range(40):  # more than four batches hold, before any flush
        event = [events.METER_IDENTITY, 42, bytes([number]) * 60] + [0] * 10
        bench.agent.take(event, bench.now)
    assert bench.agent.trace.lost > 0
    bench.now += 1000
    bench.agent.flush_trace(bench.now)
    assert snapshots(bench)[-1] == (1, 1000, 1), "it says that something is missing before it"
    bench.minutes(3)
    assert not replayed(bench).differences
    assert len(snapshots(bench)) == 2


def test_while_the_ledger_takes_nothing_there_is_none_and_then_at_once():
    bench = TracedBench(sectors=4)
    bench.known()
    bench.charge()
    while not bench.agent.halted:
        bench.quarter()
    before = len(snapshots(bench))
    bench.now += 2 * HOUR_MS
    bench.read()
    assert len(snapshots(bench)) <= before and bench.agent.halted
    bench.acknowledge()
    bench.recover(events.RESUMED)
    assert snapshots(bench)[-1][1] == bench.now
    bench.minutes(5)
    assert not replayed(bench).differences


def test_a_power_cut_in_any_write_of_a_snapshot_leaves_a_log_that_replays():
    for writes in range(1, 12):
        bench = TracedBench(sectors=16, seed=writes)
        bench.known()
        bench.minutes(59)
        bench.now += MINUTE_MS
        bench.flash.cut_in(writes)
        with pytest.raises(PowerCut):
            bench.read()
            bench.minutes(9)
        bench.flash.power_on()
        bench.flash.cut_in(0)
        bench.boot()
        bench.known()
        bench.minutes(2)
        played = replayed(bench)
        assert not played.differences, writes
        assert played.checked.holes >= 1 and snapshots(bench)[-1][:2] == (2, 0)


def test_without_memory_for_it_the_snapshot_comes_a_minute_later(monkeypatch):
    bench = TracedBench(sectors=16)
    bench.known()
    bench.minutes(59)
    whole = checkpoint.pieces
    tried = []

    def short_of_memory(*arguments):
        yield next(iter(whole(*arguments)))
        tried.append(bench.now)
        raise MemoryError

    monkeypatch.setattr(checkpoint, "pieces", short_of_memory)
    monkeypatch.setattr("wallbox.agent.forget", lambda package, name: None)
    monkeypatch.setitem(sys.modules, "wallbox.checkpoint", checkpoint)
    monkeypatch.setattr(wallbox, "checkpoint", checkpoint, raising=False)
    bench.now += MINUTE_MS
    bench.read()
    assert tried == [HOUR_MS] and len(snapshots(bench)) == 1
    monkeypatch.setattr(checkpoint, "pieces", whole)
    bench.minutes(2)
    assert [now for _, now, _ in snapshots(bench)] == [0, HOUR_MS + MINUTE_MS]
    played = replayed(bench)
    assert not played.differences and played.checked.states == 1


def test_a_snapshot_holds_all_that_the_core_remembers():
    bench = charging_story()
    core = cores.of_tree().load()
    bench.send(events.LEASE, 4, 9, 8000, 0, 1_800_000_000, 6000)
    pieces = checkpoint.pieces(bench.agent.state, bytes(16), 0)
    lane = Lane(core)
    lane.restore(b"".join(piece[2:] for piece in pieces))
    assert lane.differing(bench.agent.state) == []
    lane.state.register_wh += 1
    lane.state.leases[5] ^= 1
    assert lane.differing(bench.agent.state) == ["register_wh", "leases"]


def test_the_agent_s_sum_is_of_every_step_its_refusals_limit_and_due_time():
    bench = charging_story()
    segments = list(read_segments(bench.log().trace))
    lane = Lane(cores.of_tree().load())
    for field in ("refusals", "limit_ma", "due"):
        lane.restore(segments[0].snapshot)
        lane.take(segments[0].entries[0].now, segments[0].entries[0].data)
        sealed = lane.decided
        lane.restore(segments[0].snapshot)
        step = engine.step

        def off_by_one(state, event, now, step=step, field=field):
            taken = step(state, event, now)
            setattr(state, field, getattr(state, field) ^ 1)
            return taken

        lane.core.engine.step = off_by_one
        try:
            lane.take(segments[0].entries[0].now, segments[0].entries[0].data)
        finally:
            lane.core.engine.step = step
        assert lane.decided != sealed, field


def test_the_reader_of_the_spec_reads_a_snapshot():
    bench = charging_story()
    bench.send(events.LEASE, 4, 9, 8000, 0, 1_800_000_000, 6000)
    bench.minutes(60)
    records = spec_reader.believed(KEY, b"wallbox trace", bench.trace_image())
    found = spec_reader.snapshots(records)
    assert len(found) == len(snapshots(bench)) == 5
    newest = found[-1]
    assert newest.core == cores.of_tree().hash and newest.configuration == b"config!!"
    assert newest.leases == {0: (4, 9, 8000, 0, 1_800_000_000, 6000)}
    assert (newest.lost, newest.identity, len(newest.state)) == (0, None, engine.STATE_SIZE)


def test_the_sum_of_decisions_is_as_the_spec_says(monkeypatch):
    total = 0
    steps = []
    step = engine.step

    def counted(state, event, now):
        nonlocal total
        taken = step(state, event, now)
        last = (state.refusals, state.limit_ma, state.due)
        total = spec_reader.note(total, 0, 0, *last)
        for decision in taken:
            if decision[0] >= decisions.LEVELS:
                total = spec_reader.note(total, decision[0], decision[1], *last)
                continue
            payload = bytearray(256)
            length = decisions.pack_into(payload, 0, decision)
            total = spec_reader.note(total, decision[0], length, *last)
            total = zlib.crc32(payload[:length], total)
        steps.append(len(taken))
        return taken

    monkeypatch.setattr(engine, "step", counted)
    bench = TracedBench()
    bench.known()
    bench.charge()
    bench.minutes(3)
    records = spec_reader.believed(KEY, b"wallbox trace", bench.trace_image())
    entries = [entry for record in records for _, entry in spec_reader.batch(record)]
    sealed = [entry for entry in entries if entry[0] == 0xF1]
    assert sealed[-1] == b"\xf1" + total.to_bytes(4, "little") and sum(steps) > 10
