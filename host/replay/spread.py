"""Plays a log on all cores of this machine: pieces of it that begin at a snapshot."""

from __future__ import annotations

import gc
import multiprocessing
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from wallbox.store.record import PAYLOAD_AT

from host.replay.cores import Core
from host.replay.play import Lanes, Played, play
from host.replay.segments import Segment, begins_segment, read_segments, snapshot_end

RECORDS_LEAST = 4000  # in a piece; less is not worth a process
PIECES = 16  # a worker, so that progress shows and none waits long for the others
_KIND_AT = PAYLOAD_AT + 3  # of the first entry
_HASH_AT = PAYLOAD_AT + 3 + 2 + 2  # entry, kind and number, format and loss

Result = TypeVar("Result")
Progress = Callable[[float], None]


@dataclass(frozen=True)
class Task:
    """What to play. `wanted`: hashes of the cores that decided, None: all. `on`: to the end."""

    core: Core
    layouts: Mapping[bytes, str]
    wanted: frozenset[bytes] | None = None
    on: bool = False
    digests: bool = False


def cores_in(records: Sequence[bytes]) -> dict[bytes, int]:
    """The hashes of the cores that decided, in the order of the log, each with its segments."""
    found: dict[bytes, int] = {}
    likely = [at for at, record in enumerate(records) if record[_KIND_AT : _KIND_AT + 1] == b"\xf0"]
    for at in likely:
        record = records[at]
        if begins_segment(record) and snapshot_end(records, at):
            core = record[_HASH_AT : _HASH_AT + 8]
            found[core] = found.get(core, 0) + 1
    return found


def segments_of(
    records: Sequence[bytes], wanted: frozenset[bytes] | None = None
) -> Iterator[Segment]:
    """Those whose core is wanted."""
    for segment in read_segments(records):
        if wanted is None or segment.core in wanted:
            yield segment


def workers_of(wanted: int | None) -> int:
    """So many processes: as wanted, else as many as there are cores to use."""
    if wanted:
        return wanted
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def spread(
    records: Sequence[bytes], workers: int, work: Callable[[Sequence[bytes]], Result],
    progress: Progress = lambda part: None,
) -> Iterator[Result]:
    """What `work`, which is handed to other processes, makes of each piece, in their order."""
    pieces = list(_pieces(records, workers))
    if len(pieces) == 1:
        yield work(records)
        progress(1.0)
        return
    context = multiprocessing.get_context("spawn" if os.name == "nt" else None)
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        waiting = [
            pool.submit(_elsewhere, work, b"".join(records[begin:end])) for begin, end in pieces
        ]
        try:
            for number, one in enumerate(waiting):
                yield one.result()
                progress((number + 1) / len(waiting))
        finally:
            pool.shutdown(cancel_futures=True)


def _elsewhere(work: Callable[[Sequence[bytes]], Result], joined: bytes) -> Result:
    """In another process, to which one large object comes faster than many small ones."""
    records = []
    at, end = 0, len(joined)
    while at < end:
        behind = at + joined[at]
        records.append(joined[at:behind])
        at = behind
    gc.disable()  # nothing here makes cycles, and looking for them takes its time
    try:
        return work(records)
    finally:
        gc.enable()


def play_all(
    records: Sequence[bytes], task: Task, workers: int, progress: Progress = lambda part: None
) -> Played:
    """As play() of all of it. Stops at the first difference, unless task.on."""
    whole = Played()
    for played in spread(records, workers, partial(_play, task), progress):
        _add(whole, played)
        if whole.differences and not task.on:
            break
    return whole


def _play(task: Task, records: Sequence[bytes]) -> Played:
    lanes = Lanes(task.core.load(), task.layouts)
    return play(segments_of(records, task.wanted), lanes, task.on, task.digests)


def _add(whole: Played, played: Played) -> None:
    """A piece ends with the snapshot that the next one begins with; both tell if it is damaged."""
    whole.checked.add(played.checked)
    known = {(one.what, one.segment) for one in whole.differences}
    whole.differences += [one for one in played.differences if (one.what, one.segment) not in known]
    whole.digests += played.digests


def _pieces(records: Sequence[bytes], workers: int) -> Iterator[tuple[int, int]]:
    """(from, to) of pieces; `to` is behind the snapshot that ends a piece."""
    size = max(RECORDS_LEAST, len(records) // (workers * PIECES) + 1)
    begin = 0
    while workers > 1 and begin + 2 * size < len(records):
        at, end = begin + size, 0
        while at < len(records) and not end:
            at += 1
            end = snapshot_end(records, at)
        if not end:
            break
        yield begin, end
        begin = at
    yield begin, len(records)
