"""The serial ports that look like boxes, and what is at them."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from serial.tools import list_ports

from host.provisioning.console_line import ConsoleLine
from host.provisioning.esptool_program import Esptool
from host.provisioning.outcome import Stopped

# USB to serial bridges of ESP32 boards, and the chips' own USB
USB_IDS = {
    (0x10C4, 0xEA60): "CP210x",
    (0x1A86, 0x7523): "CH340",
    (0x1A86, 0x55D4): "CH9102",
    (0x0403, 0x6001): "FT232",
    (0x0403, 0x6010): "FT2232",
    (0x0403, 0x6015): "FT231X",
    (0x303A, 0x1001): "ESP32 USB",
}
QUICK_S = 1.5


@dataclass
class Device:
    """What a port shows; empty fields are not known.

    `content`: `wallbox`, `MicroPython` (an open prompt), `blank`, `no answer`, `trouble`.
    """

    port: str
    usb: str = ""
    content: str = ""
    chip: str = ""
    serial: str = ""
    lifecycle: str = ""
    firmware: str = ""
    python: str = ""
    note: str = ""

    def as_dict(self) -> dict[str, str]:
        return asdict(self)


def candidates() -> list[Device]:
    """The ports with the USB ids of boxes, sorted."""
    found = []
    for one in list_ports.comports():
        usb = USB_IDS.get((one.vid, one.pid))
        if usb:
            found.append(Device(one.device, usb))
    return sorted(found, key=lambda device: device.port)


def look(device: Device, deep: bool = False) -> Device:
    """Ask the box at the port who it is; `deep` also asks a silent chip's boot loader."""
    try:
        with ConsoleLine(device.port) as line:
            found = line.who(QUICK_S)
        if isinstance(found, dict):
            _told(device, found)
            return device
        device.python = found
        device.content = "MicroPython" if found else "no answer"
        if deep and not found:
            _ask_boot_loader(device)
    except Stopped as stopped:
        device.content, device.note = "trouble", str(stopped)
    return device


def _told(device: Device, told: dict[str, object]) -> None:
    device.content = "wallbox"
    for field in ("chip", "serial", "lifecycle", "firmware", "python"):
        setattr(device, field, str(told.get(field) or ""))


def _ask_boot_loader(device: Device) -> None:
    flasher = Esptool(device.port)
    chip = flasher.identify()
    device.chip = chip.id
    device.note = f"{chip.name}, {chip.flash_bytes >> 20} MB"
    if device.content == "no answer" and not flasher.read(0x1000, 0x1000).strip(b"\xff"):
        device.content = "blank"
