# What an onlooker knows of the box's contactor, meter and link: faults and absence.
#
# Told in another way than the core does it: by what was seen and when, not by counters of its own.

from wallbox.core import decisions, events

FOLLOW_MS = 500
SETTLED_MS = 5000
STRAY_MA = 1000
HOUR_MS = 3_600_000
RESUMED, DELIVERED, LINK_CODES = 0, 2, 11


class Switch:
    """The contactor as told and as it answers, and the current of the latest readings."""

    def __init__(self):
        self.told = self.answers = self.told_at = 0
        self.failed = self.stray = False
        self.strays = []  # the latest readings at rest: True if a current flowed

    def event(self, event, now):
        if event[0] == events.CONTACTOR:
            self.answers = event[1]
        elif event[0] == events.METER_READING:
            at_rest = not self.told and not self.answers and now - self.told_at >= SETTLED_MS
            flows = at_rest and any(event[6 + phase] >= STRAY_MA for phase in range(3))
            self.strays = self.strays[-1:] + [flows]
            self.stray = self.stray or self.strays == [True, True]
        if self.told != self.answers and now - self.told_at >= FOLLOW_MS:
            self.failed = True

    def performs(self, out, now):
        for kind, value in [decision[:2] for decision in out]:
            if kind == decisions.CONTACTOR:
                self.told, self.told_at = value, now


class Identity:
    """Which meter answers, and which one the ledger or the operator says it must be."""

    def __init__(self):
        self.pinned = self.approved = self.first = self.answers = 0

    def power_off(self):
        self.first = self.answers = 0

    def event(self, event):
        if event[0] == events.METER_IDENTITY:
            self.answers = event[1]
            if not self.pinned and not self.approved and not self.first:
                self.first = event[1]

    def fact(self, fact):
        if fact[0] == decisions.METER:
            self.pinned, self.approved = fact[2], 0
        elif fact[0] == decisions.METER_EXCHANGE:
            self.approved = fact[3]

    @property
    def exchanged(self):
        expected = self.approved or self.pinned or self.first
        return self.answers != 0 and self.answers != expected


class Absence:
    """Since when the operator does not answer: by the box's uptime, and by the ledger."""

    def __init__(self):
        self.since = self.told_utc_s = None

    def power_off(self):
        self.since = None

    def event(self, event, now):
        if event[0] == events.BOOT and event[2] != RESUMED:
            self.since = now
        elif event[0] == events.LINK and event[1] == DELIVERED:
            self.since = None
        elif event[0] == events.LINK and event[1] < LINK_CODES and self.since is None:
            self.since = now

    def fact(self, fact):
        if fact[0] == decisions.ABSENCE_BEGIN:
            self.told_utc_s = fact[3] if fact[4] >= events.RELATIVE else None
        elif fact[0] == decisions.ABSENCE_END:
            self.told_utc_s = None

    def longer_than(self, hours, now, utc_s):
        """utc_s: None while the clock is not known."""
        if not hours or self.since is None:
            return False
        if now - self.since >= hours * HOUR_MS:
            return True
        if utc_s is None or self.told_utc_s is None:
            return False
        return (utc_s - self.told_utc_s) * 1000 >= hours * HOUR_MS
