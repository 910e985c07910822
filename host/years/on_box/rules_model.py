# What the rules must never do, told a second time and in another way than the core does it.
#
# It watches events and facts, and asks after each step what may be and what may not. The tests of
# the rules and the simulated years ask the same one.

from wallbox.core import decisions, events, leases

from host.years.on_box.rules_model_box import Absence, Identity, Switch

C = events.C
FREE, REQUIRED = 0, 1
BY_TAG, BY_OPERATOR = 2, 3
BLOCKED = 1
OPEN = 2
GRANT_MS = 120_000
STALE_MS = 150_000
PAUSE_MS = 6000
SMART, GRID = 3, 4
SET, ENDED, REPLACED = 0, 1, 3
FOREVER = leases.ENDLESS_UTC_S
IN_SERVICE, ON_HOLD = 2, 4
SEALED = 3  # of a SEAL fact: new seals are on
PARTS = (decisions.INTERVAL, decisions.GAP_END, decisions.METER_ROLLOVER)


# why no power may flow; the pilot apart, no session may begin either
DENIALS = (
    "configuration",
    "a foreign chip",
    "not in service",
    "a seal",
    "moved",
    "the ledger",
    "the meter",
    "another meter",
    "a contactor that does not follow",
    "current without contactor",
    "offline for too long",
    "the pilot",
)


class Model:
    """One box as an onlooker sees it."""

    def __init__(self):
        self.config = [0] * 12
        self.told_mode = None
        self.leases = {}
        self.opt_out = self.override = 0
        self.moved = self.lifecycle = self.leaving = self.broken = 0
        self.leaving_told = 0  # as the ledger has it
        self.sealed = False  # at this step
        self.stopped = False
        self.session = None  # the fact of its begin
        self.tag_limit_ma = 0
        self.account = None  # (register, meter) up to which all Wh are in the ledger
        self.carried_wh = 0
        self.counts = {}
        self.met = set()  # all that has denied
        self.meter, self.absence = Identity(), Absence()
        self.power_off()

    def power_off(self):
        """The ledger keeps the rest."""
        if self.sealed:  # it was written; the power went off before the step was over
            self.broken, self.sealed = 0, False
        self.config = [0] * 12
        self.leaving = self.leaving_told
        self.letter = events.NONE
        self.keys = {}  # who may start, until when
        self.read_at = None
        self.meter_bad = self.ledger_full = self.ledger_failed = 0
        self.local_ma = {}
        self.switch = Switch()
        self.meter.power_off()
        self.absence.power_off()
        self.below_since = None
        self.must_end = False
        self.began_by = None
        self.mode = FREE if self.told_mode is None else self.told_mode
        self.tag_limit_ma = self.session[6] if self.session else 0

    def resumes(self):
        """The ledger was read again without a boot; what only a boot forgets still holds."""
        self.config = [0] * 12
        self.leaving = self.leaving_told
        self.letter = events.NONE
        self.keys = {}
        self.read_at = None
        self.meter_bad = self.ledger_full = self.ledger_failed = 0
        self.meter.power_off()
        self.below_since = None
        self.tag_limit_ma = self.session[6] if self.session else 0

    # what comes in

    def event(self, event, state, now):
        kind = event[0]
        self.state = state
        self.switch.event(event, now)
        self.meter.event(event)
        self.absence.event(event, now)
        if kind == events.CONFIG:
            self.config = list(event[:12])
            if self.told_mode is None and self.began_by is None:
                self.mode = event[6]
                self.began_by = "configuration"
        elif kind == events.PILOT and event[1] <= events.NONE:
            self.letter = event[1]
            if self.letter == events.A and state.session_phase:
                self.keys.clear()
        elif kind == events.METER_READING:
            self.read_at, self.meter_bad = now, 0
        elif kind in (events.METER_SILENT, events.METER_REFUSED):
            self.meter_bad = 1
        elif kind == events.LEDGER:
            self.ledger_full, self.ledger_failed = event[2], event[3]
        elif kind == events.LIFECYCLE:
            armed = IN_SERVICE <= self.lifecycle <= ON_HOLD
            pauses = self.lifecycle == IN_SERVICE and event[1] in (3, 4) and event[2] == 2
            gone = armed and event[1] == 5 and event[2] in (1, 2)
            self.leaving = self.leaving or pauses or gone
        elif kind == events.LOCAL_LIMIT and event[1] in (5, 6):
            self.local_ma[event[1]] = event[2]
        else:
            self._key(event, state, now)

    def _key(self, event, state, now):
        kind = event[0]
        if kind == events.REMOTE_START and event[1] == 0:
            self.keys["operator"] = now + GRANT_MS
        elif kind == events.TAG and event[1] == 0 and not event[6]:
            if not self._expired(event[5], now) and (event[2] != 1 or self.mode == REQUIRED):
                self.keys[bytes(event[8])] = now + GRANT_MS
        elif kind == events.TAG_STATUS:
            self._relisted(event, state, now)

    def _relisted(self, event, state, now):
        """What the list now says; who was started by the operator's word heeds a block alone."""
        name = bytes(event[4])
        refused = event[1] != 0 or self._expired(event[3], now)
        if refused:
            self.keys.pop(name, None)
        if not self.session or self.session[7] != name or len(name) != 8:
            return
        by_tag = self.session[4] == BY_TAG
        self.must_end = event[1] == BLOCKED or refused and by_tag
        if not self.must_end and by_tag and state.session_phase == OPEN:
            self.tag_limit_ma = event[2]

    def fact(self, fact, now):
        kind = fact[0]
        self.counts[kind] = self.counts.get(kind, 0) + 1
        self.meter.fact(fact)
        self.absence.fact(fact)
        if kind == decisions.MODE:
            if fact[2] == 0:
                self.mode = self.told_mode = fact[1]
        elif kind == decisions.LIFECYCLE:
            self.lifecycle, self.leaving, self.leaving_told = fact[4], 0, 0
        elif kind == decisions.LEAVING:
            self.leaving_told = 1
        elif kind == decisions.SEAL:
            self.sealed = fact[3] == SEALED
        elif kind == decisions.PLACE:
            self.moved = 1 - fact[3]
        elif kind == decisions.PREFERENCE:
            self.opt_out, self.override = fact[1], fact[2]
        elif kind == decisions.LIMIT:
            self._leased(fact[1], fact[2:8])
        elif kind == decisions.SESSION_BEGIN:
            self._begins(fact, now)
        elif kind == decisions.SESSION_END:
            self._ends(fact)
        elif kind == decisions.SESSION_STOP or kind == decisions.TAG and fact[3] == 2:
            assert self.session, "a stop of nothing"
            self.stopped = True
        elif kind in PARTS or kind == decisions.METER:
            self._counts(fact)

    def _leased(self, change, lease):
        """Leases of a source hold beside each other; after its end a fallback holds."""
        source, number, _limit_ma, from_utc_s, _until_utc_s, fallback_ma = lease
        if change == SET:
            self.leases[number] = lease
        elif change == ENDED and fallback_ma != leases.NONE_MA:
            self.leases[number] = (source, number, fallback_ma, from_utc_s, FOREVER, fallback_ma)
        elif change != REPLACED or self.leases[number][2:] == lease[2:]:
            del self.leases[number]
        if source != SMART:
            assert sum(of == source for of, *_ in self.leases.values()) <= 4, "too many"

    def _begins(self, fact, now):
        assert self.session is None, "two sessions at once"
        assert fact[4] in (1, BY_TAG, BY_OPERATOR)
        if self.mode == REQUIRED or fact[4] != 1:
            key = "operator" if fact[4] == BY_OPERATOR else fact[7]
            assert fact[4] != 1, "nobody's session though the reader is required"
            assert self.keys.get(key, -1) > now, "a session by who may not"
        assert not self.denials(now, starting=True), self.denials(now, starting=True)
        self.keys.clear()
        self.session = fact
        self.carried_wh = 0
        self.tag_limit_ma = fact[6]

    def _ends(self, fact):
        begin = self.session
        assert begin is not None and fact[3] == begin[3], "the end of a session that never began"
        assert fact[4] == self.carried_wh + fact[1] - begin[1], "a session's Wh are registers"
        assert fact[4] >= 0
        self.session = None
        self.must_end = self.stopped = False
        self.tag_limit_ma = 0
        self.override = 0

    def _counts(self, fact):
        """Each part goes on where the one before ended: nothing lost, nothing twice."""
        if fact[0] == decisions.METER:
            self.account = fact[1:3]
            return
        full_wh = fact[4] if fact[0] == decisions.METER_ROLLOVER else 0
        assert fact[2] == self.account[1], "energy of another meter"
        assert fact[3] == fact[1] + full_wh - self.account[0], "Wh lost or invented"
        self.account = fact[1:3]
        self.carried_wh += full_wh

    # what may be

    def denials(self, now, starting=False):
        """Why no power may flow, or with `starting` why no session may begin."""
        found = []
        if not self.config[1]:
            found.append("configuration")
        if self.config[10]:
            found.append("a foreign chip")
        if self.lifecycle != IN_SERVICE or self.leaving:
            found.append("not in service")
        if self.broken and (self.config[5] > 1 or self.config[5] == 1 and starting):
            found.append("a seal")
        if self.moved:
            found.append("moved")
        if self.ledger_failed or self.ledger_full and starting:
            found.append("the ledger")
        if self.meter_bad or self.read_at is None or now >= self.read_at + STALE_MS:
            found.append("the meter")
        if self.meter.exchanged:
            found.append("another meter")
        if self.switch.failed:
            found.append("a contactor that does not follow")
        if self.switch.stray:
            found.append("current without contactor")
        utc_s = self._utc_s(self.state, now) if self._clock(self.state) else None
        if starting and self.absence.longer_than(self.config[7], now, utc_s):
            found.append("offline for too long")
        if not starting and self.letter != C:
            found.append("the pilot")
        return found

    def limits(self, state, now):
        """mA of everything that limits now."""
        found = [self.config[2], self.config[4] or leases.NONE_MA]
        found.append(self.tag_limit_ma or leases.NONE_MA)
        found += self.local_ma.values()
        utc_s = self._utc_s(state, now)
        for source, _number, limit_ma, from_utc_s, until_utc_s, fallback_ma in self.leases.values():
            if source == SMART and (self.override or not self._clock(state)):
                continue
            if source == GRID and self.opt_out:
                continue
            if not self._clock(state):
                known = state.accounted_quality >= events.RELATIVE
                over = known and now >= (until_utc_s - state.accounted_utc_s) * 1000
                found.append(fallback_ma if over else min(limit_ma, fallback_ma))
            elif utc_s >= from_utc_s:
                found.append(limit_ma if utc_s < until_utc_s else fallback_ma)
        return found

    def check(self, state, event, out, now):
        levels = [decision for decision in out if decision[0] >= decisions.LEVELS]
        facts = [at for at, decision in enumerate(out) if decision[0] < decisions.LEVELS]
        if facts and (decisions.CONTACTOR, 0) in levels:
            assert out.index((decisions.CONTACTOR, 0)) < facts[0], "first deny, then write"
        if facts and (decisions.CONTACTOR, 1) in levels:
            assert out.index((decisions.CONTACTOR, 1)) > facts[-1], "first write, then grant"
        self._check_seals(state, event)
        least_ma = min(self.limits(state, now))
        assert state.limit_ma == least_ma, (state.limit_ma, least_ma, self.limits(state, now))
        if state.duty_permille < 1000:
            assert 100 <= state.duty_permille <= least_ma // 60, "more is offered than is allowed"
            denied = [one for one in self.denials(now) if one != "the pilot"]
            assert not denied, "an offer, but there is %s" % denied
            assert self.letter in (events.B, C), "an offer to letter %d" % self.letter
        if state.contactor:
            assert state.refusals == 0, "power though a rule refuses"
            assert not self.denials(now), self.denials(now)
            assert self.session is not None, "power without a session"
        if self.must_end or self.stopped:
            assert state.session_phase != OPEN, "a session of who may not charge any more"
        self._check_pause(state, least_ma, now)
        self.switch.performs(out, now)
        self.met.update(self.denials(now, starting=True))
        assert state.due >= now

    def _check_seals(self, state, event):
        gone = self.broken & ~state.seal_broken
        if gone:
            assert event[0] == events.SEALED and 0 < len(event[1]), "a seal healed by itself"
            assert state.seal_open == 0
        if event[0] == events.SEAL and IN_SERVICE <= self.lifecycle <= ON_HOLD:
            assert (event[1] | event[2]) & ~state.seal_broken == 0, "an open seal that nobody saw"
        self.broken, self.sealed = state.seal_broken, False

    def _check_pause(self, state, least_ma, now):
        if not state.contactor or least_ma >= 6000:
            self.below_since = None
        elif self.below_since is None:
            self.below_since = now
        else:
            assert now < self.below_since + PAUSE_MS, "below 6 A for too long"

    def _expired(self, expires_utc_s, now):
        state = self.state
        return expires_utc_s and self._clock(state) and self._utc_s(state, now) >= expires_utc_s

    @staticmethod
    def _clock(state):
        return state.clock_quality >= events.RELATIVE

    @staticmethod
    def _utc_s(state, now):
        return (state.clock_utc_ms + now - state.clock_at) // 1000
