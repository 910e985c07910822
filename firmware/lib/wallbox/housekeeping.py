"""House-keeping: what is neither urgent nor allowed to be forgotten."""

import asyncio

from micropython import const

from . import agent as agents
from . import crash, lock
from .core import clock as core_clock
from .core import events
from .core.rules import lifecycle
from .store import StoreError

_KEEP_MS = const(1000)
_TRACE_MS = const(10_000)
_WATERMARK_MS = const(3_600_000)  # one that is lost is only asked for again
_HEALTHY_MS = const(60_000)  # after that long a boot was no crash
_REPORT_MS = const(30_000)
_RECOVER_MS = const(60_000)  # between two attempts to go on after the ledger took nothing
_SEARCH_MS = const(900_000)  # until sectors that failed are tried again, if there are no others


async def keep(box) -> None:
    """House-keeping: what is neither urgent nor allowed to be forgotten."""
    taken, acknowledged, reported_at, healthy, dated, locked = 0, 0, 0, False, False, False
    while True:
        await asyncio.sleep_ms(_KEEP_MS)
        now = box.clock.now()
        if box.agent.taken != taken or not box.inbox.take():
            box.watchdog.feed()  # the agent takes what comes
        taken = box.agent.taken
        try:
            _keep_flash(box, now)
        except StoreError as error:
            box.agent.halt(error, now)
        if box.ledger.acknowledged != acknowledged or now - reported_at >= _REPORT_MS:
            acknowledged = box.ledger.acknowledged
            reported_at = now
            box.link.status_changed()
        box.commands.service(now)
        box.report.say(now)
        if not dated and core_clock.valid(box.agent.state):
            dated = True
            box.recheck()  # a tag may have expired while the power was off
        if not locked and lifecycle.armed(box.agent.state):
            locked = True
            lock.put(1)
        if not healthy and now >= _HEALTHY_MS:
            healthy = True
            crash.clear()


def _keep_flash(box, now: int) -> None:
    if now - box.flushed_at >= _TRACE_MS:
        box.flushed_at = now
        box.agent.flush_trace(now)
        box.report.watch()
    if now - box.marked_at >= _WATERMARK_MS:
        box.marked_at = now
        box.ledger.flush_acknowledged()
    box.chores = True  # done when the bus is at rest next
    box.agent.tell_ledger()
    if now - box.searched_at >= _SEARCH_MS:
        box.searched_at = now
        box.ledger.search_again()
        box.trace.search_again()
    if box.agent.halted and now - box.recovered_at >= _RECOVER_MS:
        box.recovered_at = now
        if box.ledger.fill_permille < agents.FULL_PERMILLE:
            box.recover(events.RESUMED)


def use_idle_time(box, now: int) -> None:
    """One thing that stalls, while the meter says nothing and no seal is to be told."""
    try:
        if box.ledger.erase_ahead():
            return
    except StoreError as error:
        box.agent.halt(error, now)
    try:
        if not box.trace.erase_ahead() and box.tags:
            box.tags.save()
    except StoreError as error:
        box.agent.trace_lost(error)
