# For scripts on MicroPython: the real agent on real rings, with its devices and time played.

from wallbox.agent import Agent
from wallbox.core import events
from wallbox.inbox import Inbox
from wallbox.sampling import Sampling
from wallbox.store.leasefile import LeaseFile
from wallbox.store.ledger import Ledger
from wallbox.store.trace import Trace

from hw.sim.flash import NorFlash, Partition

LEDGER_SIZE = 0x80000  # of the shipped partition table
TRACE_SIZE = 0x100000
UTC_S = 1_790_000_100  # a multiple of 900
_POLL_MS = 1000  # as the driver and box.py have it
_KEEP_MS = 1000
_TRACE_MS = 10_000
_WATERMARK_MS = 3_600_000
_ANSWER_MS = 100
_REGISTER_WH = 12_345_678


class Numbers:
    """Fields of a reading."""


class Meter:
    """Stands for the meter's driver; it answers 100 to 150 ms after each second or request."""

    silent = blocked = reason = 0

    def __init__(self, clock):
        self.reading = Numbers()
        self.identity = Numbers()
        self.identity.meter_id = 42
        self.due = _ANSWER_MS
        self.power_w = 0
        self._clock = clock
        self._energy_mws = 0
        self._at = 0
        self._random = 1

    def want(self):
        self.due = self._clock() + _ANSWER_MS

    def service(self, now):
        """Answers READING (1); the register goes on with the power."""
        self._energy_mws += self.power_w * (now - self._at)
        self._at = now
        phase_w = self.power_w // 3
        reading = self.reading
        reading.read_at_ms = now
        reading.register_wh = _REGISTER_WH + self._energy_mws // 3_600_000
        reading.power_w = self.power_w
        reading.power_l1_w = reading.power_l2_w = reading.power_l3_w = phase_w
        current_ma = phase_w * 1000 // 230
        reading.current_l1_ma = reading.current_l2_ma = reading.current_l3_ma = current_ma
        reading.voltage_l1_mv = reading.voltage_l2_mv = reading.voltage_l3_mv = 230_000
        reading.frequency_mhz = 50_000
        self._random = (self._random * 1103515245 + 12345) & 0x3FFFFFFF
        self.due = (now // _POLL_MS + 1) * _POLL_MS + _ANSWER_MS + (self._random >> 12) % 50
        return 1


class Switches:
    """Contactor, pilot and lamp, which do as they are told."""

    closed = 0

    def set(self, closed):
        self.closed = closed

    def set_duty(self, duty_permille):
        pass

    def show(self, pattern):
        pass

    def answer(self, good):
        pass


class Player:
    """An agent after its boot, with the clock set; time goes on as the script says.

    mode: 1 = reader required. grace_h: presence.offline_grace_h, 0 = sessions begin offline, too.
    """

    def __init__(self, path, ledger_size=LEDGER_SIZE, trace_size=TRACE_SIZE, mode=0, grace_h=0):
        self.ledger_flash = NorFlash(path + ".ledger", ledger_size)
        self.trace_flash = NorFlash(path + ".trace", trace_size)
        self.ledger = Ledger(Partition(self.ledger_flash, 0, ledger_size, "ledger"), bytes(32))
        self.trace = Trace(Partition(self.trace_flash, 0, trace_size, "trace"), bytes(32))
        self.ledger.mount()
        self.trace.mount()
        self.now = 0
        self.online = True  # the operator acknowledges all there is
        self.inbox = Inbox()
        self.meter = Meter(lambda: self.now)
        self.contactor = self.pilot = self.lamp = Switches()
        self.sampling = Sampling(self.meter, self.inbox, lambda: self.agent.state.contactor == 1)
        self.agent = Agent(
            self.inbox, self.ledger, self.trace, self, 1, LeaseFile(path + ".leases")
        )
        config = [events.CONFIG, 1, 16_000, 900, 0, 2, mode, grace_h, 24, 2, 0, bytes(8)]
        boot = [events.BOOT, 1, events.POWER_UP, 0, 0, 0, 0, b"1.0"]
        self.agent.recover((config + [0], boot + [0] * 5), 0)
        self.send(events.CLOCK, UTC_S * 1000, 3)
        self.send(events.METER_IDENTITY, 42, b"maker|model|1")

    def send(self, kind, *values):
        event = [kind] + list(values) + [0] * (events.MAX_FIELDS - 1 - len(values))
        self.agent.take(event, self.now)

    def drain(self):
        """What waits in the inbox, as the box's task does it."""
        inbox = self.inbox
        event = inbox.take()
        while event is not None:
            self.agent.take(event, self.now)
            inbox.release()
            event = inbox.take()

    def letter(self, letter):
        """The car speaks on the pilot, and the contactor follows."""
        self.send(events.PILOT, events.LETTERS.index(letter), 0, 0)
        self.follow()

    def follow(self):
        if self.contactor.closed != self.agent.state.contactor_closed:
            self.send(events.CONTACTOR, self.contactor.closed)

    def run(self, until):
        """Lets time go by up to `until` (ms), with what the box's tasks do meanwhile."""
        agent = self.agent
        keep_at = self.now - self.now % _KEEP_MS + _KEEP_MS
        while True:
            self.now = max(self.now, min(until, self.meter.due, keep_at, agent.state.due))
            if self.now >= until:
                return
            if self.now >= agent.state.due:
                self.send(events.TICK)
            if self.now >= self.meter.due:
                self.sampling.service(self.now)
                self.drain()
            if self.now >= keep_at:
                keep_at += _KEEP_MS
                self.keep()

    def keep(self):
        if self.now % _TRACE_MS == 0:
            self.agent.flush_trace(self.now)
        if self.online:
            self.ledger.acknowledge(self.ledger.next_sequence - 1)
            if self.now % _WATERMARK_MS == 0:
                self.ledger.flush_acknowledged()
        if not self.ledger.erase_ahead():
            self.trace.erase_ahead()
        self.agent.tell_ledger()
        self.drain()
