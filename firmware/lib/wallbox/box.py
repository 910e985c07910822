"""The box: its drivers, its agent, and the tasks that feed the one and drain the other."""

import asyncio

import machine
import network
from micropython import const

from . import agent as agents
from . import build, forget, housekeeping, inbox, report, sampling, senses, version
from .commands import receiver
from .console import listener
from .core import events
from .core.rules import OPEN, access, lifecycle, seals
from .drivers import clock, wifi
from .link import link, recovery
from .store import StoreError, leasefile, ledger, trace

_SENSE_MS = const(20)
_NETWORK_MS = const(100)
_RESTART_MS = const(2000)
_GOODBYE_MS = const(500)


class Box:
    """The drivers and the agent of one box."""

    def __init__(self, watchdog, key: bytes):
        self.watchdog = watchdog
        values, self.config_error = build.configuration()
        self._config_event = values["event"]
        self.contactor = build.build_contactor()
        self.pilot = build.build_pilot()
        self.lamp = build.build_lamp()
        self.seals = build.build_seals(values["seals.fitted"])
        self.flushed_at = self.marked_at = self.recovered_at = self.searched_at = 0
        self.chores = False
        self.inbox = inbox.Inbox()
        self.clock = clock.Clock(values["clock.host"], values["clock.port"], machine.RTC())
        self.wifi = wifi.Wifi(
            network.WLAN(network.WLAN.IF_STA),
            values["wifi.ssid"],
            values["wifi.password"],
            self.may_look,
        )
        self.senses = senses.Senses(
            self.inbox, self.contactor, self.pilot, self.seals, self.wifi, self.clock
        )
        self.tags = build.build_tags(values, key, self.inbox)
        self.sampling = sampling.Sampling(build.build_meter(values), self.inbox, self.charging)
        self._open_store(key)
        self.agent = agents.Agent(
            self.inbox,
            self.ledger,
            self.trace,
            self,
            self.ledger.last_boot + 1,
            leasefile.LeaseFile(),
        )
        self.agent.marks = version.CORE + values["event"][11]
        self.senses.watch_seals(self.seals_stop)
        self.report = report.Report(
            values["serial"], version.TEXT, self.agent, self.sampling, self.clock, self.tags
        )
        self.link = link.Link(
            build.link_config(values),
            self.ledger,
            self.report.build,
            self.link_changed,
            self.clock.now,
            self.online,
            self.may_block,
            self.recover_link,
        )
        self.report.watch_link(self.link)
        self.commands = receiver.Receiver(self, key)
        self.link.publisher.on_command = self.commands.receive
        self.phase_rotation = values["phase_rotation"]
        self.seals_fitted = values["seals.fitted"]
        self.console = listener.Listener(
            key, self.clock.now, self, "", values["serial"], values["type"]
        )

    def charging(self) -> bool:
        return self.agent.state.contactor == 1

    def online(self) -> bool:
        return self.wifi.up

    def may_block(self) -> bool:
        """Whether the box may stand still for a while, as it does when a name is looked up."""
        return not self.charging()

    def recover_link(self, stage: int) -> bool:
        """A later stage of the link's recovery; False if it would do harm now."""
        if stage == recovery.WIFI:
            self.wifi.restart()
            return True
        state = self.agent.state
        if self.charging() or state.session_phase or self.agent.halted or self.agent.trace_failed:
            return False
        try:
            self.agent.flush_trace(self.clock.now())
            self.ledger.flush_acknowledged()
        except StoreError:
            return False
        if self.agent.trace_failed:
            return False
        print("link: no broker for hours; the box starts again")
        machine.reset()
        return True

    def may_look(self) -> bool:
        """Whether the core wants to know which networks are in range, and nobody charges."""
        state = self.agent.state
        return state.place_watch == 1 and state.relocate_after_h > 0 and not self.charging()

    def seals_stop(self) -> bool:
        """Whether an opened seal takes the power away at once."""
        state = self.agent.state
        return state.seal_policy == seals.STOP and lifecycle.armed(state)

    def recheck(self) -> None:
        """The list of tags has changed, or was not asked yet: the core hears of whom it let in."""
        state = self.agent.state
        tag_a, tag_b = state.grant_tag_a, state.grant_tag_b
        if state.session_phase == OPEN:
            tag_a, tag_b = state.session_tag_a, state.session_tag_b
        if self.tags and (tag_a or tag_b):
            self.tags.recheck(access.tag(tag_a, tag_b))

    def restart(self) -> None:
        """An orderly reset, after what is to be said has been said."""
        asyncio.create_task(self._restart())

    async def _restart(self) -> None:
        await asyncio.sleep_ms(_RESTART_MS)
        self.link.stop()
        await asyncio.sleep_ms(_GOODBYE_MS)
        self.contactor.set(0)
        self.agent.flush_trace(self.clock.now())
        machine.reset()

    def link_changed(self, code: int) -> None:
        self.senses.link_changed(code)
        try:
            from .link import texts

            print(texts.explain(self.link, code))
        except MemoryError:
            print("link: code %d" % code)
        forget("wallbox.link", "texts")

    def _open_store(self, key: bytes) -> None:
        self.ledger = ledger.Ledger(build.partition("ledger"), key)
        self.trace = trace.Trace(build.partition("trace"), key)
        self.ledger.mount()
        self.trace_error = None
        try:
            self.trace.mount()
        except StoreError as error:
            self.trace_error = error

    def recover(self, cause: int) -> None:
        """The ledger's state and the last heartbeat, then business as usual. cause: see events."""
        now = self.clock.now()
        heartbeat = self._heartbeat()
        boot = [events.BOOT, self.agent.boot, cause] + list(heartbeat) + [version.BYTES]
        beginning = [self._config_event, boot, self.senses.seal_event()]
        if not self.tags:
            beginning.append([events.READER, 0])  # none is fitted
        self.agent.recover(beginning, now)
        state = self.agent.state
        if state.meter_id and not state.meter_next:
            known_wh = max(state.accounted_wh, state.session_begin_wh, heartbeat[1])
            self.sampling.meter.resume(known_wh, state.meter_id)
        if cause not in (events.RESUMED, events.POWER_UP):
            self.clock.recall(now)
        self.senses.tell_again()
        self.sampling.tell_again()
        if self.tags:
            self.tags.tell_again()
            self.recheck()  # the list may be newer than the ledger

    def _heartbeat(self) -> tuple:
        """The last reading that the trace holds: (known, register_wh, utc_s, quality)."""
        try:
            found = self.trace.last_of(events.METER_READING)
            if found is None:
                return 0, 0, 0, 0
            packed, _uptime_ms, _boot, utc_s, quality = found
            reading = [0] * events.MAX_FIELDS
            events.unpack_into(reading, packed, 0, len(packed))
            return 1, reading[1], utc_s, quality
        except StoreError as error:
            self.agent.trace_lost(error)
        except ValueError:  # of a firmware with other fields
            pass
        return 0, 0, 0, 0

    # The tasks. Each only feeds the inbox, or drains the ledger.

    async def decide(self) -> None:
        while True:
            self._decide()
            self.link.status_changed()
            await self.inbox.wait()

    def _decide(self) -> None:
        while True:
            if self.seals.news:
                self.senses.tell_seals(self.agent, self.clock.now())
            event = self.inbox.take()
            if event is None:
                return
            self.agent.take(event, self.clock.now())
            self.inbox.release()

    async def sense(self) -> None:
        while True:
            self.senses.service_seals(self.clock.now())
            await asyncio.sleep_ms(_SENSE_MS // 2)
            now = self.clock.now()
            self.senses.service(now)
            self.lamp.service(now)
            due = now >= self.agent.state.due and not self.agent.halted
            if due and self.inbox.claim(events.TICK):
                self.inbox.commit()
            await asyncio.sleep_ms(_SENSE_MS // 2)

    async def read_tags(self) -> None:
        while True:
            self.tags.service(self.clock.now())
            await asyncio.sleep_ms(max(1, self.tags.due - self.clock.now()))

    async def measure(self) -> None:
        sampler, now = self.sampling, self.clock.now
        while True:
            sampler.service(now())
            if self.chores and sampler.meter.idle and not self.seals.news:
                self.chores = False
                housekeeping.use_idle_time(self, now())
            await asyncio.sleep_ms(max(1, sampler.meter.due - now()))

    async def network(self) -> None:
        while True:
            self.senses.service_network(self.clock.now(), self.charging())
            await asyncio.sleep_ms(_NETWORK_MS)

    async def run(self) -> None:
        tasks = [self.decide(), self.sense(), self.measure(), self.network()]
        tasks += [housekeeping.keep(self), self.console.run()]
        if self.tags:
            tasks.append(self.read_tags())
        if not self.config_error:
            tasks.append(self.link.run())
        await asyncio.gather(*tasks)


def run(watchdog) -> None:
    """Runs the box for ever; returns only if the box has no identity yet."""
    key = build.ledger_key()
    if not key:
        print("identity: NVS wallbox/ledger_key is missing; provision the box")
        return
    box = Box(watchdog, key)
    if box.config_error:
        print("configuration:", box.config_error)
    if box.ledger.damaged:
        print("ledger: %d damaged places were passed over, the first at %s"
              % (box.ledger.damaged, box.ledger.damaged_at[0]))
    if box.trace_error:
        box.agent.trace_lost(box.trace_error)
    box.recover(machine.reset_cause())
    asyncio.run(box.run())
