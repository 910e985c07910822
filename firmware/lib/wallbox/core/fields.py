"""Little-endian integers in named fields: the one codec of events, facts and state.

A layout is a tuple of (name, width): width in bytes, negative for a signed
number, 0 for "bytes up to the end" (last field only).
"""


def pack_into(buf, offset: int, layout, values, first: int = 0) -> int:
    """Writes values[first:] at offset; returns the end. ValueError names a field out of range."""
    for name, width in layout:
        value = values[first]
        first += 1
        if width == 0:
            end = offset + len(value)
            buf[offset:end] = value
            return end
        if width < 0:
            width = -width
            half = 1 << (8 * width - 1)
            if not -half <= value < half:
                raise ValueError(name)
            value &= 2 * half - 1
        elif not 0 <= value < 1 << (8 * width):
            raise ValueError(name)
        for _ in range(width):
            buf[offset] = value & 0xFF
            value >>= 8
            offset += 1
    return offset


def unpack_into(values, first: int, layout, buf, offset: int, end: int) -> None:
    """Reads buf[offset:end] into values[first:]. ValueError if too short or too long."""
    for name, width in layout:
        if width == 0:
            values[first] = bytes(buf[offset:end])
            return
        signed = width < 0
        if signed:
            width = -width
        if offset + width > end:
            raise ValueError(name)
        value = 0
        for index in range(width):
            value |= buf[offset + index] << (8 * index)
        if signed and value >> (8 * width - 1):
            value -= 1 << (8 * width)
        values[first] = value
        first += 1
        offset += width
    if offset != end:
        raise ValueError("length")


def unpack(layout, buf, offset: int, end: int) -> list:
    """The fields of buf[offset:end] as a new list."""
    values = [0] * len(layout)
    unpack_into(values, 0, layout, buf, offset, end)
    return values


def size(layout) -> int:
    """Bytes that a layout takes, a bytes field at the end counted as 0."""
    total = 0
    for _name, width in layout:
        total += width if width > 0 else -width
    return total
