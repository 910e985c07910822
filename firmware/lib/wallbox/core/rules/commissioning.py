"""No valid configuration, no charge; the configuration in force is part of the record."""

from .. import decisions, events, refusals


def handle(state, event, now: int, out: list) -> None:
    kind = event[0]
    if kind == events.CONFIG:
        state.config_valid = event[1]
        state.installation_limit_ma = event[2]
        state.interval_s = event[3]
        out.append((decisions.CONFIGURATION, event[4]))
    elif kind == events.BOOT and event[2] != events.RESUMED:
        out.append((decisions.BOOT, event[2], event[7]))


def refuse(state) -> int:
    return 0 if state.config_valid else 1 << refusals.CONFIGURATION
