"""Power cuts without end: the ring under a flash that tears, wavers and wears.

Plain Python for CPython and MicroPython alike. One run is a sequence of lives of a box. Each life
mounts the ring, checks it against what was ever promised, and works until the power goes off
inside a program or an erase. A run depends on its seed alone.
"""

import hashlib

from wallbox.store.record import STATE
from wallbox.store.ring import LedgerFull, Ring

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


def hmac(message):
    """The first 8 bytes of HMAC-SHA256(KEY, message), written down once more."""
    inner = bytes([byte ^ 0x36 for byte in KEY] + [0x36] * (64 - len(KEY)))
    outer = bytes([byte ^ 0x5C for byte in KEY] + [0x5C] * (64 - len(KEY)))
    digest = hashlib.sha256(inner + message).digest()
    return hashlib.sha256(outer + digest).digest()[:8]


class Torture:
    """One box through many lives."""

    def __init__(self, seed, overwrite=False, sectors=8, sector_size=512, bad=0, restless=False):
        self.seed = seed
        self.restless = restless  # the power hardly stays on
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
        random = self.flash.random
        for _ in range(bad):
            fault = (PROGRAM_FAILS, PROGRAM_IGNORED, ERASE_FAILS, ERASE_IGNORED)[random(4)]
            self.flash.bad_sectors[random(sectors)] = fault

    def run(self, cuts):
        """Lives until `cuts` power cuts have happened, then one more without."""
        while self.flash.cuts < cuts:
            self.live()
        self.flash.power_on()
        self.check(self.mount())
        assert not self.flash.illegal_programs, "a program tried to set a bit"

    def live(self):
        flash = self.flash
        random = flash.random
        self.lives += 1
        flash.power_on()
        try:
            if random(2 if self.restless else 3) == 0:
                flash.cut_in(1 + random(3))  # during recovery
            ring = self.mount()
            flash.cut_in(0)
            self.check(ring)
            flash.cut_in(1 + random(3 if self.restless else 40))
            self.work(ring)
        except PowerCut:
            pass

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
                ring.erase_ahead()
            elif choice == 1:
                self.acknowledge(ring, random(40))
            elif choice == 2:
                ring.flush_acknowledged()
                self.promise(ring)
            else:
                length = random(LONGEST - 27 + 1) if choice == 3 else random(12)
                for index in range(length):
                    payload[index] = random(256)
                self.append(ring, step, payload, length)

    def append(self, ring, step, payload, length):
        utc_s = 1760000000 + step
        try:
            sequence = ring.append(4, 3, self.boot & 0xFFFF, step, utc_s, payload, length)
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
            self.promised += 1
            self.truth[self.promised] = self.tried.pop(self.promised)[-1]

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
        assert ring.acknowledged <= self.acknowledged
        assert ring.oldest_sequence <= self.acknowledged + 1 or self.overwrite
        if ring.settled:
            self.tried.clear()
        self.forget(ring)

    def first_needed(self, ring):
        """The oldest record that must be there. A sector that may be erased may be half erased."""
        if not self.overwrite or ring.head < 0:
            return max(self.acknowledged + 1, ring.oldest_sequence)
        sector = ring.holding(ring.oldest_sequence)
        behind = ring.behind(sector)
        return min(ring.first[behind if behind >= 0 else sector], self.promised + 1)

    def check_record(self, sequence, data):
        if sequence <= self.promised:
            assert data == self.truth[sequence], f"record {sequence} is another one"
            return
        assert data in self.tried.get(sequence, ()), f"record {sequence} is invented"
        before = self.truth[sequence - 1][-8:] if sequence > 1 else hmac(NAME)
        assert hmac(before + data[:-8]) == data[-8:], f"record {sequence} breaks the chain"
        self.truth[sequence] = data
        self.promised = sequence

    def forget(self, ring):
        """Bounds the memory: what the ring has freed is not asked for again."""
        low = min(ring.oldest_sequence, self.acknowledged + 1)
        if self.overwrite:
            low = ring.oldest_sequence
        while self.oldest < low - 1:
            self.truth.pop(self.oldest, None)
            self.oldest += 1


def run(seed, cuts):
    """`cuts` power cuts at least, in turn on each sort of ring; returns what was done."""
    done = lives = appended = 0
    while done < cuts:
        box = Torture(
            seed,
            overwrite=seed % 4 == 3,
            sector_size=1024 if seed % 4 == 1 else 512,
            bad=2 if seed % 8 == 2 else 0,
            restless=seed % 3 == 0,
        )
        part = min(500, cuts - done)
        try:
            box.run(part)
        except AssertionError as error:
            raise AssertionError(f"seed {seed}, life {box.lives}: {error}") from None
        done += box.flash.cuts
        lives += box.lives
        appended += box.appended
        seed += 1
    return done, lives, appended
