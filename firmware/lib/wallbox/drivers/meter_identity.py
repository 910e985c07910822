"""Which meter it is: vendor, model, serial, and a number for it."""

from binascii import crc32

from . import meter_maps


class Identity:
    """Read at start and after each silence. Empty text = the meter does not tell."""

    def __init__(self, vendor: str):
        self.vendor = vendor
        self.model = ""
        self.serial = ""
        self.meter_id = 0  # u32, 0 = not read yet

    def clear(self) -> None:
        self.model = ""
        self.serial = ""
        self.meter_id = 0

    def take(self, request, buf, at: int) -> None:
        """The answer to one of the map's identity requests."""
        text = _notation(request[1], buf, at, 2 * request[4])
        if request[0] == meter_maps.MODEL:
            self.model = text
        else:
            self.serial = text

    def close(self, model: str, models) -> bool:
        """All requests are answered. False if it is not a meter of `models`."""
        known = not models or self.model == "" or _fits(self.model, models)
        if self.model == "" or self.model.isdigit() and known:
            self.model = model
        self.meter_id = meter_id(self.vendor, self.model, self.serial)
        return known

    def pack(self) -> bytes:
        """vendor|model|serial in ASCII, for the ledger."""
        return ("%s|%s|%s" % (self.vendor, self.model, self.serial)).encode()


def meter_id(vendor: str, model: str, serial: str) -> int:
    """The serial if it is a number below 2**32, else the crc32 of vendor|model|serial; never 0."""
    if serial.isdigit() and len(serial) < 11 and 0 < int(serial) < 1 << 32:
        return int(serial)
    return crc32(("%s|%s|%s" % (vendor, model, serial)).encode()) or 1


def _fits(model: str, models) -> bool:
    for known in models:
        if model == known or model.startswith(known + " "):
            return True
    return False


def _notation(notation: int, buf, at: int, length: int) -> str:
    if notation == meter_maps.TEXT:
        text = ""
        for i in range(at, at + length):
            # some meters put one letter in a register, the other byte 0
            if 32 <= buf[i] < 127:
                text += chr(buf[i])
        return text.strip()
    number = 0
    ones = True
    for i in range(at, at + length):
        number = (number << 8) | buf[i]
        ones = ones and buf[i] == 0xFF
    if number == 0 or ones and length > 2:
        return ""
    return ("%x" if notation == meter_maps.HEX else "%d") % number
