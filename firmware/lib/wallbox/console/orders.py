"""What each verb does: async order(reply, arguments) -> (status, info, further fields).

A verb's function has its name, with _. reply: as talk.py; without an agent its console has no box.
"""

import asyncio

import machine
from micropython import const

from .. import build
from .. import crash as crashes
from ..commands import ACCEPTED, SCHEDULED

_TEXT_PIECE = const(160)
_DONE: tuple = (ACCEPTED, "", {})


async def status(reply, _given) -> tuple:
    console = reply.console
    if console.box:
        tree = console.box.report.tree()
    else:
        from . import words

        tree = words.health(console)
    return await _parts(reply, tree)


async def why(reply, _given) -> tuple:
    from .. import why as answers

    box = reply.console.box
    state = box.agent.state
    tree = answers.why(state, box.clock.now())
    told = {"refusals": [name for name in [tree["why"]] if state.refusals] + tree["losers"]}
    for key in ("why", "limit_ma", "limit_by", "en", "da"):
        told[key] = tree[key]
    return await _parts(reply, told)


async def _parts(reply, tree: dict) -> tuple:
    for key in tree:
        reply.part({key: tree[key]})
        await asyncio.sleep_ms(0)
    return _DONE


async def ledger(reply, given) -> tuple:
    from . import sectors

    box = reply.console.box
    device = box.ledger.device if box else build.partition("ledger")
    answer = await sectors.export(reply, device, given[0], given[1])
    if box:
        answer[2]["sequence"] = box.ledger.next_sequence - 1
        answer[2]["acknowledged"] = box.ledger.acknowledged
        answer[2]["head"] = box.ledger.head
    return answer


async def trace(reply, given) -> tuple:
    from . import sectors

    box = reply.console.box
    if box:
        box.agent.flush_trace(box.clock.now())
    device = box.trace.device if box else build.partition("trace")
    return await sectors.export(reply, device, given[0], given[1])


async def seal(reply, given) -> tuple:
    from ..commands import orders

    return orders.seal(reply.console.box, given) + ({},)


async def lifecycle(reply, given) -> tuple:
    from . import partner

    return partner.lifecycle(reply.console.box, given[0])


async def decommission(reply, given) -> tuple:
    from . import partner

    return partner.decommission(reply.console.box, given[0])


async def wipe(reply, given) -> tuple:
    from . import wipe as wiping

    return await wiping.wipe(reply, *given)


async def crash(reply, _given) -> tuple:
    reply.part({"crashes": crashes.count()})
    text = crashes.text()
    for at in range(0, len(text), _TEXT_PIECE):
        reply.part({"text": text[at : at + _TEXT_PIECE]})
        await asyncio.sleep_ms(0)
    return _DONE


async def clear_fault(_reply, _given) -> tuple:
    crashes.clear()
    return _DONE


async def restart(reply, given) -> tuple:
    if reply.console.box:
        from ..commands import orders

        return orders.reboot(reply.console.box, given) + ({},)
    asyncio.create_task(_reset())
    return SCHEDULED, "within 3 s", {}


async def _reset() -> None:
    await asyncio.sleep_ms(1000)
    machine.reset()

