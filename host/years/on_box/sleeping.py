# How long the firmware's tasks sleep in simulated time.
#
# As long as they ask while something happens at the box (`full`, or `lively` for who looks at its
# pins), a little longer around that (`near`), and as long as nothing can come of it in between
# (calm). docs/reliability.md says what is left out by that.

HOUR_MS = 3_600_000
CALM_MS = 1_800_000  # between two rounds of house-keeping


class Sleeping:
    def __init__(self, rig):
        self.rig = rig
        self.site = rig.site

    def wake(self, task, ms):
        """The world's ms at which a task goes on that wants to sleep so long."""
        site = self.site
        at = site.at
        asked = at + ms
        if at < site.full_until or not ms:
            return asked
        name = task.name
        if name == "sense":
            if at < site.lively_until or not task.sleeps & 1:
                return asked
            return at + HOUR_MS
        near = at < site.near_until
        if name == "measure":
            return self._measure(at, asked, ms, near)
        if name == "keep":
            return asked if at < site.lively_until else at + (10_000 if near else CALM_MS)
        if name == "network":
            return self._network(at, asked, near)
        if name == "link":
            return self._link(at, asked, ms, near)
        if name == "tags":
            return at + HOUR_MS
        return asked

    def _measure(self, at, asked, ms, near):
        meter = self.rig.box.sampling.meter
        if not meter.idle:
            arrives = self.site.bus.at
            if arrives >= 0:
                return max(at + 1, arrives)
            if ms > 5:
                return asked
            master = meter.master
            return max(asked, self.rig.world_at(master.asked_at + master.timeout_ms + 12))
        if meter._wanted:
            return asked
        if meter.silent or meter.blocked or not self.rig.box.agent.state.reading:
            return asked if near else max(asked, at + 600_000)
        if self.rig.box.agent.state.contactor:
            return max(asked, at + (10_000 if near else 120_000))
        return max(asked, at + (60_000 if near else HOUR_MS))

    def _network(self, at, asked, near):
        box = self.rig.box
        if not box.wifi.up or not box.clock.quality:
            return max(asked, at + (15_000 if near else 600_000))
        return min(max(self.rig.world_at(box.clock.due), at + 15_000), at + HOUR_MS)

    def _link(self, at, asked, ms, near):
        if ms == 5:
            return asked
        if ms == 200:  # no Wi-Fi
            if self.site.net.wifi_up:
                self.rig.poke("network", at + 100)
                return at + 1000
            return at + (5000 if near else 600_000)
        if ms != 40:
            return asked if near or ms < 10_000 else at + 4 * ms
        publisher = self.rig.box.link.publisher
        session = publisher.session
        if session.awaiting or session.count > session.pending:
            return at + session.late_ms() + 10
        if publisher.asked:
            return at + 500
        if (
            session.cursor > publisher.stated + 1
            or publisher.subscribed
            and not publisher.delivered
        ):
            return at + (5000 if near else 30_000)
        return at + (15_000 if near else self.rig.stride_ms)
