"""Meter, phases, register, pilot, contactor."""

import asyncio

from micropython import const

from ..core import events
from ..core.rules import OPEN
from ..core.rules import lifecycle as life
from ..drivers import meter_reasons
from . import FAIL, PASS, SKIP

_READING_MS = const(5000)
_LEAST_MV = const(207_000)  # 230 V less and more 10 %, EN 50160
_MOST_MV = const(253_000)
_IDLE_MA = const(100)
_CLOSED_MS = const(500)
_LOOK_MS = const(20)
_SETTLE_MS = const(60)

_BANDS_MV = ((events.A, 10_500, 13_000), (events.B, 7_500, 10_500), (events.C, 4_500, 7_500))


async def meter(run) -> tuple:
    sampling, now = run.box.sampling, run.box.clock.now()
    sampling.want(now)
    driver = sampling.meter
    if not await run.wait(lambda: driver.reading.read_at_ms >= now, _READING_MS):
        return FAIL, "no reading", None, _reason(driver)
    identity = driver.identity
    values = {
        "vendor": identity.vendor,
        "model": identity.model,
        "serial": identity.serial,
        "meter_id": identity.meter_id,
    }
    return PASS, "%s %s" % (identity.model, identity.serial), values, ""


def _reason(driver) -> str:
    if driver.reason == meter_reasons.NONE:
        return "check the meter's supply, its bus, meter.model and meter.address"
    from .. import forget

    text = driver.explain()
    forget("wallbox.drivers", "meter_texts")
    return text


async def phases(run) -> tuple:
    reading = run.box.sampling.meter.reading
    if reading.read_at_ms < 0:
        return FAIL, "no reading", None, "put the meter right first"
    volts_mv = (reading.voltage_l1_mv, reading.voltage_l2_mv, reading.voltage_l3_mv)
    values = {
        "l1_mv": volts_mv[0],
        "l2_mv": volts_mv[1],
        "l3_mv": volts_mv[2],
        "frequency_mhz": reading.frequency_mhz,
        "rotation": run.box.phase_rotation,
    }
    missing = [
        "L%d" % (phase + 1) for phase in range(3) if not _LEAST_MV <= volts_mv[phase] <= _MOST_MV
    ]
    measured = "%s V" % " ".join(["%d.%d" % (one // 1000, one % 1000 // 100) for one in volts_mv])
    if missing:
        do = "%s: 207 to 253 V are right; check breaker and terminals" % ", ".join(missing)
        return FAIL, measured, values, do
    return PASS, measured, values, ""


async def register(run) -> tuple:
    reading = run.box.sampling.meter.reading
    if reading.read_at_ms < 0:
        return FAIL, "no reading", None, "put the meter right first"
    watt_hours = reading.register_wh
    measured = "%d.%03d kWh" % (watt_hours // 1000, watt_hours % 1000)
    return PASS, measured, {"register_wh": watt_hours}, "compare it with the meter's display"


async def idle_current(run) -> tuple:
    box = run.box
    if box.charging():
        return SKIP, "", None, "a car charges"
    if box.contactor.closed():
        return FAIL, "closed", None, "the contactor reports closed; check contactor and feedback"
    now = box.clock.now()
    box.sampling.want(now)
    reading = box.sampling.meter.reading
    if not await run.wait(lambda: reading.read_at_ms >= now, _READING_MS):
        return FAIL, "no reading", None, "put the meter right first"
    amps_ma = (reading.current_l1_ma, reading.current_l2_ma, reading.current_l3_ma)
    values = {"l1_ma": amps_ma[0], "l2_ma": amps_ma[1], "l3_ma": amps_ma[2]}
    measured = "%d %d %d mA" % amps_ma
    for one in amps_ma:
        if one > _IDLE_MA or one < -_IDLE_MA:
            do = "current flows past the open contactor; look for a wire behind the meter"
            return FAIL, measured, values, do
    return PASS, measured, values, ""


async def pilot(run) -> tuple:
    driver = run.box.pilot
    shown = driver.band()  # of a test plug, too, which is no car
    values = {
        "letter": events.LETTERS[shown],
        "high_mv": driver.high_mv,
        "low_mv": driver.low_mv,
    }
    measured = "%s, %d mV" % (values["letter"], driver.high_mv)
    for letter, least_mv, most_mv in _BANDS_MV:
        if letter == shown and least_mv <= driver.high_mv < most_mv:
            return PASS, measured, values, ""
    do = "check the pilot's wire and driver; without car or plug it has +12 V"
    return FAIL, measured, values, do


async def contactor(run) -> tuple:
    box = run.box
    closed = box.contactor.closed()
    if closed != box.agent.state.contactor:
        return FAIL, "closed" if closed else "open", {"closed": closed}, (
            "it is not as commanded; check coil, contactor and feedback"
        )
    if not run.close_contactor:
        return PASS, "closed" if closed else "open", {"closed": closed}, ""
    why = _unsafe(box)
    if why:
        return SKIP, "closed" if closed else "open", {"closed": closed}, why
    try:
        box.senses.contactor_held = True
        followed = await _closes(box)
        opened = await run.wait(lambda: not box.contactor.closed(), _CLOSED_MS)
    finally:
        box.senses.contactor_held = False
    if not followed:
        return FAIL, "stays open", {"closed": 0}, "check the coil's supply, and the feedback"
    if not opened:
        return FAIL, "stays closed", {"closed": 1}, "switch off at the breaker: it is welded"
    return PASS, "closed and opened", {"closed": 0}, ""


def _unsafe(box) -> str:
    """Why the contactor must not be closed for a test, "" if nothing speaks against it."""
    state = box.agent.state
    if state.lifecycle != life.COMMISSIONED:
        return "only while the box is commissioned, and not in service"
    if state.session_phase == OPEN or state.contactor:
        return "a session runs"
    if state.letter != events.A or box.pilot.letter != events.A:
        return "something is plugged in; only at pilot A"
    if box.seals.open:
        return "a seal loop is open; close lid and terminal cover"
    if state.contactor_failed or state.stray:
        return "the contactor is faulty; see why"
    return ""


async def _closes(box) -> bool:
    """Closed for half a second at most, and open at once when somebody plugs in or opens."""
    followed = False
    try:
        box.contactor.set(1)
        until = box.clock.now() + _CLOSED_MS - 2 * _SETTLE_MS
        while not _unsafe(box):
            late = box.clock.now() >= until
            followed = box.contactor.closed() == 1  # after the time, too: others may have had it
            if followed or late:
                break
            await asyncio.sleep_ms(_LOOK_MS)
    finally:
        box.contactor.set(0)
    await asyncio.sleep_ms(_SETTLE_MS)
    return followed
