"""What is done, stage by stage, when there is a network but no broker (docs/mqtt.md)."""

from micropython import const

WIFI = const(0)
REBOOT = const(1)

_MINUTE_MS = const(60_000)
_HOUR_MS = const(3_600_000)
_DAY_MS = const(86_400_000)

# failed attempts since there was a broker, ms since then, ms until the stage comes again,
# ms since boot at least
_STAGES = (
    (8, 10 * _MINUTE_MS, _HOUR_MS, 0),
    (30, 6 * _HOUR_MS, _DAY_MS, _DAY_MS),  # so at most once a day, though a reboot forgets
)


class Recovery:
    """perform(stage) -> bool: False if it may not be done now, then it is asked again."""

    def __init__(self, perform):
        self._perform = perform
        self._due = [stage[3] for stage in _STAGES]
        self.failures = 0  # attempts in a row that never reached the broker
        self.since = 0  # ms since boot

    def reached(self, now):
        """The broker answered, be it with a refusal."""
        self.failures = 0
        self.since = now

    def failed(self, now):
        """An attempt with a network under it brought no answer of a broker."""
        self.failures += 1
        for stage in (REBOOT, WIFI):
            failures, after_ms, again_ms, _ = _STAGES[stage]
            due = self.failures >= failures and now - self.since >= after_ms
            if due and now >= self._due[stage] and self._perform(stage):
                self._due[stage] = now + again_ms
                return
