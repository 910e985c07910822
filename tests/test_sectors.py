"""The export of a ring's raw sectors over the console."""

from __future__ import annotations

import json

EXPORT = """
import asyncio, json
from binascii import a2b_base64
from wallbox.console import sectors

class Device:
    def __init__(self):
        self.data = [bytearray(b"\\xff" * 1024) for _ in range(3)]

    def ioctl(self, what, _argument):
        return {4: len(self.data), 5: len(self.data[0])}[what]

    def readblocks(self, sector, buf, offset):
        buf[:] = self.data[sector][offset : offset + len(buf)]

class Reply:
    parts = []

    def part(self, tree):
        self.parts.append((tree["sector"], tree.get("at", -1)))
        if tree.get("at") == 256 and writes:
            device.data[1][writes.pop()] = 0  # while the sector is on its way
        if "data" in tree:
            size = tree["at"] + len(a2b_base64(tree["data"]))
            got[tree["sector"]][tree["at"] : size] = a2b_base64(tree["data"])

device, got, writes = Device(), [bytearray(b"\\xff" * 1024) for _ in range(3)], WRITES
device.data[1][3] = 7
answer = asyncio.run(sectors.export(Reply(), device, FIRST, 16))
print(json.dumps([answer, Reply.parts, got == device.data]))
"""


def exported(micropython, first: int = 0, writes: str = "[]"):
    code = EXPORT.replace("FIRST", str(first)).replace("WRITES", writes)
    return json.loads(micropython.run(code).splitlines()[-1])


def test_each_sector_comes_in_pieces_and_a_blank_one_in_a_word(micropython):
    answer, parts, same = exported(micropython)
    assert answer == ["Accepted", "", {"sectors": 3, "size": 1024}]
    assert parts == [[0, -1], [1, 0], [1, 256], [1, 512], [1, 768], [2, -1]]
    assert same


def test_a_sector_that_changes_meanwhile_goes_once_more(micropython):
    _, parts, same = exported(micropython, 1, "[700]")
    assert [at for sector, at in parts if sector == 1] == 2 * [0, 256, 512, 768]
    assert same


def test_one_that_never_rests_goes_four_times_and_no_more(micropython):
    _, parts, _ = exported(micropython, 1, "[704, 703, 702, 701, 700]")
    assert parts.count([1, 0]) == 4


def test_a_sector_behind_the_end_is_refused_with_the_number_there_are(micropython):
    answer, parts, _ = exported(micropython, 3)
    assert answer == ["Rejected", "first: below 3", {"sectors": 3, "size": 1024}] and parts == []
