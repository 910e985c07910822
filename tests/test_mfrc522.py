"""The reader's chip through its registers: one exchange with a tag at a time."""

from __future__ import annotations

import pytest
from wallbox.drivers import mfrc522
from wallbox.drivers.mfrc522 import ANSWER, COLLISION, DEAD, NAK, SILENT, SPOILED, WAIT, Mfrc522

from hw.sim.tagcards import Card
from hw.sim.tagreader import Bus, TagReader
from tests.interpreter import ROOT

SHORT, LONG = 32, 200


class Setup:
    """Chip and driver; time passes only when `after` lets it."""

    def __init__(self) -> None:
        self.us = 0
        self.chip = TagReader(lambda: self.us)
        self.driver = Mfrc522(Bus(self.chip), self.chip.select, self.chip.reset_line)

    def on(self) -> Setup:
        self.driver.reset(0)
        self.driver.reset(1)
        assert self.driver.configure()
        self.driver.field(True)
        return self

    def after(self, us: int) -> int:
        self.us += us
        return int(self.driver.result())

    def send(self, frame: bytes, last_bits: int = 0, crc: bool = False, ticks: int = SHORT) -> None:
        for index, byte in enumerate(frame):
            self.driver.frame[index] = byte
        self.driver.send(len(frame), last_bits, crc, ticks)

    def answer(self, frame: bytes, last_bits: int = 0, crc: bool = False) -> bytes:
        self.send(frame, last_bits, crc, LONG)
        assert self.after(5_000) == ANSWER
        return bytes(self.driver.answer[: self.driver.length])

    def select(self) -> None:
        """Makes a tag with a UID of 4 or 7 bytes active."""
        self.answer(b"\x26", 7)
        for level in (0x93, 0x95):
            part = self.answer(bytes((level, 0x20)))
            if not self.answer(bytes((level, 0x70)) + part, crc=True)[0] & 4:
                return


def test_a_chip_that_answers_is_configured():
    setup = Setup()
    setup.driver.reset(0)
    assert not setup.driver.configure()  # it is held in reset
    setup.driver.reset(1)
    assert setup.driver.configure()
    assert setup.driver.version == 0x92
    assert not setup.driver.alive()  # its field is off
    setup.driver.field(True)
    assert setup.driver.alive()


@pytest.mark.parametrize("level", [0, 1])
def test_an_open_cable_is_no_chip(level):
    setup = Setup().on()
    setup.chip.unplug(level)
    assert not setup.driver.alive()
    assert not setup.driver.configure()
    setup.send(b"\x26", 7)
    assert setup.after(5_000) == (DEAD if level else WAIT)


def test_an_exchange_takes_as_long_as_its_frames():
    """REQA is 10 bits of 9.44 us long, the answer begins after 86 us and lasts 20 bits."""
    setup = Setup().on()
    setup.chip.put(Card(b"abcd"))
    setup.send(b"\x26", 7)
    assert setup.after(94 + 86 + 187) == WAIT
    assert setup.after(3) == ANSWER
    assert bytes(setup.driver.answer[: setup.driver.length]) == b"\x04\x00"


@pytest.mark.parametrize(("ticks", "us"), [(SHORT, 800), (LONG, 5_000)])
def test_silence_is_told_by_the_chips_own_timer(ticks, us):
    setup = Setup().on()
    setup.send(b"\x26", 7, ticks=ticks)
    assert setup.after(94 + us - 2) == WAIT
    assert setup.after(4) == SILENT


def test_without_a_field_nobody_answers():
    setup = Setup().on()
    setup.chip.put(Card(b"abcd"))
    setup.driver.field(False)
    setup.send(b"\x26", 7)
    assert setup.after(5_000) == SILENT


def test_the_chip_appends_and_checks_the_crc():
    setup = Setup().on()
    setup.chip.put(Card(b"\x04abcdef", counter=0x123456))
    setup.select()
    assert setup.answer(b"\x39\x02", crc=True) == b"\x56\x34\x12"
    setup.chip.spoil(1)
    setup.send(b"\x39\x02", crc=True)
    assert setup.after(5_000) == SPOILED


def test_a_chip_that_leaves_the_crc_in_the_fifo_is_understood_too():
    setup = Setup().on()
    setup.chip.put(Card(b"\x04abcdef", counter=7))
    setup.select()
    setup.send(b"\x39\x02", crc=True, ticks=LONG)
    setup.driver._write(0x13, 0)  # RxModeReg: the chip does not look at it
    assert setup.after(5_000) == ANSWER
    assert setup.driver.length == 5


def test_a_refusal_of_four_bits_is_told_from_noise():
    setup = Setup().on()
    setup.chip.put(Card(b"\x04abcdef"))  # an Ultralight without a counter
    setup.select()
    setup.send(b"\x39\x02", crc=True)
    assert setup.after(5_000) == NAK


def test_two_tags_that_answer_differently_collide():
    setup = Setup().on()
    setup.chip.put(Card(b"abcd"))
    setup.chip.put(Card(b"abce"))
    assert setup.answer(b"\x26", 7) == b"\x04\x00"  # that is the same of both
    setup.send(b"\x93\x20")
    assert setup.after(5_000) == COLLISION


def test_an_answer_that_is_longer_than_any_expected_is_noise():
    setup = Setup().on()
    setup.chip.put(Card(b"\x04abcdef", counter=7))
    setup.select()
    setup.send(b"\x30\x00", crc=True)
    assert setup.after(5_000) == SPOILED


def test_a_chip_that_hangs_gives_no_answer_at_all():
    setup = Setup().on()
    setup.chip.hang()
    setup.send(b"\x26", 7)
    assert setup.after(1_000_000) == WAIT
    setup.driver.reset(0)
    setup.driver.reset(1)
    assert setup.driver.configure()


def test_the_ticks_are_the_ones_of_the_time_out():
    assert mfrc522.TICKS_MS * 5 == LONG


def test_an_empty_poll_allocates_nothing(micropython):
    """On the real interpreter against the chip's registers, with the heap locked for 200 polls."""
    printed = micropython.run(
        """
import gc, micropython
from wallbox.drivers.mfrc522 import Mfrc522
from wallbox.drivers.tagreader import Reader
from hw.sim.tagreader import Bus, TagReader
us = 0
def clock():
    return us
chip = TagReader(clock)
reader = Reader(Mfrc522(Bus(chip), chip.select, chip.reset_line))
def serve(until):
    global us
    calls = 0
    while us < until:
        reader.service(us // 1000)
        calls += 1
        us = max(us // 1000 + 1, reader.due) * 1000
    return calls
serve(300000)
assert reader.works == 1
gc.collect()
used, accesses = gc.mem_alloc(), chip.accesses
micropython.heap_lock()
calls = serve(20300000)
micropython.heap_unlock()
print(gc.mem_alloc() - used, calls, chip.accesses - accesses)
""",
        path=[ROOT],
    )
    allocated, calls, accesses = map(int, printed.split())
    assert allocated == 0
    assert calls <= 2 * 200 + 2
    assert accesses <= 200 * 9
