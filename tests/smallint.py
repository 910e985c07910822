"""Integers that stay off the ESP32's heap: 31 bits with sign."""

from __future__ import annotations

SMALL = 1 << 30


class Small(int):
    """An integer whose arithmetic fails where the ESP32 would need its heap."""


def _checked(name):
    plain = getattr(int, name)

    def checked(self, other):
        result = plain(self, other)
        if result is NotImplemented or isinstance(result, bool):
            return result
        assert -SMALL <= result < SMALL, f"{name}({int(self)}, {int(other)}) needs the heap"
        return Small(result)

    return checked


for _name in (
    *("__add__ __radd__ __sub__ __rsub__ __mul__ __rmul__ __floordiv__ __rfloordiv__").split(),
    *("__lshift__ __rlshift__ __rshift__ __or__ __ror__ __and__ __rand__").split(),
):
    setattr(Small, _name, _checked(_name))
