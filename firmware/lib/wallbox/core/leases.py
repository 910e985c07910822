"""Limits for a time: a table of slots in one buffer, so that a plan for days needs little RAM.

A slot begins with its source, which is 0 where the slot is free.
"""

from micropython import const

from . import fields

SLOTS = const(32)
NONE_MA = const(0xFFFFFF)  # no limit
ENDLESS_UTC_S = const(0xFFFFFFFF)  # until when a fallback holds
_WIDTHS = b"\x01\x04\x03\x04\x04\x03"
SIZE = const(19)

SOURCE = const(0)
LEASE = const(1)
LIMIT_MA = const(2)
FROM_UTC_S = const(3)
UNTIL_UTC_S = const(4)
FALLBACK_MA = const(5)


def get(table, slot: int, lease: list) -> bool:
    """Fills lease with the six fields of a slot; False if the slot is free."""
    at = slot * SIZE
    if table[at] == 0:
        return False
    fields.unpack_into(lease, 0, _WIDTHS, table, at, at + SIZE)
    return True


def put(table, slot: int, lease: list) -> None:
    fields.pack_into(table, slot * SIZE, _WIDTHS, lease)


def end(table, slot: int, lease: list) -> None:
    """The time of a lease, which lease has, is over: its fallback holds from now on, if any."""
    if lease[FALLBACK_MA] == NONE_MA:
        free(table, slot)
        return
    lease[LIMIT_MA] = lease[FALLBACK_MA]
    lease[UNTIL_UTC_S] = ENDLESS_UTC_S
    put(table, slot, lease)


def free(table, slot: int) -> None:
    table[slot * SIZE : (slot + 1) * SIZE] = bytes(SIZE)


def find(table, number: int, lease: list) -> int:
    """The slot of a lease by its number, -1 if there is none; fills lease."""
    for slot in range(SLOTS):
        if get(table, slot, lease) and lease[LEASE] == number:
            return slot
    return -1


def vacant(table, lease: list) -> int:
    """A free slot, -1 if there is none; lease is overwritten."""
    for slot in range(SLOTS):
        if not get(table, slot, lease):
            return slot
    return -1
