# Who watches one box and objects: the rules' model after each step, the ledger's promises, seals,
# energy by the site's own account.

from binascii import crc32

from wallbox.core import decisions, events

from host.years.on_box.collector import Wrong
from host.years.on_box.rules_model import IN_SERVICE, ON_HOLD, SEALED, Model

STATE, WATERMARK = 61, 62
LATE_WH = 2600  # of a session whose last register is an old one: 400 s at 22 kW
GOOD = 0
IDLE_MS = 10_800_000  # a box whose ledger takes nothing goes on, once nothing hinders it
LAST = 32
TAP_MS = 3000  # a tag held too long is no second tap


class Onlooker:
    def __init__(self, rig):
        self.rig = rig
        self.site = rig.site
        self.model = Model()
        self.box = None
        self.steps = 0
        self.facts = 0
        self.promised = {}  # sequence: check of kind and payload, until the collector has it
        self.next_sequence = 1
        self.lost = {}  # sequences that rot has taken
        self.command = 0  # number of the last order that was taken
        self.tap, self.tap_at, self.second_tap = b"", 0, False
        self.must_be_broken = 0  # bits of seals, by what has happened to the loops
        self.session_drawn = 0
        self.session_tainted = False
        self.kwh_checked = 0
        self.fact_at = 0
        self.sessions = 0
        self.account_utc_s = 0
        self.interval_s = self.interval_most_s = 0  # by the configuration; of the running one
        self.last_now = 0
        self.halts = 0
        self.hindered_at = 0  # when the ledger took something, or could not
        self._last = [None] * LAST  # steps, for whoever wants to know how it came to this

    def recent(self):
        """The last events and facts, oldest first: [ms, number of the step, what, values]."""
        found = [self._last[(self.steps + at) % LAST] for at in range(1, LAST + 1)]
        return [entry for entry in found if entry is not None]

    def written(self):
        """How many facts of each kind, by name."""
        names = decisions.facts()
        counts = self.model.counts
        return {names[kind][0]: counts[kind] for kind in counts}

    # the box's life

    def boots(self, box, cause):
        """The rings are mounted; what the last cut left in doubt is settled."""
        ledger = box.ledger
        if ledger.next_sequence < self.next_sequence:
            raise Wrong("promised", "the ledger ends at %d, %d were promised" % (
                ledger.next_sequence - 1, self.next_sequence - 1))  # fmt: skip
        if ledger.next_sequence > self.next_sequence:
            for record in ledger.records(self.next_sequence):
                self.site.told("records that a cut left in doubt")
                self._adopt(record)
        self.next_sequence = ledger.next_sequence
        self.model.power_off()
        self.tap = b""
        self._wrap(box)

    def _adopt(self, record):
        sequence, kind, _quality, _boot, _uptime_ms, utc_s, payload = record
        self.promised[sequence] = crc32(payload, kind)
        if kind not in (STATE, WATERMARK):
            self._fact(decisions.unpack(kind, payload), utc_s, self.last_now)

    def _wrap(self, box):
        self.box = box
        agent, ledger = box.agent, box.ledger
        take, append = agent.take, ledger.append
        halt, recover = agent.halt, agent.recover

        def watched_take(event, now):
            self._before(event, now)
            take(event, now)
            self._after(event, now)

        def watched_append(kind, quality, boot, uptime_ms, utc_s, payload, length):
            before = ledger.next_sequence
            sequence = append(kind, quality, boot, uptime_ms, utc_s, payload, length)
            self._appended(before, sequence, kind, bytes(payload[:length]), uptime_ms, utc_s)
            return sequence

        def watched_halt(error, now):
            self.halts += 0 if agent.halted else 1
            halt(error, now)
            self.model.switch.performs(agent.state.decisions, now)

        def watched_recover(beginning, now):
            if beginning[1][2] == events.RESUMED:
                self.site.told("recoveries without a boot")
                self.model.resumes()
            recover(beginning, now)

        agent.take, ledger.append = watched_take, watched_append
        agent.halt, agent.recover = watched_halt, watched_recover

    def recovered(self, box):
        self.looks()

    def ends(self):
        if self.box is not None:
            self.next_sequence = self.box.ledger.next_sequence
            self.last_now = self.rig.now()
            self.box = None

    # each step

    def _before(self, event, now):
        self.steps += 1
        self._last[self.steps % LAST] = [self.site.at, self.steps, event[0], str(event[1:9]), ""]
        if event[0] == events.CONFIG:  # a running interval goes on as it began
            self.interval_s = event[3]
            self.interval_most_s = max(self.interval_most_s, event[3])
        elif event[0] == events.TAG:
            self.second_tap = event[8] == self.tap and now < self.tap_at + TAP_MS
            self.tap, self.tap_at = event[8], now
        if event[0] != events.LOCAL_LIMIT or not self.box.agent.halted:  # it is told again
            self.model.event(event, self.box.agent.state, now)

    def _after(self, event, now):
        agent = self.box.agent
        if agent.halted:
            if self.rig.coil():
                raise Wrong("power", "the contactor is closed though the ledger takes nothing")
            return
        state = agent.state
        try:
            self.model.check(state, event, state.decisions, now)
        except AssertionError as error:
            raise Wrong("rules", "%s, at event %s" % (error, event))
        if self.rig.coil() and not state.contactor:
            raise Wrong("power", "the coil is on, the core's contactor is not")

    def _appended(self, before, sequence, kind, payload, now, utc_s):
        if sequence != before and sequence != before + 1:
            raise Wrong("sequence", "from %d to %d" % (before, sequence))
        if sequence < self.next_sequence:
            raise Wrong("sequence", "%d is used twice" % sequence)
        freed = self.box.ledger.acknowledged
        if freed > self.site.collector.stand:
            raise Wrong("freed", "up to record %d is free, %d are stored" % (
                freed, self.site.collector.stand))  # fmt: skip
        self.next_sequence = sequence + 1
        self.promised[sequence] = crc32(payload, kind)
        self.facts += 1
        self._fact(decisions.unpack(kind, payload), utc_s, now)
        if self.site.at < self.site.near_until:
            self.site.poke("link", 40)

    def _fact(self, fact, utc_s, now):
        kind = fact[0]
        fact = tuple(fact)
        last = self._last[self.steps % LAST]
        if last is not None:
            last[4] += " %d%s" % (kind, fact[1:])
        try:
            self._explicit(fact, utc_s)
            self.model.fact(fact, now)
        except AssertionError as error:
            raise Wrong("rules", "%s, at fact %s" % (error, fact))
        if kind == decisions.SESSION_BEGIN:
            self.sessions += 1
            self.session_drawn = self.site.drawn_wh()
            self.session_tainted = self.site.bus.meter.fault != 0
        elif kind == decisions.SESSION_END:
            self._energy(fact)
        elif kind == decisions.COMMAND:
            if not self.command < fact[1] <= self.site.operator.counter:
                raise Wrong("commands", "number %d after %d was taken, %d is the last order" % (
                    fact[1], self.command, self.site.operator.counter))  # fmt: skip
            self.command = fact[1]
        elif kind == decisions.TAG and self.second_tap:
            raise Wrong("taps", "a tag held for a moment counts twice")
        elif kind == decisions.SEAL and fact[3] == SEALED:
            self.must_be_broken = 0

    def _explicit(self, fact, utc_s):
        """An interval is no longer than it says: what is missing is a gap."""
        kind = fact[0]
        if kind == decisions.INTERVAL:
            took_s = fact[4] - self.account_utc_s
            if self.account_utc_s and took_s > max(fact[6], self.interval_most_s) + 32:
                raise Wrong("gaps", "an interval of %d s took %d s" % (fact[6], took_s))
            self.account_utc_s = fact[4]
            self.interval_most_s = self.interval_s
        elif kind in (decisions.GAP_END, decisions.METER, decisions.METER_ROLLOVER):
            self.account_utc_s = utc_s

    def _energy(self, fact):
        """A session's Wh are what the site's own account says, to the meter's resolution."""
        site = self.site
        drawn_wh = site.drawn_wh() - self.session_drawn
        slack_wh = site.bus.meter.slack_wh + 20
        if fact[4] > drawn_wh + slack_wh:
            raise Wrong("kWh", "a session of %d Wh, but %d Wh were drawn" % (fact[4], drawn_wh))
        if self.session_tainted or site.bus.meter.fault or site.exchanged:
            site.exchanged = False
            return
        missing_wh = slack_wh if fact[8] == GOOD else slack_wh + LATE_WH
        if fact[4] < drawn_wh - missing_wh:
            raise Wrong("kWh", "a session of %d Wh, but %d Wh were drawn" % (fact[4], drawn_wh))
        self.kwh_checked += 1

    # between the steps

    def looks(self):
        """What can be seen from outside, when the box's tasks have had their turn."""
        if self.box is None or self.box.agent.halted:
            self._hindered()
            return
        self.hindered_at = self.site.at
        if self.must_be_broken & ~self.box.agent.state.seal_broken:
            raise Wrong("seals", "a seal was opened and is not broken")

    def _hindered(self):
        """A flash that takes nothing, or records that the operator has not, are a hindrance."""
        box, site = self.box, self.site
        if box is None or self.rig.flash.dead or box.ledger.acknowledged < self.next_sequence - 1:
            self.hindered_at = site.at
        elif site.at - self.hindered_at > IDLE_MS:
            raise Wrong("goes on", "nothing hinders the ledger, and it takes nothing")

    def seal_opened(self, loop):
        """With or without power; counts while the box is in the subscriber's hands."""
        if IN_SERVICE <= self.model.lifecycle <= ON_HOLD:
            self.must_be_broken |= 1 << loop

    # what arrives

    def expect(self, sequence, data):
        kind = data[1] & 63
        check = self.promised.pop(sequence, None)
        if check is None:
            if kind not in (STATE, WATERMARK):
                raise Wrong("invented", "record %d of kind %d was never written" % (sequence, kind))
        elif check != crc32(data[17:-10], kind):
            raise Wrong("promised", "record %d arrived with other bytes" % sequence)

    def closes(self, last):
        """At the end, with all faults healed for some time; last: the record that was then last."""
        site = self.site
        if self.box is None:
            raise Wrong("rests", "the box does not start any more")
        late = [sequence for sequence in self.promised if sequence <= last]
        if site.collector.stand < last or late:
            raise Wrong("once", "%d of %d records are stored, %d promised ones are missing" % (
                site.collector.stand, last, len(late)))  # fmt: skip
        if self.box.agent.halted:
            raise Wrong("rests", "the ledger takes nothing any more")
        site.count()
        meter = site.bus.meter
        state = self.box.agent.state
        if state.gap_open or not state.accounted:
            return
        behind_wh = meter.true_wh() - state.accounted_wh
        if not -meter.slack_wh <= behind_wh <= 32_000 + meter.slack_wh:
            raise Wrong("sum", "the register is at %d Wh, the account at %d" % (
                meter.true_wh(), state.accounted_wh))  # fmt: skip
