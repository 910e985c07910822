"""No valid configuration, no charge; which one and which firmware is in force is on record (U1)."""

from .. import decisions, events, refusals
from . import storage


def recall(state, fact, utc_s: int, quality: int) -> None:
    if fact[0] == decisions.FIRMWARE:
        state.firmware_id = _id(fact[3])


def handle(state, event, now: int, out: list) -> None:
    kind = event[0]
    if kind == events.CONFIG:
        state.config_valid = event[1]
        state.installation_limit_ma = event[2]
        state.interval_next_s = event[3] or state.interval_next_s
        state.cable_limit_ma = event[4]
        state.seal_policy = event[5]
        state.offline_grace_h = event[7]
        state.digest = event[11]
    elif kind == events.BOOT and event[2] != events.RESUMED:
        out.append((decisions.BOOT, event[2], event[7]))
        _firmware(state, event[7], out)
    if state.digest is not None and not storage.saving(state):
        out.append((decisions.CONFIGURATION, state.digest))
        state.digest = None


def _firmware(state, firmware: bytes, out: list) -> None:
    """Which firmware measured from which register on."""
    if state.firmware_id != _id(firmware):
        state.firmware_id = _id(firmware)
        out.append((decisions.FIRMWARE, state.accounted_wh, state.meter_id, firmware))


def _id(firmware: bytes) -> int:
    """FNV-1a, 30 bits: only to tell whether it has changed."""
    value = 0x11C9DC5
    for byte in firmware:
        value = (value ^ byte) * 0x193 & 0x3FFFFFFF
    return value


def refuse(state) -> int:
    return 0 if state.config_valid else 1 << refusals.CONFIGURATION
