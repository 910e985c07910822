"""The simulated MFRC522 and its tags, asked by a driver on the box and by hand."""

from __future__ import annotations

import pytest

from hw.sim import tagchip as r
from hw.sim.tagcards import Card, crc_a, overlap
from hw.sim.tagreader import TagReader
from hw.sim.world import World
from tests.simbox import flash_of

DRIVER = """
    from machine import SPI, Pin
    spi = SPI(2, baudrate=1000000, sck=Pin(18), mosi=Pin(23), miso=Pin(19))
    select = Pin(5, Pin.OUT, value=1)
    reset = Pin(22, Pin.OUT, value=1)

    def read(register):
        select(0)
        spi.write(bytes([0x80 | register << 1]))
        value = spi.read(1)[0]
        select(1)
        return value

    def write(register, value):
        select(0)
        spi.write(bytes([register << 1, value]))
        select(1)

    def crc(data):
        write(0x01, 0)
        write(0x05, 0x04)
        write(0x0A, 0x80)
        for byte in data:
            write(0x09, byte)
        write(0x01, 3)
        while not read(0x05) & 0x04:
            pass
        write(0x01, 0)
        return bytes([read(0x22), read(0x21)])

    def transceive(data, bits=0):
        write(0x01, 0)
        write(0x04, 0x7F)
        write(0x0A, 0x80)
        for byte in data:
            write(0x09, byte)
        write(0x0D, bits)
        write(0x01, 0x0C)
        write(0x0D, 0x80 | bits)
        while not read(0x04) & 0x21:
            pass
        if not read(0x04) & 0x20:
            return None
        return bytes([read(0x09) for _ in range(read(0x0A))])

    def uid():
        if transceive(b"\\x26", 7) is None:
            return None
        found = b""
        for level in (0x93, 0x95, 0x97):
            part = transceive(bytes([level, 0x20]))
            frame = bytes([level, 0x70]) + part
            sak = transceive(frame + crc(frame))
            if not sak[0] & 4:
                found += part[:4]
                break
            found += part[1:4]
        transceive(b"\\x50\\x00" + crc(b"\\x50\\x00"))
        return found

    print("version", hex(read(0x37)))
    for register, value in ((0x2A, 0x80), (0x2B, 0xA9), (0x2C, 0), (0x2D, 200)):
        write(register, value)
    write(0x11, 0x3D)
    write(0x14, 0x83)
    print("reader ready")
"""


def test_a_driver_on_the_box_reads_every_length_of_uid():
    with World(flash=flash_of(DRIVER), broker=None) as world:
        world.box.wait_for("version 0x92\nreader ready(.|\n)*>>> ")

        def seen() -> str:
            mark = world.box.log.position
            world.box.type("print('uid', uid())\r")
            return world.box.wait_for(r"^uid (.+)\n", since=mark)[1]

        assert seen() == "None"
        for uid in (b"abcd", b"abcdefg", b"abcdefghij"):
            world.tag.present(uid)
            assert seen() == repr(uid)
            assert seen() == "None"  # it was sent to HALT
        world.tag.remove()
        assert seen() == "None"
        world.tag.unplug()
        mark = world.box.log.position
        world.box.type("print('again', hex(read(0x37)))\r")
        world.box.wait_for("^again 0xff", since=mark)


class Chip:
    """The chip by hand, in a time of its own."""

    def __init__(self, *cards: Card, field: bool = True) -> None:
        self.us = 0
        self.reader = TagReader(lambda: self.us)
        for card in cards:
            self.reader.put(card)
        self.write(r.TX_CONTROL, 0x83 if field else 0x80)
        for register, value in ((r.T_MODE, 0x80), (r.T_PRESCALER, 0xA9), (r.T_RELOAD_LOW, 200)):
            self.write(register, value)

    def write(self, register: int, *values: int) -> None:
        self.reader.select(0)
        self.reader.transfer(bytes((register << 1, *values)))
        self.reader.select(1)

    def read(self, register: int) -> int:
        self.reader.select(0)
        value = self.reader.transfer(bytes((0x80 | register << 1, 0)))[1]
        self.reader.select(1)
        return value

    def fifo(self) -> bytes:
        return bytes(self.read(r.FIFO_DATA) for _ in range(self.read(r.FIFO_LEVEL)))

    def send(self, frame: bytes, framing: int = 0) -> None:
        self.write(r.COMMAND, r.IDLE)
        self.write(r.COM_IRQ, 0x7F)
        self.write(r.FIFO_LEVEL, 0x80)
        self.write(r.FIFO_DATA, *frame)
        self.write(r.BIT_FRAMING, framing)
        self.write(r.COMMAND, r.TRANSCEIVE)
        self.write(r.BIT_FRAMING, 0x80 | framing)

    def ask(self, frame: bytes, framing: int = 0) -> bytes:
        self.send(frame, framing)
        self.us += 10_000
        return self.fifo()


def test_after_a_reset_the_registers_are_as_in_the_data_sheet():
    chip = Chip()
    chip.write(r.COMMAND, r.SOFT_RESET)
    found = [chip.read(n) for n in (1, 2, 4, 7, 0xB, 0xC, 0x11, 0x14, 0x19, 0x24, 0x26, 0x37)]
    assert found == [0x20, 0x80, 0x14, 0x21, 8, 0x10, 0x3F, 0x80, 0x4D, 0x26, 0x48, 0x92]


def test_several_registers_in_one_transfer():
    """Section 8.1.2.1: each byte out is the address of the next byte in."""
    reader = Chip().reader
    reader.select(0)
    assert reader.transfer(bytes((0xEE, 0xD6, 0x82, 0x00))) == bytes((0, 0x92, 0xA9, 0x20))


def test_the_fifo_holds_64_bytes_and_tells_when_one_more_comes():
    chip = Chip()
    chip.write(r.FIFO_DATA, *range(64))
    assert chip.read(r.FIFO_LEVEL) == 64
    assert chip.read(r.ERROR) & r.OVERFLOW == 0
    chip.write(r.FIFO_DATA, 64)
    assert chip.read(r.ERROR) & r.OVERFLOW
    assert chip.fifo() == bytes(range(64))
    assert chip.read(r.FIFO_DATA) == 0


def test_interrupt_bits_are_set_and_cleared_by_bit_7():
    chip = Chip()
    chip.write(r.COM_IRQ, 0x7F)
    assert chip.read(r.COM_IRQ) == 0
    chip.write(r.COM_IRQ, 0x80 | r.RX_IRQ)
    assert chip.read(r.COM_IRQ) == r.RX_IRQ
    chip.write(r.COM_IRQ, r.RX_IRQ)
    assert chip.read(r.COM_IRQ) == 0


@pytest.mark.parametrize(
    ("mode", "data", "crc"),
    [(0x3D, b"\0\0", b"\xa0\x1e"), (0x3F, b"\x0f\xaa\xff", b"\x03\x2e")],
)
def test_the_crc_unit_uses_the_preset_of_the_mode(mode, data, crc):
    """The examples of ISO/IEC 14443-3, annex B, and annex C (0F AA FF gives FC D1, inverted)."""
    chip = Chip()
    chip.write(r.MODE, mode)
    chip.write(r.FIFO_DATA, *data)
    chip.write(r.COMMAND, r.CALC_CRC)
    assert chip.read(r.DIV_IRQ) & r.CRC_IRQ == 0
    chip.us += 3
    assert chip.read(r.DIV_IRQ) & r.CRC_IRQ
    assert bytes((chip.read(r.CRC_LOW), chip.read(r.CRC_HIGH))) == crc


def test_without_a_field_nothing_is_heard_and_the_timer_tells():
    chip = Chip(Card(b"abcd"), field=False)
    chip.send(b"\x26", 7)
    chip.us += 94
    assert chip.read(r.COM_IRQ) & 0x61 == r.TX_IRQ
    chip.us += 5_024
    assert chip.read(r.COM_IRQ) & 0x21 == 0
    assert chip.read(r.STATUS_1) & 0x08
    chip.us += 2  # 201 ticks of 25 us after the frame
    assert chip.read(r.COM_IRQ) & 0x21 == r.TIMER_IRQ
    assert chip.read(r.STATUS_1) & 0x08 == 0


def test_an_answer_stops_the_timer_with_its_fifth_bit():
    chip = Chip(Card(b"abcd"))
    chip.write(r.T_RELOAD_LOW, 6)  # 175 us: the answer has begun, not ended
    chip.send(b"\x26", 7)
    chip.us += 10_000
    assert chip.read(r.COM_IRQ) & 0x21 == r.RX_IRQ
    chip.write(r.T_RELOAD_LOW, 3)  # 100 us: it has not
    chip.ask(b"\x52", 7)
    assert chip.read(r.COM_IRQ) & r.TIMER_IRQ


def test_the_timer_counts_down_and_can_be_stopped():
    chip = Chip()
    chip.write(r.CONTROL, 0x40)
    chip.us += 2_500
    assert chip.read(r.T_COUNTER_LOW) in (100, 101)
    chip.write(r.CONTROL, 0x80)
    chip.us += 10_000
    assert chip.read(r.COM_IRQ) & r.TIMER_IRQ == 0


def test_start_send_does_not_clear_itself():
    """A driver that leaves it set sends as soon as the command begins, with the old framing."""
    chip = Chip(Card(b"abcd"))
    assert chip.ask(b"\x26", 7) == b"\x04\x00"
    chip.write(r.COMMAND, r.IDLE)
    chip.write(r.FIFO_DATA, 0x93, 0x20)
    chip.write(r.COMMAND, r.TRANSCEIVE)
    assert chip.read(r.FIFO_LEVEL) == 0


def test_frames_last_as_long_as_in_the_ntags_data_sheet():
    """READ_CNT: 368 us, its answer 444 us; READ's answer 1548 us; a refusal 57 us."""
    assert [r.bits_us(n) for n in (39, 47, 164, 6)] == [368, 443, 1548, 56]


def test_a_halted_card_answers_a_wake_up_only():
    card = Card(b"abcd")
    card.power(True)
    assert card.answer(b"\x26", 7) == (0x0004, 16)
    part = card.answer(b"\x93\x20", 0)[0].to_bytes(5, "little")
    select = b"\x93\x70" + part
    assert card.answer(select + crc_a(select), 0)[0] & 0xFF == 0x08
    assert card.answer(b"\x50\x00" + crc_a(b"\x50\x00"), 0) == (0, 0)
    assert card.answer(b"\x26", 7) == (0, 0)
    assert card.answer(b"\x52", 7) == (0x0004, 16)
    assert card.answer(b"\x52", 7) == (0, 0)  # not expected: back to sleep
    assert card.answer(b"\x26", 7) == (0, 0)
    card.power(False)
    card.power(True)
    assert card.answer(b"\x26", 7) == (0x0004, 16)


def test_a_frame_with_a_wrong_crc_gets_no_answer():
    card = Card(b"abcd")
    card.power(True)
    card.answer(b"\x26", 7)
    part = card.answer(b"\x93\x20", 0)[0].to_bytes(5, "little")
    assert card.answer(b"\x93\x70" + part + b"\0\0", 0) == (0, 0)


@pytest.mark.parametrize("length", [0, 3, 5, 11])
def test_uids_of_other_lengths_are_refused(length):
    with pytest.raises(ValueError, match=f"4, 7 or 10 bytes, not {length}"):
        Card(bytes(length))


def test_only_an_ntag_has_a_counter():
    with pytest.raises(ValueError, match="only a UID of 7 bytes"):
        Card(b"abcd", counter=0)


def activate(chip: Chip) -> None:
    """Selects an NTAG, the chip making the CRCs."""
    chip.ask(b"\x52", 7)
    for level in (0x93, 0x95):
        part = chip.ask(bytes((level, 0x20)))
        chip.write(r.TX_MODE, 0x80)
        chip.write(r.RX_MODE, 0x80)
        chip.ask(bytes((level, 0x70)) + part)
        if level == 0x93:
            chip.write(r.TX_MODE, 0)
            chip.write(r.RX_MODE, 0)


def test_an_ntag_counts_the_first_read_after_each_power_up():
    card = Card(b"\x04abcdef", counter=7)
    chip = Chip(card)
    activate(chip)
    assert chip.ask(b"\x39\x02") == b"\x07\0\0"
    assert chip.ask(b"\x30\x00")[:9] == b"\x04ab" + bytes((0x88 ^ 4 ^ 97 ^ 98,)) + b"cdef" + bytes(
        (99 ^ 100 ^ 101 ^ 102,)
    )
    assert chip.ask(b"\x39\x02") == b"\x08\0\0"
    assert len(chip.ask(b"\x3a\x00\x03")) == 16
    assert chip.ask(b"\x39\x02") == b"\x08\0\0"
    chip.write(r.TX_CONTROL, 0x80)
    chip.write(r.TX_CONTROL, 0x83)
    chip.write(r.TX_MODE, 0)
    chip.write(r.RX_MODE, 0)
    activate(chip)
    chip.ask(b"\x3a\x00\x00")
    assert chip.ask(b"\x39\x02") == b"\x09\0\0"
    assert chip.ask(b"\x60") == b"\x00\x04\x04\x02\x01\x00\x0f\x03"
    card.counter = 0xFFFFFF
    chip.write(r.TX_CONTROL, 0x80)
    chip.write(r.TX_CONTROL, 0x83)
    chip.write(r.TX_MODE, 0)
    chip.write(r.RX_MODE, 0)
    activate(chip)
    chip.ask(b"\x30\x00")
    assert chip.ask(b"\x39\x02") == b"\xff\xff\xff"


@pytest.mark.parametrize("frame", [b"\x30\x2d", b"\x3a\x00\x2d", b"\x39\x00", b"\xa2\x00"])
def test_what_an_ntag_refuses(frame):
    chip = Chip(Card(b"\x04abcdef", counter=7))
    activate(chip)
    assert chip.ask(frame) == b"\x00"
    assert chip.read(r.CONTROL) & 7 == 4
    assert chip.read(r.ERROR) & r.CRC_ERROR
    assert chip.ask(b"\x39\x02") == b""  # it is not active any more


def test_anticollision_finds_each_of_two_tags_bit_by_bit():
    """The reader goes on with the bits up to the collision and a choice, in a frame of bits."""
    first, second = b"\x86\xa0\x83\xee", b"\x16\x9a\x0a\x3b"
    for bit, right in ((0, first), (1, second)):
        chip = Chip(Card(first), Card(second))
        chip.write(r.COLLISION, 0x00)  # bits after a collision are 0
        chip.ask(b"\x26", 7)
        heard = chip.ask(b"\x93\x20")
        assert chip.read(r.ERROR) & r.COLLIDED
        assert chip.read(r.COLLISION) == 5  # the fifth bit is the first that differs
        assert heard == b"\x06\0\0\0\0"
        known = heard[0] & 0x0F | bit << 4
        rest = chip.ask(bytes((0x93, 0x25, known)), 0x55)
        assert chip.read(r.COLLISION) & 0x20
        whole = bytes((rest[0] | known,)) + rest[1:]
        assert whole[:4] == right


def test_tags_that_answer_alike_do_not_collide():
    assert overlap([(0x44, 16), (0x44, 16)], False) == (0x44, 16, -1)
    assert overlap([(0x05, 16), (0x04, 16)], False) == (0, 16, 0)
    assert overlap([(0x05, 16), (0x04, 16)], True) == (5, 16, 0)
    assert overlap([(0, 4), (0x8F0, 16)], False) == (0, 16, 4)


def test_noise_of_one_bit_is_seen_by_its_parity_and_of_two_is_not():
    for mask, error in ((0x04, r.PARITY_ERROR), (0x06, 0)):
        chip = Chip(Card(b"abcd"))
        chip.reader.spoil(1, 0, mask)
        assert chip.ask(b"\x26", 7) == bytes((0x04 ^ mask, 0))
        assert chip.read(r.ERROR) == error


def test_the_reset_line_holds_the_chip():
    chip = Chip()
    chip.reader.reset_line(0)
    assert chip.read(r.VERSION_REG) == 0
    chip.write(r.TX_CONTROL, 0x83)
    chip.reader.reset_line(1)
    assert chip.read(r.VERSION_REG) == r.VERSION
    assert not chip.reader.field


def test_faults_of_the_reader():
    chip = Chip(Card(b"abcd"))
    chip.reader.hang()
    assert chip.ask(b"\x26", 7) == b"\x26"  # it stays where it was
    assert chip.read(r.COM_IRQ) & 0x61 == 0
    chip.reader.reset_line(0)
    chip.reader.reset_line(1)
    chip.write(r.TX_CONTROL, 0x83)
    assert chip.ask(b"\x26", 7) == b"\x04\x00"
    for level, seen in ((0, 0x00), (1, 0xFF)):
        chip.reader.unplug(level)
        assert chip.read(r.VERSION_REG) == seen
    chip.reader.plug()
    assert chip.read(r.VERSION_REG) == r.VERSION


def test_crc_a_of_the_standards_example():
    """ISO/IEC 14443-3 annex B: 00 00 gives A0 1E, 12 34 gives 26 CF."""
    assert crc_a(b"\x00\x00") == b"\xa0\x1e"
    assert crc_a(b"\x12\x34") == b"\x26\xcf"
