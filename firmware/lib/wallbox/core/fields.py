"""Little-endian integers in named fields: the one codec of events, facts and state.

A specification is one text, "register_wh 5,power_w -4,identity 0": name and width in bytes,
negative for a signed number, 0 for "bytes up to the end" (last field only). A layout is its
widths alone, one byte a field, which is all the box keeps in RAM.
"""

from micropython import const

_SIGNED = const(0x80)


def layout(specification: str) -> bytes:
    """The widths of a specification, signed ones with bit 7 set."""
    if not specification:
        return b""
    widths = [int(field.split(" ")[1]) for field in specification.split(",")]
    return bytes([width if width >= 0 else _SIGNED - width for width in widths])


def table(text: str) -> list:
    """Lines of a name and, behind a space, a specification: [(name, specification), ...]."""
    rows = []
    for line in text.split("\n"):
        name, _, specification = line.partition(" ")
        rows.append((name, specification))
    return rows


def names(specification: str) -> list:
    """The names of a specification's fields."""
    if not specification:
        return []
    return [field.split(" ")[0] for field in specification.split(",")]


def pack_into(buf, offset: int, widths: bytes, values, first: int = 0) -> int:
    """Writes values[first:] at offset; returns the end. ValueError tells a field out of range."""
    for width in widths:
        value = values[first]
        first += 1
        if width == 0:
            end = offset + len(value)
            buf[offset:end] = value
            return end
        if width & _SIGNED:
            width &= 0x7F
            half = 1 << (8 * width - 1)
            if not -half <= value < half:
                raise ValueError("field %d: %d" % (first - 1, value))
            value &= 2 * half - 1
        elif not 0 <= value < 1 << (8 * width):
            raise ValueError("field %d: %d" % (first - 1, value))
        for _ in range(width):
            buf[offset] = value & 0xFF
            value >>= 8
            offset += 1
    return offset


def unpack_into(values, first: int, widths: bytes, buf, offset: int, end: int) -> None:
    """Reads buf[offset:end] into values[first:]. ValueError if too short or too long."""
    for width in widths:
        if width == 0:
            values[first] = bytes(buf[offset:end])
            return
        signed = width & _SIGNED
        width &= 0x7F
        if offset + width > end:
            raise ValueError("too short")
        value = 0
        for index in range(width):
            value |= buf[offset + index] << (8 * index)
        if signed and value >> (8 * width - 1):
            value -= 1 << (8 * width)
        values[first] = value
        first += 1
        offset += width
    if offset != end:
        raise ValueError("too long")


def size(widths: bytes) -> int:
    """Bytes that a layout takes, a bytes field at the end counted as 0."""
    total = 0
    for width in widths:
        total += width & 0x7F
    return total
