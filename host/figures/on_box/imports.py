# Runs on MicroPython: bytes of heap that an import leaves, with and without what the interpreter's
# table of names grows by, which doubles when it is full. argv: a ROMFS image or a folder, how many
# other names there are before, modules.

import gc
import json
import sys

import vfs

place = sys.argv[1]
if place.endswith(".romfs"):
    with open(place, "rb") as file:
        rom = file.read()
    vfs.mount(vfs.VfsRom(rom), "/rom")
    place = "/rom/lib"
sys.path.insert(0, place)
import asyncio  # what the box has anyhow
import errno  # noqa: F401
import os  # noqa: F401
import select  # noqa: F401
import socket  # noqa: F401
import time  # noqa: F401

late = (asyncio.sleep_ms, asyncio.StreamReader, asyncio.create_task)  # loaded when named

for number in range(int(sys.argv[2])):
    exec("name_%d = 0" % number, {})
gc.collect()
before = gc.mem_alloc()
for name in sys.argv[3:]:
    __import__(name)
gc.collect()
print(json.dumps({"heap": gc.mem_alloc() - before}))
