"""The agent: takes an event, lets the core decide, performs, remembers; no wait in between."""

from binascii import crc32
from struct import pack_into

from micropython import const

from . import forget
from .core import clock as core_clock
from .core import decisions, engine, events
from .core.rules import storage
from .store import LedgerFull, StoreError
from .store.ledger import LONGEST
from .store.record import LENGTH_MIN
from .store.trace import DECIDED

FULL_PERMILLE = 970  # the rest is kept for what a running session still has to write
_SNAPSHOT_MS = const(3_600_000)  # between two in the trace
_RETRY_MS = const(60_000)

assert engine.SNAPSHOT_SIZE <= LONGEST - LENGTH_MIN, "LASTING in core/state.py is too long"


class Agent:
    """drivers: object with contactor, pilot, lamp, seals and sampling. boot: the number of this
    boot. lease_file: where the table of leases outlives power cuts.
    """

    def __init__(self, inbox, ledger, trace, drivers, boot: int, lease_file):
        self.state = engine.State()
        self.inbox = inbox
        self.ledger = ledger
        self.trace = trace
        self.lease_file = lease_file
        self.drivers = drivers
        self.boot = min(boot, 0xFFFF)  # what a record holds; sequence numbers keep the order
        self.halted = False  # True while the ledger takes nothing: no power, no history
        self.trace_failed = False
        self.taken = 0
        self.marks = bytes(16)  # hash of the core, digest of the configuration
        self._decided = 0  # CRC-32 of all steps since the snapshot
        self._stepped = False  # since that was written
        self._step = bytearray(15)
        self._snapshot_at = 0  # when the next one is due
        self._lost = 0  # events, up to the last one
        self._durable = engine.State(True)  # what the ledger alone would tell
        self._event = bytearray(256)
        self._payload = bytearray(228)
        self._snapshot = bytearray(engine.SNAPSHOT_SIZE)
        self._ledger_told = -1
        self._unheard_seals = 0  # bits of loops that were open while the ledger took nothing
        self._leases_changed = False  # since the file was saved
        self._file_failed = False
        ledger.state_source = self._state_source

    def recover(self, beginning, now: int) -> None:
        """Rebuilds the state from file and ledger, then takes the events that begin a boot."""
        self._durable = engine.State(True)
        in_file = self._load_leases()
        for record in self.ledger.recent_records():
            try:
                fact = decisions.unpack(record[1], record[6])
            except ValueError:  # of a firmware with other fields
                fact = None
            if fact is not None and (fact[0] != decisions.LIMIT or record[0] > in_file):
                self._remember(fact, record[5], record[2])
        before, self.state = self.state, engine.State()
        length = engine.snapshot(self._durable, self._snapshot)
        snapshot = bytes(self._snapshot[:length])
        engine.recall(self.state, (decisions.STATE, snapshot), 0, 0)
        self.state.leases[:] = self._durable.leases
        if _resumed(beginning):
            engine.resume(before, self.state)
        self.halted = False
        self._snapshot_at = now
        self.flush_trace(now)
        fill_permille, full = self._fill()  # a full ledger refuses from the first moment on
        self._ledger_told = fill_permille // 10 * 2 + full
        self.take([events.LEDGER, fill_permille, full, 0], now)
        unheard, self._unheard_seals = self._unheard_seals, 0
        for event in beginning:
            if event[0] == events.SEAL:
                event[2] |= unheard  # what was opened while nothing could be written
            self.take(event, now)

    def take(self, event: list, now: int) -> None:
        """One event: to the trace, to the core, then what the core decided, in its order."""
        self.taken += 1
        length = events.pack_into(self._event, 0, event)
        self._trace(length, now)
        if self.halted:
            if event[0] == events.SEAL:
                self._unheard_seals |= event[1] | event[2]
            return
        taken = engine.step(self.state, event, now)
        self._stepped = True
        self._note(0, 0)
        for decision in taken:
            if decision[0] >= decisions.LEVELS:
                self._perform(decision[0], decision[1], now)
                self._note(decision[0], decision[1])
            elif not self._write(decision, now):
                return
        if event[0] == events.METER_READING:
            self.flush_trace(now)

    def _trace(self, length: int, now: int) -> None:
        """An entry for the trace. Of what is lost there, the next snapshot tells."""
        if not self.trace.append_event(self._event, length, now):
            self._snapshot_at = now

    def _note(self, kind: int, value: int) -> None:
        """What replay has to come to, too: a decision, or kind 0, a step as a whole."""
        state = self.state
        pack_into("<BI", self._step, 0, kind, value)
        pack_into("<IBHHB", self._step, 5, state.refusals, state.limit_ma >> 16,
                  state.limit_ma & 0xFFFF, state.due & 0xFFFF, state.due >> 16 & 0xFF)
        self._decided = crc32(self._step, self._decided)

    def flush_trace(self, now: int) -> None:
        """What was seen since goes to flash. A trace that fails stops nobody from charging."""
        try:
            if self._stepped and now < self._snapshot_at:
                self._stepped = False
                pack_into("<BI", self._event, 0, DECIDED, self._decided)
                self._trace(5, now)
            self._flush(now)
            if now >= self._snapshot_at and not self.halted:
                self._write_snapshot(now)
        except StoreError as error:
            self.trace_lost(error)

    def _flush(self, now: int) -> None:
        state = self.state
        self.trace.flush(now, self.boot, core_clock.utc_s(state, now), state.clock_quality)

    def _write_snapshot(self, now: int) -> None:
        """If memory does not suffice, later: replay only begins later."""
        trace = self.trace
        self._snapshot_at = now + _RETRY_MS
        try:
            from . import checkpoint

            for piece in checkpoint.pieces(self.state, self.marks, trace.lost != self._lost):
                trace.append_event(piece, len(piece), now)
                self._flush(now)
        except MemoryError:
            return
        finally:
            forget("wallbox", "checkpoint")
        self._lost = trace.lost
        self._decided = 0
        self._stepped = False
        self._snapshot_at = now + _SNAPSHOT_MS

    def trace_lost(self, error: StoreError) -> None:
        """Said once."""
        if not self.trace_failed:
            print("store:", error)
        self.trace_failed = True

    def tell_ledger(self) -> None:
        """Offers the ledger's fill level to the core, when it has moved."""
        fill_permille, full = self._fill()
        told = fill_permille // 10 * 2 + full
        if told == self._ledger_told:
            return
        event = self.inbox.claim(events.LEDGER)
        if event:
            event[1] = fill_permille
            event[2] = full
            event[3] = 0
            self.inbox.commit()
            self._ledger_told = told

    def _fill(self) -> tuple:
        fill_permille = self.ledger.fill_permille
        return fill_permille, 1 if fill_permille >= FULL_PERMILLE else 0

    def _perform(self, kind: int, value: int, now: int) -> None:
        drivers = self.drivers
        if kind == decisions.CONTACTOR:
            drivers.contactor.set(value)
        elif kind == decisions.PILOT_DUTY:
            drivers.pilot.set_duty(value)
        elif kind == decisions.LAMP:
            drivers.lamp.show(value)
        elif kind == decisions.METER_WANTED:
            drivers.sampling.want(now)
        elif kind == decisions.METER_ACCEPTED:
            drivers.sampling.meter.accept()
        elif kind == decisions.SEALS_RESET:
            drivers.seals.reset()

    def _write(self, fact: tuple, now: int) -> bool:
        state = self.state
        length = decisions.pack_into(self._payload, 0, fact)
        utc_s = core_clock.utc_s(state, now)
        quality = state.clock_quality
        try:
            self.ledger.append(fact[0], quality, self.boot, now, utc_s, self._payload, length)
        except StoreError as error:
            self.halt(error, now)
            return False
        self._note(fact[0], length)
        self._decided = crc32(memoryview(self._payload)[:length], self._decided)
        self._remember(fact, utc_s, quality)
        if fact[0] == decisions.TAG:
            self.drivers.lamp.answer(fact[3] != 0)  # it does something
        return True

    def _remember(self, fact, utc_s: int, quality: int) -> None:
        engine.recall(self._durable, fact, utc_s, quality)
        if fact[0] == decisions.LIMIT:
            self._leases_changed = True

    def halt(self, error: StoreError, now: int) -> None:
        """What cannot be stored is not sold: the core refuses power until recover() ends it."""
        if self.halted:
            return
        print("store:", error)
        self.halted = True
        self._unheard_seals |= self.state.seal_broken
        self.drivers.contactor.set(0)
        why = storage.BRIMFUL if isinstance(error, LedgerFull) else storage.FAILED
        failed = [events.LEDGER, self.ledger.fill_permille, 1, why]
        self._trace(events.pack_into(self._event, 0, failed), now)
        for decision in engine.step(self.state, failed, now):
            if decision[0] >= decisions.LEVELS:
                self._perform(decision[0], decision[1], now)

    def _load_leases(self) -> int:
        """The number of the last record that is in the file."""
        self._leases_changed = False
        table = self._durable.leases
        try:
            sequence = self.lease_file.load(table)
        except StoreError as error:
            self._leases_changed = True  # written anew at the next chance
            self._file_lost(error)
            return 0
        if sequence < self.ledger.next_sequence:
            return sequence
        table[:] = bytes(len(table))  # it belongs to another ledger
        return 0

    def _save_leases(self) -> None:
        """Before a snapshot, which has no room for them: facts before it are not read again."""
        try:
            self.lease_file.save(self._durable.leases, self.ledger.next_sequence - 1)
            self._leases_changed = False
        except StoreError as error:
            self._file_lost(error)

    def _file_lost(self, error: StoreError) -> None:
        """Said once."""
        if not self._file_failed:
            print("store:", error)
        self._file_failed = True

    def _state_source(self) -> tuple:
        if self._leases_changed:
            self._save_leases()
        length = engine.snapshot(self._durable, self._snapshot)
        return decisions.STATE, memoryview(self._snapshot)[:length]


def _resumed(beginning) -> bool:
    """Whether these events begin no boot, but go on after the ledger took nothing."""
    for event in beginning:
        if event[0] == events.BOOT:
            return event[2] == events.RESUMED
    return False

