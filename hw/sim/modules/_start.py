"""What the ESP32's start-up code does before and after boot.py and main.py."""

import gc
import os
import sys

import uctypes
import vfs
from micropython import const

import _flash
import _wire

_DUMMIES = const(2200)
_FIRMWARES_POOLS = const(21120)  # bytes of the pools of 640 and of 1280 names


def start(arguments, pristine):
    """Attaches the hardware, mounts the flash file system; gives the scripts to run."""
    _wire.attach(int(arguments[1]), uctypes.bytearray_at(int(arguments[9]), 1))
    _wire.bus = open(int(arguments[2]), "r+b")
    _wire.bus_tx = int(arguments[4])
    _wire.bus_rx = int(arguments[5])
    _flash.attach(arguments[3])
    mapped = int(arguments[8])
    import kbd_micropython

    sys.modules["micropython"] = kbd_micropython
    kbd_micropython.kbd_intr(-1)
    import esp32
    import machine
    import network
    import select
    import socket
    import time

    sys.argv.clear()
    vfs.umount("/rom")
    vfs.umount("/")
    sys.path[:] = ["", ".frozen"]
    _fill_name_pools()
    gc.collect()
    _wire.tell(_wire.HEAP, 0, 0, gc.mem_alloc() - pristine - _FIRMWARES_POOLS)
    _mount_rom(esp32.Partition.find(1, label="romfs"), mapped)
    sys.path.append("/lib")
    _mount(esp32.Partition.find(1, label="vfs"))


def _fill_name_pools():
    """The firmware's names begin a pool, so that the hardware's, C on the chip, fill none of it.

    A pool holds twice as many names as the one before: together 2550, and the next one 2560 more.
    The hardware's would push the firmware over that edge, which costs 28 kB at once.
    """
    for i in range(_DUMMIES):
        if not i % 100:
            gc.collect()
        getattr(gc, chr(33 + i % 90) + chr(33 + i // 90), 0)


def _mount_rom(found, mapped):
    # no image, no word about it: as mp_init() does
    if found:
        _, _, at, size, _, _ = found[0].info()
        try:
            vfs.mount(vfs.VfsRom(uctypes.bytearray_at(mapped + at, size)), "/rom")
            sys.path.extend(("/rom", "/rom/lib"))
        except OSError:
            pass


def _mount(found):
    if not found:
        return
    try:
        vfs.mount(found[0], "/")
        os.chdir("/")
    except OSError:
        _format(found[0])


def _format(bdev):
    buf = bytearray(32)
    bdev.readblocks(0, buf, 0)
    if any(byte != 0xFF for byte in buf):
        print("The filesystem appears to be corrupted. If you had important data there, you")
        print("may want to make a flash snapshot to try to recover it. Otherwise, perform")
        print("factory reprogramming of MicroPython firmware (completely erase flash, followed")
        print("by firmware programming).")
        return
    print("Performing initial setup")
    vfs.VfsLfs2.mkfs(bdev)
    vfs.mount(vfs.VfsLfs2(bdev), "/")
    os.chdir("/")
    with open("boot.py", "w") as file:
        file.write("# This file is executed on every boot (including wake-boot from deepsleep)\n")


def scripts():
    names = ("boot.py",) if _wire.raw else ("boot.py", "main.py")
    for name in names:
        try:
            os.stat(name)
        except OSError:
            continue
        keyboard(3)
        yield name
        try:
            keyboard(-1)
        except KeyboardInterrupt as error:  # typed before, and not raised until now
            sys.print_exception(error)
            return


def keyboard(character):
    """Ctrl-C interrupts a script from its first instruction to its last, whatever it has set."""
    sys.modules["micropython"].kbd_intr(character)


def ended(error):
    """True when the next script is not to run any more."""
    _wire.ctrl_c[0] = 0
    keyboard(-1)
    if isinstance(error, SystemExit):
        _wire.stop(5)
    sys.print_exception(error)
    return isinstance(error, KeyboardInterrupt)


def finish():
    """Waits until the launcher is ready for the REPL."""
    _wire.ready = False
    _wire.tell(_wire.BOOTED, 0, 0, 0)
    while not _wire.ready:
        _wire.pump()
    keyboard(3)
