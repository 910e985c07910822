"""Takes the customer's data and the keys off a decommissioned box; never the evidence."""

import asyncio
import json
import os
import time

import esp32
import machine
from micropython import const

from .. import build, lock
from ..commands import ACCEPTED, FAILED, REJECTED
from ..core.rules import lifecycle
from ..store.record import LENGTH_MAX, MAC_SIZE

_KEPT = ("boot.py", "main.py", "config.json")
_FILLING = "filling"
_FILE = const(0x8000)  # of os.ilistdir
_BLOCK = const(4096)
_BLOCKS_MOST = const(1024)
_SMALL = const(100)  # bytes of a file that lies in the folder's own blocks
_TURNS = const(128)  # so many of them fill both blocks three times over
_COUNT = const(4)
_ERASE = const(6)
_SAY_MS = const(300)


async def wipe(reply, sequence: int, mac: bytes, keys) -> tuple:
    box = reply.console.box
    if box.agent.state.lifecycle != lifecycle.DECOMMISSIONED:
        return REJECTED, "decommission it first", {}
    ledger = box.ledger
    newest = ledger.next_sequence - 1
    if ledger.acknowledged < newest and not _read_by(ledger, newest, sequence, mac):
        return REJECTED, "deliver the ledger, or export it and name its newest record", {
            "sequence": newest,
            "acknowledged": ledger.acknowledged,
        }
    try:
        _forget_settings()
        _remove_files()
        await _turn_over()
        await _fill()
        _remove_files()  # what was written meanwhile
    except (OSError, ValueError) as error:
        return FAILED, "%s; nothing of the ledger was touched; order it again" % error, {}
    lock.put(0)  # before the key goes: without either nobody would get in
    if keys:
        _erase_keys()
    reply.end((ACCEPTED, "", {}))
    time.sleep_ms(_SAY_MS)
    machine.reset()
    return ACCEPTED, "", {}


def _read_by(ledger, newest: int, sequence: int, mac: bytes) -> bool:
    """Whether somebody has read the ledger to its end: who has not does not know the mac."""
    if sequence != newest or len(mac) != MAC_SIZE:
        return False
    record = bytearray(LENGTH_MAX)
    _, first, _ = ledger.read_into(newest, record)
    end = record[0]
    return first == newest and bytes(record[end - MAC_SIZE : end]) == mac


def _forget_settings() -> None:
    """The file stays without them, and so charges nobody until it is provisioned again. The chip
    stays in it: what is copied to another one is seen.
    """
    try:
        with open(build.CONFIG_FILE) as file:
            tree = json.load(file)
    except (OSError, ValueError):
        tree = {}
    if not isinstance(tree, dict):
        tree = {}
    kept = {"serial": build.serial()}  # NVS will not tell it any more
    for key in tree:
        if key.split(".")[0] not in ("wifi", "broker", "clock"):
            kept[key] = tree[key]
    fresh = build.CONFIG_FILE + ".new"
    with open(fresh, "w") as file:
        json.dump(kept, file)
    os.rename(fresh, build.CONFIG_FILE)


def _remove_files() -> None:
    for entry in os.ilistdir("/"):
        if entry[1] == _FILE and entry[0] not in _KEPT:
            os.remove("/" + entry[0])


async def _turn_over() -> None:
    """A folder's blocks are a log that holds small files, a private key of TLS among them; it is
    erased when it is full.
    """
    zeros = bytes(_SMALL)
    for _ in range(_TURNS):
        with open(_FILLING, "wb") as file:
            file.write(zeros)
        await asyncio.sleep_ms(0)
    os.remove(_FILLING)


async def _fill() -> None:
    """Zeros over what was removed: a file system that never writes in place still has it."""
    zeros = bytes(_BLOCK)
    try:
        with open(_FILLING, "wb") as file:
            for _ in range(_BLOCKS_MOST):
                file.write(zeros)
                await asyncio.sleep_ms(0)
    except OSError:
        pass  # full, as it should be
    os.remove(_FILLING)


def _erase_keys() -> None:
    store = esp32.NVS("wallbox")
    for name in ("ledger_key", "crash"):
        try:
            store.erase_key(name)
        except OSError:  # there is none
            pass
    store.commit()
    device = build.partition("nvs")  # the chip marks an entry as erased, its bytes stay
    for block in range(device.ioctl(_COUNT, 0)):
        device.ioctl(_ERASE, block)
