"""Contactless tags of ISO/IEC 14443-3 type A, frame by frame, and two in one field at a time.

A frame is bytes and the number of bits in its last one (0: all eight), as a reader sends it. An
answer is a number whose lowest bit is sent first, and how many bits it has; (0, 0) is silence.
Commands and timing of the NTAG21x as in NXP's data sheet NTAG213/215/216, sections 8 to 10.

One source for MicroPython and CPython.
"""

CASCADE_TAG = 0x88
CASCADE_BIT = 0x04
ACTIVATE = (0x26, 0x52)  # REQA, WUPA
SELECT = (0x93, 0x95, 0x97)
SILENCE = (0, 0)
NAK = (0x0, 4)

_OFF = 0
_IDLE = 1
_READY = 2
_ACTIVE = 3
_HALTED = 4
_COUNTER_MAX = 0xFFFFFF
_PAGES = 45  # of an NTAG213


def crc_a(data: bytes) -> bytes:
    """The CRC of ISO/IEC 14443-3 type A, low byte first."""
    return crc16(data, 0x6363)


def crc16(data: bytes, preset: int) -> bytes:
    """The CRC unit's polynomial over `data`, low byte first."""
    crc = preset
    for byte in data:
        for bit in range(8):
            mix = (crc ^ byte >> bit) & 1
            crc = crc >> 1 ^ (0x8408 if mix else 0)
    return bytes((crc & 0xFF, crc >> 8))


def framed(data: bytes) -> tuple:
    """An answer of whole bytes, with its CRC."""
    data += crc_a(data)
    return int.from_bytes(data, "little"), 8 * len(data)


class Card:
    """A tag with a UID of 4, 7 or 10 bytes.

    With 7 bytes it is of type 2: an NTAG21x if it has a `counter`, whose first read of a page
    after each power-up counts (unless `counts` is False), else an Ultralight without one. With 4
    it is a MIFARE Classic, which says nothing to commands it does not know.
    """

    def __init__(self, uid: bytes, counter: int = -1, counts: bool = True) -> None:
        if len(uid) not in (4, 7, 10):
            raise ValueError(f"tag: a UID has 4, 7 or 10 bytes, not {len(uid)}")
        if counter >= 0 and len(uid) != 7:
            raise ValueError("tag: only a UID of 7 bytes comes with a counter")
        self.uid = bytes(uid)
        self.counter = counter
        self.counts = counts
        self.readings = 0  # of its counter
        self.deaf = 0  # so many commands of type 2 are not heard
        self._state = _OFF
        self._rest = _IDLE  # where an error leads: HALT once it was there
        self._level = 0
        self._counted = False
        levels = (len(uid) - 1) // 3
        self._parts = [self._part(n, levels) for n in range(levels)]
        self._type_2 = len(uid) == 7

    def _part(self, level: int, levels: int) -> bytes:
        """What is sent on a cascade level: four bytes and their check."""
        part = self.uid[3 * level : 3 * level + 3]
        part = bytes((CASCADE_TAG,)) + part if level < levels - 1 else self.uid[3 * level :]
        return part + bytes((part[0] ^ part[1] ^ part[2] ^ part[3],))

    def power(self, on: bool) -> None:
        """The field reaches the tag, or does so no more."""
        if on and self._state == _OFF:
            self._state = self._rest = _IDLE
            self._counted = False
        elif not on:
            self._state = _OFF

    def answer(self, frame: bytes, last_bits: int) -> tuple:
        """(bits, how many) to a frame; (0, 0) when it says nothing."""
        state = self._state
        if state in (_IDLE, _HALTED):
            return self._wake(frame, last_bits)
        if state == _READY:
            return self._select(frame, last_bits)
        if state == _ACTIVE and not last_bits:
            if len(frame) > 2 and frame[-2:] == crc_a(frame[:-2]):
                return self._command(frame[:-2])
        return self._fail(SILENCE)

    def _fail(self, answer: tuple) -> tuple:
        if self._state != _OFF:
            self._state = self._rest
        return answer

    def _wake(self, frame: bytes, last_bits: int) -> tuple:
        if last_bits != 7 or len(frame) != 1 or frame[0] not in ACTIVATE:
            return SILENCE
        if self._state == _HALTED and frame[0] == ACTIVATE[0]:
            return SILENCE
        self._state, self._level = _READY, 0
        return (len(self._parts) - 1) << 6 | 0x04, 16

    def _select(self, frame: bytes, last_bits: int) -> tuple:
        if len(frame) < 2 or frame[0] != SELECT[self._level]:
            return self._fail(SILENCE)
        part = self._parts[self._level]
        if frame[1] == 0x70:
            return self._selected(frame, part)
        # the reader names the first bits that it knows; a tag that has them tells the others
        known = 8 * (frame[1] >> 4) + (frame[1] & 7) - 16
        if not 0 <= known < 40 or 8 * (len(frame) - 2) - (8 - last_bits) % 8 != known:
            return self._fail(SILENCE)
        bits = int.from_bytes(part, "little")
        mask = (1 << known) - 1
        if (int.from_bytes(frame[2:], "little") ^ bits) & mask:
            return self._fail(SILENCE)
        return bits >> known, 40 - known

    def _selected(self, frame: bytes, part: bytes) -> tuple:
        select = bytes((SELECT[self._level], 0x70)) + part
        if frame != select + crc_a(select):
            return self._fail(SILENCE)
        self._level += 1
        if self._level < len(self._parts):
            return framed(bytes((CASCADE_BIT,)))
        self._state = _ACTIVE
        return framed(b"\x08" if len(self.uid) == 4 else b"\x00")

    def _command(self, frame: bytes) -> tuple:
        if frame == b"\x50\x00":
            self._state = self._rest = _HALTED
            return SILENCE
        if not self._type_2:
            return self._fail(SILENCE)
        if self.deaf > 0:
            self.deaf -= 1
            return SILENCE
        if frame[0] == 0x30 and len(frame) == 2:
            return self._pages(frame[1], frame[1] + 3, 16)
        if self.counter >= 0:
            if frame[0] == 0x3A and len(frame) == 3 and frame[1] <= frame[2]:
                return self._pages(frame[1], frame[2], 0)
            if frame == b"\x39\x02":
                self.readings += 1
                return framed(bytes([self.counter >> 8 * n & 0xFF for n in range(3)]))
            if frame == b"\x60":
                return framed(b"\x00\x04\x04\x02\x01\x00\x0f\x03")
        return self._fail(NAK)

    def _pages(self, first: int, last: int, wrap: int) -> tuple:
        if first >= _PAGES or (last >= _PAGES and not wrap):
            return self._fail(NAK)
        if self.counter >= 0 and self.counts and not self._counted:
            self._counted = True
            self.counter = min(self.counter + 1, _COUNTER_MAX)
        head = self._parts[0][1:5] + self.uid[3:] + self._parts[1][4:] + bytes(3)
        memory = head + bytes(4 * _PAGES - len(head))
        memory += memory[:wrap]
        return framed(memory[4 * first : 4 * last + 4])


def overlap(answers: list, keep: bool) -> tuple:
    """What a reader hears of tags that answer at once: (bits, how many, first collision or -1).

    From the collision on bits are 0, or with `keep` those that any tag sent.
    """
    bits = length = 0
    differing = 0
    for value, count in answers:
        if length:
            differing |= value ^ bits
            if count != length:
                differing |= 1 << min(count, length)
        bits |= value
        length = max(length, count)
    if not differing:
        return bits, length, -1
    at = 0
    while not differing >> at & 1:
        at += 1
    return bits if keep else bits & (1 << at) - 1, length, at
