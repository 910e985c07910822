"""Writing a ring: records into the head, and the sectors that become the head."""

from micropython import const

from . import LedgerFull
from .reader import Reader
from .record import LENGTH_MAX, LENGTH_MIN, STATE, WATERMARK, Chain, put
from .sectors import HEADER_SIZE, READY_SIZE, RECORDS_AT

ACKNOWLEDGE_EVERY = const(64)  # records, between two watermarks

_ERASE = const(6)
_EIO = const(5)
ATTEMPTS = const(8)  # sectors to try before the flash counts as broken
_BACKS_MAX = const(24)
BLANK = b"\xff" * 512
_WATERMARK_SIZE = const(31)


class Writer(Reader):
    """The writing half of a mounted ring; see Ring.

    What `append` is given goes to narrow functions by way of `chain`, which tells why. For speed,
    too, nothing here is a property: where a class has one, each store of an attribute looks for
    the attribute in all classes first. `fill_permille` is the part in use; of a ledger, what
    waits for the operator, in whole sectors.
    """

    def __init__(self, device, name: bytes, key: bytes, overwrite: bool, longest: int):
        assert LENGTH_MIN + 4 <= longest <= LENGTH_MAX
        self.chain = Chain(key)
        self.longest = longest
        self.overwrite = overwrite
        self._genesis = self.chain.tag(name)
        self._backs: dict = {}
        Reader.__init__(self, device, name)
        self._head_view = memoryview(self._head_header)[:HEADER_SIZE]
        self.state_source = None
        self._acknowledged_bytes = bytearray(4)

    def _forget(self) -> None:
        Reader._forget(self)
        self.acknowledged = 0
        self.last_boot = 0
        self.last_uptime_ms = 0
        self.last_utc_s = 0
        self.last_quality = 0
        self.state_sequence = 0  # of the latest snapshot in the head, 0 if it has none
        self._offset = self.size  # where the next record goes
        self._ahead = -1  # the sector that is ready, -1: none
        self._candidate = 0  # the sector to erase next
        self._exhausted = False  # sectors failed, and behind them is none that may be erased
        self._searched_from = -1
        self._recorded = 0  # the watermark as flash has it
        self._watermark_sequence = 0

    def append(
        self,
        kind: int,
        quality: int,
        boot: int,
        uptime_ms: int,
        utc_s: int,
        payload,
        length: int | None = None,
    ) -> int:
        """Writes one record and returns its sequence number once it is on flash.

        LedgerFull: nothing may be overwritten. StoreError: the flash failed. The record is then
        not written.
        """
        if length is None:
            length = len(payload)
        assert 0 <= kind <= WATERMARK and 0 <= quality <= 3 and 0 <= boot <= 0xFFFF
        self.chain.kind = kind | quality << 6
        self.chain.boot = boot
        self.chain.uptime_ms = uptime_ms
        self.chain.utc_s = utc_s
        self.chain.payload = payload
        if (self.state_sequence or self.state_source is None) and self._put(length):
            return self.next_sequence - 1
        return self._append(length)

    def erase_ahead(self) -> bool:
        """Erases the sector that comes next, if it is not ready and may be. True if it did."""
        if self._ahead >= 0:
            return False
        try:
            self._ahead = self._prepare()
        except LedgerFull:
            return False
        return True

    def search_again(self) -> None:
        """Sectors that failed may work by now: if there was none behind them, begins anew."""
        if self._exhausted:
            try:
                farthest = self.farthest_begun(range(self.count))
            except OSError:
                return
            if farthest < 0 or farthest == self._searched_from:  # that one fails for good
                farthest = (self.head + 1) % self.count
            self._candidate = self._searched_from = farthest
            self._exhausted = False

    def acknowledge(self, sequence: int) -> bool:
        """The operator has everything up to here. False if that is no news, or no record."""
        if not self.acknowledged < sequence < self.next_sequence:
            return False
        self.acknowledged = sequence
        if sequence - self._recorded >= ACKNOWLEDGE_EVERY:
            self.flush_acknowledged()
        return True

    def flush_acknowledged(self) -> None:
        """Writes the watermark, unless flash has it; one that is lost is only asked for again."""
        news = self.acknowledged - self._recorded
        if self._recorded < self._watermark_sequence <= self.acknowledged:
            news -= 1  # the watermark's own record
        if news <= 0 or self._offset + _WATERMARK_SIZE > self.size:
            return
        put(self._acknowledged_bytes, 0, 4, self.acknowledged)
        chain = self.chain
        kept = chain.kind, chain.boot, chain.uptime_ms, chain.utc_s, chain.payload
        chain.kind = WATERMARK | self.last_quality << 6
        chain.boot = self.last_boot
        chain.uptime_ms = self.last_uptime_ms
        chain.utc_s = self.last_utc_s
        chain.payload = self._acknowledged_bytes
        if self._put(4):
            self._recorded = self.acknowledged
            self._watermark_sequence = self.next_sequence - 1
        chain.kind, chain.boot, chain.uptime_ms, chain.utc_s, chain.payload = kept

    def __getattr__(self, name: str) -> int:
        if name == "fill_permille":
            return self._fill_permille()
        raise AttributeError(name)

    def _fill_permille(self) -> int:
        waiting = self.oldest_sequence if self.overwrite else self.acknowledged + 1
        if self.head < 0 or waiting >= self.next_sequence:
            return 0
        room = self.size - RECORDS_AT
        sectors = (self.head - self.holding(waiting)) % self.count
        used = sectors * room + min(self._offset, self.size) - RECORDS_AT
        return used * 1000 // (self.count * room)

    def _append(self, length: int) -> int:
        if length + LENGTH_MIN > self.longest:
            raise ValueError(self.name + ": a payload of %d bytes is too long" % length)
        for _ in range(ATTEMPTS):
            if self._offset + LENGTH_MIN + length > self.size:
                self._enter()
            if self.state_source is not None and not self.state_sequence:
                self._snapshot(self.state_source, self.chain)
            if self._put(length):
                return self.next_sequence - 1
        raise self.failure("program", self.head, "no sector can be written")

    def _snapshot(self, source, chain) -> None:
        kind, payload = chain.kind, chain.payload
        snapshot = source() if kind & 0x3F != STATE else None
        if snapshot is not None:
            chain.kind = snapshot[0] | kind & 0xC0
            chain.payload = snapshot[1]
            assert len(chain.payload) + LENGTH_MIN <= self.longest
            self._put(len(chain.payload))
            chain.kind, chain.payload = kind, payload

    def _put(self, length: int) -> bool:
        """Writes what the chain's fields tell, if it fits; False if not, or if the head failed."""
        if length + LENGTH_MIN > self.longest or self._offset + LENGTH_MIN + length > self.size:
            return False
        length = self.chain.compose(
            self.chain.kind, self.next_sequence, self.chain.boot, self.chain.uptime_ms,
            self.chain.utc_s, self.chain.payload, length,
        )  # fmt: skip
        if not self._hold(self.chain.view):
            return False
        self.chain.accept()
        self._newest_offset = self._offset
        self._offset += length
        if self.chain.kind & 0x3F == STATE:
            self.state_sequence = self.next_sequence
        self.next_sequence += 1
        self.last_uptime_ms = self.chain.uptime_ms
        self.last_utc_s = self.chain.utc_s
        if self.last_boot != self.chain.boot:
            self.last_boot = self.chain.boot
        if self.last_quality != self.chain.kind >> 6:
            self.last_quality = self.chain.kind >> 6
        return True

    def _hold(self, view) -> bool:
        try:
            self._program(self.head, view, self._offset)
            return True
        except OSError:
            self._leave()
            return False

    def _leave(self) -> None:
        self.damage(self.head, self._offset)
        self._offset = self.size  # what is written is read; nothing more is

    def _enter(self) -> None:
        """The sector ahead becomes the head."""
        for _ in range(ATTEMPTS):
            sector = self._ahead
            if sector < 0:
                sector = self._prepare()
            self._ahead = -1
            lap = self.lap_of(sector)
            self.pack_header(lap, self.acknowledged, self.chain.previous)
            try:
                self._program(sector, memoryview(self._header)[:HEADER_SIZE], 0)
            except OSError:
                self.damage(sector, 0)
                self._candidate = (sector + 1) % self.count
                continue
            self.head = sector
            self.lap = lap
            self.first[sector] = self.next_sequence
            self._recorded = self.acknowledged
            self.state_sequence = 0
            self._offset = RECORDS_AT
            self._candidate = (sector + 1) % self.count
            self.find_oldest()
            return
        raise self.failure("program", self._candidate, "%d sectors in a row" % ATTEMPTS)

    def _prepare(self) -> int:
        """Erases and marks the next sector that may be and can be erased; returns it."""
        for _ in range(ATTEMPTS):
            sector = self._candidate
            if sector == self.head:
                self._exhausted = True
                break
            if self.first[sector] and not self.overwrite:
                last = self.last_in(sector)
                if last > self.acknowledged:
                    self._exhausted = sector != (self.head + 1) % self.count
                    raise LedgerFull(
                        "%s: full, %d records wait for the operator: restore the connection"
                        % (self.name, self.next_sequence - 1 - self.acknowledged)
                    )
                if 0 < self._latest_state() <= last:
                    self._exhausted = True
                    raise self.failure("erase", sector, "the others failed, and here is the state")
                if last > self._recorded:
                    self.flush_acknowledged()
            if self.first[sector]:
                self.first[sector] = 0
                self.find_oldest()
            if self._erase(sector):
                return sector
            self.damage(sector, 0)
            self._candidate = (sector + 1) % self.count
        raise self.failure("erase", self._candidate, "%d sectors in a row" % ATTEMPTS)

    def _latest_state(self) -> int:
        """What the box remembers begins with this record, and stays; 0: nothing."""
        return 0

    def _erase(self, sector: int) -> bool:
        window = self.scan.window
        self.scan.forget()
        self.scan.forget_survey()
        try:
            self.device.ioctl(_ERASE, sector)
            for offset in range(0, self.size, len(BLANK)):
                self.device.readblocks(sector, window, offset)
                if window != BLANK:
                    return False
            self.pack_header(self.lap_of(sector), 0, self.chain.previous)
            self._program(sector, memoryview(self._header)[:READY_SIZE], 0)
        except OSError:
            return False
        return True

    def _program(self, sector: int, view, offset: int) -> None:
        """Programs and reads back. OSError if the device fails, or holds something else."""
        back = self._backs.get(len(view))
        if back is None:
            back = self.scan.window[: len(view)]
            if self._mounted and len(self._backs) < _BACKS_MAX:
                self._backs[len(view)] = back
        self.scan.forget()
        self.device.writeblocks(sector, view, offset)
        self.device.readblocks(sector, back, offset)
        if back != view:
            raise OSError(_EIO)
