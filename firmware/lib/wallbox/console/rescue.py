"""The console alone, with the contactor open, on a locked box whose agent cannot run."""

import asyncio

import board
import machine

from .. import build, crash
from ..drivers import clock
from . import listener


def run(watchdog) -> None:
    """For ever."""
    machine.Pin(board.CONTACTOR, machine.Pin.OUT, value=0)
    key = build.ledger_key()
    why = "failed" if crash.latched() else "no identity"
    values, _error = build.configuration()
    now = clock.Clock("", 0, None).now
    ear = listener.Listener(key, now, None, why, values["serial"], values["type"])
    asyncio.run(_run(ear, watchdog))


async def _run(ear, watchdog) -> None:
    asyncio.create_task(ear.run())
    while True:
        watchdog.feed()
        await asyncio.sleep_ms(1000)
