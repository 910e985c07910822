"""The console alone, with the contactor open, on a locked box whose agent cannot run."""

import asyncio

import board
import machine

from .. import build, crash
from ..drivers import clock
from . import listener


def run(watchdog, why: str = "", wait_ms: int = 0) -> None:
    """For ever; with `why` it returns after so long, once nobody is logged in."""
    machine.Pin(board.CONTACTOR, machine.Pin.OUT, value=0)
    key = build.ledger_key()
    why = why or ("failed" if crash.latched() else "no identity")
    values, _error = build.configuration()
    now = clock.Clock("", 0, None).now
    ear = listener.Listener(key, now, None, why, values["serial"], values["type"])
    asyncio.run(_run(ear, watchdog, wait_ms))


async def _run(ear, watchdog, wait_ms: int) -> None:
    asyncio.create_task(ear.run())
    while not wait_ms or ear.now() < wait_ms or ear.open:
        watchdog.feed()
        await asyncio.sleep_ms(1000)
