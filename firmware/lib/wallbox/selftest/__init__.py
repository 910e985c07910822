"""The self-test: each part of the box by what its running drivers already know.

A test is async test(run) -> (result, measured, values, what to do). It asks no bus by itself, so
it never fights the agent; what it waits for is bounded. docs/console.md is the list.
"""

import asyncio

from micropython import const

from .. import forget
from ..commands import ACCEPTED, REJECTED

PASS = "pass"
FAIL = "fail"
SKIP = "skip"

STEP_MS = const(50)

# modules, and their tests in the order in which they run
_TESTS = (
    ("electric", "meter phases register idle-current pilot contactor"),
    ("people", "reader tap seals seals-open lamp"),
    ("network", "wifi address dns time tls broker acknowledged"),
)


class Run:
    """One run. box: as box.py; tap_s, open_s: how long a person is waited for, 0 = not at all."""

    def __init__(self, reply, box, tap_s: int, open_s: int, contactor):
        self.reply = reply
        self.box = box
        self.tap_ms = tap_s * 1000
        self.open_ms = open_s * 1000
        self.close_contactor = bool(contactor)
        self.name = ""
        self.sequence = box.ledger.next_sequence - 1  # when it began

    def tell(self, result: str, measured: str, values, do: str) -> None:
        part = {"name": self.name, "result": result, "measured": measured, "do": do}
        if values:
            part["values"] = values
        self.reply.part(part)

    async def wait(self, condition, limit_ms: int) -> bool:
        """Until condition() is true; False if it was not in time."""
        until = self.box.clock.now() + limit_ms
        while not condition():
            if self.box.clock.now() >= until:
                return False
            await asyncio.sleep_ms(STEP_MS)
        return True


async def run(reply, only: str, tap_s: int, open_s: int, contactor) -> tuple:
    chosen = [name for name in only.split(" ") if name]
    known = " ".join([names for _module, names in _TESTS]).split(" ")
    for name in chosen:
        if name not in known:
            return REJECTED, "only: %s is no test" % name[:20], {}
    going = Run(reply, reply.console.box, tap_s, open_s, contactor)
    counts = {PASS: 0, FAIL: 0, SKIP: 0}
    for module, names in _TESTS:
        for name in names.split(" "):
            if chosen and name not in chosen:
                continue
            going.name = name
            test = getattr(_load(module), name.replace("-", "_"))
            result, measured, values, do = await test(going)
            counts[result] += 1
            going.tell(result, measured, values, do)
        forget("wallbox.selftest", module)
    told = {"passed": counts[PASS], "failed": counts[FAIL], "skipped": counts[SKIP]}
    return ACCEPTED, "", told


def _load(module: str):
    if module == "electric":
        from . import electric

        return electric
    if module == "people":
        from . import people

        return people
    from . import network

    return network
