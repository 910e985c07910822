"""One box under a flash that tears, wavers and wears, and all that was ever promised of it.

Plain Python for CPython and MicroPython alike.
"""

import hashlib

from wallbox.store.record import STATE
from wallbox.store.ring import LedgerFull, Ring, StoreError

from hw.sim.flash import Partition
from hw.sim.flash_faults import (
    ERASE_FAILS,
    ERASE_IGNORED,
    PROGRAM_FAILS,
    PROGRAM_IGNORED,
    FaultyFlash,
    PowerCut,
)

KEY = b"torture" * 5
NAME = b"wallbox ledger"
LONGEST = 100
SEARCHES = 6

_INNER = bytes([byte ^ 0x36 for byte in KEY] + [0x36] * (64 - len(KEY)))
_OUTER = bytes([byte ^ 0x5C for byte in KEY] + [0x5C] * (64 - len(KEY)))


def hmac(message):
    """The first 8 bytes of HMAC-SHA256(KEY, message), written down once more."""
    digest = hashlib.sha256(_INNER + message).digest()
    return hashlib.sha256(_OUTER + digest).digest()[:8]


class Torture:
    """One box through many lives."""

    def __init__(
        self,
        seed,
        overwrite=False,
        sectors=8,
        sector_size=512,
        bad=0,
        fickle=False,
        restless=False,
        ill=False,
    ):
        self.seed = seed
        self.bad = bad  # sectors that fail
        self.fickle = fickle  # they recover, and others fail
        self.restless = restless  # the power hardly stays on
        self.ill = ill  # now and then no sector takes anything for a while
        self.overwrite = overwrite
        self.flash = FaultyFlash(sectors * sector_size, seed, sector_size)
        self.device = Partition(self.flash, 0, self.flash.size)
        self.truth = {}  # sequence: bytes of the record that was promised
        self.tried = {}  # sequence: versions whose fate is open
        self.promised = 0  # the last sequence number
        self.acknowledged = 0
        self.boot = 0
        self.lives = 0
        self.appended = 0
        self.oldest = 1
        self.in_a_row = 0  # recoveries cut
        self.recoveries_cut = [0, 0, 0]
        self.damaged = 0
        self.spoil()

    def spoil(self):
        """Other sectors are the bad ones now."""
        flash = self.flash
        flash.bad_sectors.clear()
        for _ in range(self.bad):
            way = (PROGRAM_FAILS, PROGRAM_IGNORED, ERASE_FAILS, ERASE_IGNORED)[flash.random(4)]
            flash.fail(flash.random(flash.size // flash.sector_size), way)

    def run(self, cuts):
        """Lives until `cuts` power cuts have happened, then one more without."""
        while self.flash.cuts < cuts:
            self.live()
        self.flash.power_on()
        self.check(self.mount())
        self.go_on()
        assert not self.flash.illegal_programs, "a program tried to set a bit"

    def live(self):
        flash = self.flash
        random = flash.random
        self.lives += 1
        flash.power_on()
        if self.fickle and not random(8):
            self.spoil()
        try:
            if random(2 if self.restless else 3) == 0:
                flash.cut_in(1 + random(3))  # during recovery
            ring = self.recover()
            flash.cut_in(0)
            self.check(ring)
            flash.cut_in(1 + random(3 if self.restless else 40))
            self.work(ring)
        except PowerCut:
            pass

    def recover(self):
        cuts = self.flash.cuts
        try:
            ring = self.mount()
        finally:
            self.in_a_row = self.in_a_row + 1 if self.flash.cuts > cuts else 0
            for depth in range(min(self.in_a_row, 3)):
                self.recoveries_cut[depth] += depth + 1 == min(self.in_a_row, 3)
        return ring

    def go_on(self):
        """However it was treated: the box writes, and what it writes is there."""
        ring = self.mount()
        if not self.overwrite:
            self.acknowledged = ring.next_sequence - 1
            ring.acknowledge(self.acknowledged)
        for step in range(3):
            self.append(ring, step, b"it goes on", 10)
            ring.erase_ahead()
        wanted = self.promised
        ring = self.mount()
        self.check(ring)
        assert ring.next_sequence == wanted + 1, "writing does not go on"

    def mount(self):
        ring = Ring(self.device, NAME, KEY, self.overwrite, LONGEST)
        compose = ring.chain.compose

        def noted(kind, sequence, boot, uptime_ms, utc_s, payload, length):
            total = compose(kind, sequence, boot, uptime_ms, utc_s, payload, length)
            self.tried.setdefault(sequence, []).append(bytes(ring.chain.whole(total)))
            return total

        ring.chain.compose = noted
        ring.mount()
        return ring

    def work(self, ring):
        random = self.flash.random
        self.boot += 1
        ring.state_source = (lambda: (STATE, b"snapshot")) if random(4) else None
        payload = bytearray(LONGEST)
        for step in range(1000):
            choice = random(16)
            if choice == 0:
                self.erase_ahead(ring)
            elif choice == 1:
                self.acknowledge(ring, random(40))
            elif choice == 2:
                ring.flush_acknowledged()
                self.promise(ring)
            elif self.ill and choice == 4 and not random(8):
                self.fall_ill(ring, payload)
            else:
                length = random(LONGEST - 27 + 1) if choice == 3 else random(12)
                payload[:length] = self.flash.noise(length)
                self.append(ring, step, payload, length)

    def fall_ill(self, ring, payload):
        """Not ERASE_IGNORED: a half erased sector that reads as blank would be taken for one."""
        bad = self.flash.bad_sectors
        count = self.flash.size // self.flash.sector_size
        way = (PROGRAM_FAILS, PROGRAM_IGNORED, ERASE_FAILS)[self.flash.random(3)]
        self.flash.bad_sectors = dict.fromkeys(range(count), way)
        try:
            for step in range(self.flash.random(8)):
                try:
                    self.append(ring, step, payload, 12)
                except StoreError:
                    self.promise(ring)
        finally:
            self.flash.bad_sectors = bad

    def erase_ahead(self, ring):
        try:
            ring.erase_ahead()
        except StoreError:
            if not self.ill:
                raise

    def append_anyhow(self, ring, *words):
        """As the box: once all sectors have failed it begins anew."""
        for _ in range(SEARCHES):
            try:
                return ring.append(*words)
            except LedgerFull:
                raise
            except StoreError:
                ring.search_again()
        return ring.append(*words)

    def append(self, ring, step, payload, length):
        utc_s = 1760000000 + step
        put = ring.append if not self.ill else lambda *words: self.append_anyhow(ring, *words)
        try:
            sequence = put(4, 3, self.boot & 0xFFFF, step, utc_s, payload, length)
        except LedgerFull:
            self.promise(ring)
            self.acknowledge(ring, 30)
            return
        self.appended += 1
        assert sequence == ring.next_sequence - 1
        self.promise(ring)
        assert self.truth[sequence][17:-10] == payload[:length]

    def acknowledge(self, ring, count):
        sequence = min(self.acknowledged + count, ring.next_sequence - 1)
        if self.overwrite:
            return
        self.acknowledged = max(sequence, self.acknowledged)
        ring.acknowledge(sequence)
        self.promise(ring)

    def promise(self, ring):
        """What was tried is now promised."""
        while self.promised < ring.next_sequence - 1:
            sequence = self.promised + 1
            self.believe(sequence, self.tried.pop(sequence)[-1])

    def believe(self, sequence, data):
        """From now on the record must be there."""
        before = self.truth[sequence - 1][-8:] if sequence > 1 else hmac(NAME)
        assert hmac(before + data[:-8]) == data[-8:], f"record {sequence} breaks the chain"
        self.truth[sequence] = data
        self.promised = sequence

    def check(self, ring):
        """The ring holds what was promised, perhaps what was tried last, and nothing else."""
        last = ring.next_sequence - 1
        assert last >= self.promised, f"{self.promised - last} promised records are lost"
        buf = bytearray(1024)
        sequence = expected = self.first_needed(ring)
        while True:
            end, first, last_read = ring.read_into(sequence, buf)
            if not end:
                break
            assert first == expected, f"record {expected} is lost, {first} follows"
            offset = 0
            while offset < end:
                length = buf[offset]
                self.check_record(expected, bytes(buf[offset : offset + length]))
                offset += length
                expected += 1
            assert expected == last_read + 1
            sequence = expected
        assert expected == last + 1, f"records {expected} to {last} are lost"
        assert ring.acknowledged <= self.acknowledged, "a watermark is invented"
        freed = ring.oldest_sequence - 1
        assert freed <= self.acknowledged or self.overwrite, f"{freed} is freed unacknowledged"
        self.check_damage(ring)
        if ring.settled:
            self.tried.clear()
        self.forget(ring)

    def first_needed(self, ring):
        """The oldest record that must be there.

        A sector that may be erased may be half erased, and one behind a sector that fails, too.
        """
        if not self.overwrite or ring.head < 0:
            return max(self.acknowledged + 1, ring.oldest_sequence)
        sector = ring.holding(ring.oldest_sequence)
        for _ in range(1 + self.bad):
            behind = ring.behind(sector)
            if behind >= 0:
                sector = behind
        return min(ring.first[sector], self.promised + 1)

    def check_record(self, sequence, data):
        if sequence <= self.promised:
            assert data == self.truth[sequence], f"record {sequence} is another one"
            return
        assert data in self.tried.get(sequence, ()), f"record {sequence} is invented"
        self.believe(sequence, data)

    def check_damage(self, ring):
        """What is told as damaged is no record that is read."""
        self.damaged += ring.damaged
        assert len(ring.damaged_at) == min(ring.damaged, 16)
        if not ring.damaged:
            return
        image = self.flash.image()
        for at in ring.damaged_at:
            assert at < len(image), f"position {at} is told as damaged"
            told = image[at : at + image[at]]
            sequence = int.from_bytes(told[2:6], "little")
            whole = ring.oldest_sequence <= sequence and self.truth.get(sequence) == told
            assert not whole, f"record {sequence} is told as damaged"

    def forget(self, ring):
        """Bounds the memory: what the ring has freed is not asked for again."""
        low = min(ring.oldest_sequence, self.acknowledged + 1)
        if self.overwrite:
            low = ring.oldest_sequence
        while self.oldest < low - 1:
            self.truth.pop(self.oldest, None)
            self.oldest += 1
