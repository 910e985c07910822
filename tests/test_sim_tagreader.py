"""The simulated MFRC522 and its tags, asked by a driver on the box and by hand."""

from __future__ import annotations

import pytest

from hw.sim.tagreader import Card, TagReader, crc_a
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
    for register, value in ((0x2A, 0x80), (0x2B, 0xA9), (0x2C, 0), (0x2D, 200), (0x14, 0x83)):
        write(register, value)
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


def test_a_halted_card_answers_a_wake_up_only():
    card = Card(b"abcd")
    assert card.answer(b"\x26", 7) == b"\x04\x00"
    part = card.answer(b"\x93\x20", 0)
    select = b"\x93\x70" + part
    assert card.answer(select + crc_a(select), 0)[0] == 0x08
    assert card.answer(b"\x50\x00" + crc_a(b"\x50\x00"), 0) == b""
    assert card.answer(b"\x26", 7) == b""
    assert card.answer(b"\x52", 7) == b"\x04\x00"


def test_a_frame_with_a_wrong_crc_gets_no_answer():
    card = Card(b"abcd")
    card.answer(b"\x26", 7)
    part = card.answer(b"\x93\x20", 0)
    assert card.answer(b"\x93\x70" + part + b"\0\0", 0) == b""


def test_uids_of_other_lengths_are_refused():
    with pytest.raises(ValueError, match="4, 7 or 10 bytes, not 5"):
        Card(b"12345")


def test_without_antenna_nothing_is_heard_and_the_timer_tells():
    now = [0.0]
    reader = TagReader(lambda: now[0])
    reader.card = Card(b"abcd")

    def write(register: int, value: int) -> None:
        reader.select(0)
        reader.transfer(bytes((register << 1, value)))

    def read(register: int) -> int:
        reader.select(0)
        return reader.transfer(bytes((0x80 | register << 1, 0)))[1]

    for register, value in ((0x2A, 0x80), (0x2B, 0xA9), (0x2D, 200), (0x09, 0x26), (0x01, 0x0C)):
        write(register, value)
    write(0x04, 0x7F)
    write(0x0D, 0x87)
    assert read(0x04) & 0x21 == 0
    now[0] = 0.0049
    assert read(0x04) & 0x21 == 0
    now[0] = 0.0051  # 201 ticks of 25 us
    assert read(0x04) & 0x21 == 0x01


def test_crc_a_of_the_standards_example():
    """ISO/IEC 14443-3 annex B: 00 00 gives A0 1E, 12 34 gives 26 CF."""
    assert crc_a(b"\x00\x00") == b"\xa0\x1e"
    assert crc_a(b"\x12\x34") == b"\x26\xcf"
