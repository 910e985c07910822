"""What needs a person: tags, seal loops, the lamp. Each is waited for so long and no longer."""

import asyncio

from micropython import const

from ..core.rules import lifecycle
from . import FAIL, PASS, SKIP

_NO_READER = "no reader is fitted"
_COLOUR_MS = const(400)
_LOOPS = ("lid", "terminal cover")
_GENUINE = (0x91, 0x92, 0xB2, 0x88, 0x12)  # versions of MFRC522 and of those that do as it does


async def reader(run) -> tuple:
    tags = run.box.tags
    if not tags:
        return SKIP, "", None, _NO_READER
    if not await run.wait(lambda: tags.reader.works >= 0, 2000) or tags.reader.works != 1:
        return FAIL, "no answer", None, "look at the reader's cable and its supply"
    version = tags.reader.version
    measured = "version 0x%02x" % version
    do = "" if version in _GENUINE else "an unknown make; a test tap tells whether it works"
    return PASS, measured, {"version": version}, do


async def tap(run) -> tuple:
    tags = run.box.tags
    if not tags or not run.tap_ms:
        return SKIP, "", None, "not asked for" if tags else _NO_READER
    before = tags.taps
    run.tell("wait", "", None, "hold a tag to the reader within %d s" % (run.tap_ms // 1000))
    if not await run.wait(lambda: tags.taps != before, run.tap_ms):
        return FAIL, "no tag", None, "hold a tag flat to the reader; try another one"
    length = tags.tap_length
    return PASS, "%d bytes" % length, {"length": length}, ""


async def seals(run) -> tuple:
    if not run.box.seals_fitted:
        return SKIP, "", None, "no loops are fitted"
    await run.wait(lambda: not run.box.seals.open, 500)
    opened = _names(run.box.seals.open)
    if opened:
        return FAIL, "open: " + opened, {"open": opened}, "close it; check its loop and its plug"
    return PASS, "closed", {"open": ""}, ""


async def seals_open(run) -> tuple:
    """In service an opened loop would be tampering, so nobody is asked to open one."""
    box = run.box
    if not box.seals_fitted or not run.open_ms:
        return SKIP, "", None, "not asked for" if box.seals_fitted else "no loops are fitted"
    if lifecycle.armed(box.agent.state):
        return SKIP, "", None, "not in service: an opened loop would break the seal"
    opened: list = []
    for loop in range(len(_LOOPS)):
        name = _LOOPS[loop]
        run.tell("wait", "", None, "open the %s, and close it again" % name)
        if not await run.wait(lambda bit=loop: box.seals.open >> bit & 1, run.open_ms):
            do = "%s: its loop does not open; is it bridged?" % name
            return FAIL, "never open", {"opened": ", ".join(opened)}, do
        opened.append(name)
        if not await run.wait(lambda: not box.seals.open, run.open_ms):
            do = "%s: its loop does not close; check loop and plug" % name
            return FAIL, "stays open", {"opened": ", ".join(opened)}, do
    return PASS, "open and closed", {"opened": ", ".join(opened)}, ""


async def lamp(run) -> tuple:
    driver = run.box.lamp
    run.tell("wait", "", None, "look at the lamp: red, green, blue")
    try:
        for colour in (1, 2, 4):
            driver.test = colour
            await asyncio.sleep_ms(_COLOUR_MS)
    finally:
        driver.test = -1
    return PASS, "red, green, blue", None, "a person must have seen it"


def _names(bits: int) -> str:
    return ", ".join([_LOOPS[loop] for loop in range(len(_LOOPS)) if bits >> loop & 1])
