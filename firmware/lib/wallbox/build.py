"""Builds the parts of the box from its board, its configuration and its identity."""

import board
import esp32
import machine
from micropython import const

from . import forget
from .core import events
from .drivers import contactor, lamp, meter, meter_maps, pilot, seals

CONFIG_FILE = "config.json"
TAGS_FILE = "tags.bin"
COUNTERS_FILE = "counters.bin"

_IN_SIZE = const(1216)  # the longest command, and its topic


def ledger_key() -> bytes:
    """The 32 bytes that sign the rings, b"" on a box that was not provisioned, or whose flash is
    a copy of another box's: two would write one ledger."""
    key = bytearray(32)
    store = esp32.NVS("wallbox")
    try:
        length = store.get_blob("ledger_key", key)
    except OSError:
        return b""
    chip = bytearray(16)
    try:
        size = store.get_blob("chip", chip)
        if chip[:size] != machine.unique_id():
            print("identity: the key belongs to another chip; provision the box")
            return b""
    except OSError:  # not bound
        pass
    return bytes(key) if length == 32 else b""


def serial() -> str:
    """As the box was labelled when it got its key, "" if nobody did."""
    text = bytearray(24)
    try:
        length = esp32.NVS("wallbox").get_blob("serial", text)
        return str(text[:length], "utf-8")
    except (OSError, ValueError):
        return ""


def configuration() -> tuple:
    """(values, None), or values that refuse everything with the error's text.

    Under "event" they hold the CONFIG event that tells the core.
    """
    from . import config

    try:
        values, error = config.load(CONFIG_FILE), None
    except config.ConfigError as wrong:
        values, error = config.defaults(), str(wrong)
    chip = "".join("%02x" % byte for byte in machine.unique_id())
    values["event"] = [events.CONFIG] + config.told(values, 0 if error else 1, chip)
    forget("wallbox", "config")
    return values, error


def build_meter(values: dict):
    """The meter's driver on its UART."""
    chosen = meter_maps.find(values["meter.model"])
    for maker in ("abb", "eastron", "gavazzi", "inepro"):
        forget("wallbox.drivers.maps", maker)
    baud = values["meter.baud"] or chosen.baud
    parity = values["meter.parity"] or chosen.parity
    uart = machine.UART(
        board.METER_UART,
        baudrate=baud,
        bits=8,
        parity=None if parity == "N" else "EO".index(parity),
        stop=1,
        tx=board.METER_TX,
        rx=board.METER_RX,
        rxbuf=512,
        timeout=0,
    )
    return meter.Meter(uart, chosen, values["meter.address"], baud, parity)


def link_config(values: dict) -> dict:
    """What the link wants to know, docs/mqtt.md."""
    chosen = {"serial": values["serial"], "host": ""}  # none while the file is wrong
    for key in values:
        if key.startswith("broker.") and values[key] != "":
            chosen[key[7:]] = values[key]
    chosen["tls"] = values["broker.tls"] != "none-in-tests"
    chosen["in_size"] = _IN_SIZE
    return chosen


def build_contactor():
    """Open at once."""
    pin = machine.Pin
    return contactor.Contactor(
        pin(board.CONTACTOR, pin.OUT, value=0),
        pin(board.CONTACTOR_FEEDBACK, pin.IN, pin.PULL_UP),
        board.CONTACTOR_CLOSED_LEVEL,
    )


def build_pilot():
    """At steady +12 V at once."""
    return pilot.Pilot(
        machine.PWM(machine.Pin(board.PILOT_PWM), freq=1000, duty_u16=65_535),
        machine.ADC(machine.Pin(board.PILOT_ADC), atten=machine.ADC.ATTN_11DB),
        board.PILOT_UV_AT_MINUS_12V,
        board.PILOT_UV_AT_PLUS_12V,
    )


class _Closed:
    """Stands in for the loop or the latch that a box has not."""

    IRQ_FALLING = IRQ_RISING = 0

    def __init__(self, level: int):
        self._level = level

    def value(self, _level: int = 0) -> int:
        return self._level

    def irq(self, _handler, _trigger) -> None:
        pass


def build_seals(fitted: bool):
    """Without loops nothing is ever open."""
    pin = machine.Pin
    if not fitted:
        level, latch = _Closed(board.SEAL_CLOSED_LEVEL), _Closed(0)
        return seals.Seals((level, level), (latch, latch), latch, board.SEAL_CLOSED_LEVEL)
    loops = (board.SEAL_LID, board.SEAL_TERMINAL_COVER)
    latches = (board.SEAL_LATCH_LID, board.SEAL_LATCH_TERMINAL_COVER)
    return seals.Seals(
        [pin(number, pin.IN, pin.PULL_UP) for number in loops],
        [pin(number, pin.IN) for number in latches],
        pin(board.SEAL_LATCH_RESET, pin.OUT, value=0),
        board.SEAL_CLOSED_LEVEL,
    )


def build_tags(values: dict, key: bytes, inbox):
    """The tag reader with its list, None on a box without a reader. key: the ledger's."""
    if not values["reader.fitted"]:
        return None
    from .drivers import mfrc522, tagreader, tags
    from .store import tagcounters, taglist

    pin = machine.Pin
    spi = machine.SPI(
        board.TAG_SPI,
        baudrate=mfrc522.BUS_HZ,
        sck=pin(board.TAG_SCK),
        mosi=pin(board.TAG_MOSI),
        miso=pin(board.TAG_MISO),
    )
    chip = mfrc522.Mfrc522(
        spi, pin(board.TAG_SELECT, pin.OUT, value=1), pin(board.TAG_RESET, pin.OUT, value=0)
    )
    listed = taglist.TagList(TAGS_FILE, key)
    listed.mount()
    counters = tagcounters.Counters(COUNTERS_FILE)
    return tags.Tags(tagreader.Reader(chip), listed, counters, inbox)


def build_lamp():
    lights = (board.LAMP_RED, board.LAMP_GREEN, board.LAMP_BLUE)
    return lamp.Lamp(*[machine.Pin(number, machine.Pin.OUT) for number in lights])


def partition(label: str):
    """The raw partition of that name. IndexError if the partition table has none."""
    return esp32.Partition.find(esp32.Partition.TYPE_DATA, label=label)[0]
