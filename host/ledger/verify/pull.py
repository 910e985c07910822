"""A box's ledger over USB, by the real mpremote: reads the partition and starts the box again.

mpremote stops the agent (the contactor opens, nothing is lost) and runs a script that reads; only
what is not erased travels, each piece with its CRC. At the end the box is reset, whatever happened.
"""

from __future__ import annotations

import base64
import binascii
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from host.ledger.verify.findings import Progress
from host.ledger.verify.rows import Unusable

TIMEOUT_S = 300.0  # 512 KB take a minute at 115,200 baud
RESET_TIMEOUT_S = 30.0
_PIECE = 1024
_SCRIPT = f"""
import esp32, machine
from binascii import b2a_base64, crc32
machine.WDT(timeout=3_600_000)  # nobody feeds it now
serial = bytearray(64)
try:
    length = esp32.NVS("wallbox").get_blob("serial", serial)
except OSError:
    length = 0
ledger = esp32.Partition.find(esp32.Partition.TYPE_DATA, label="ledger")[0]
size = ledger.info()[3]
print("ledger", size, bytes(serial[:length]).hex() or "-")
piece = bytearray({_PIECE})
blank = b"\\xff" * {_PIECE}
crc = 0
for at in range(0, size, {_PIECE}):
    ledger.readblocks(at // 4096, piece, at % 4096)
    crc = crc32(piece, crc)
    if piece != blank:
        print(at, b2a_base64(piece).decode().strip())
    elif at % 16384 == 0:
        print(at, "-")
print("end", crc)
"""


class _Transfer:
    """Puts the lines of the script together."""

    def __init__(self) -> None:
        self.image = bytearray()
        self.serial = ""
        self.at = 0
        self.whole = False
        self.complaint = ""  # the last line that was none of the script's

    def take(self, line: str) -> None:
        words = line.split()
        try:
            if words[0] == "ledger":
                self.image = bytearray(b"\xff") * int(words[1])
                self.serial = "" if words[2] == "-" else bytes.fromhex(words[2]).decode("ascii")
            elif words[0] == "end":
                self.whole = int(words[1]) == binascii.crc32(self.image)
            else:
                self.at = int(words[0])
                if words[1] != "-":
                    piece = base64.b64decode(words[1], validate=True)
                    self.image[self.at : self.at + len(piece)] = piece
        except (ValueError, IndexError):
            self.complaint = line.strip()[:200] or self.complaint


def pull(port: str, progress: Progress) -> tuple[bytes, str]:
    """The bytes of the ledger's partition and the serial that the box at the port has ("": none).

    Raises Unusable.
    """
    transfer = _Transfer()
    try:
        with _mpremote(port, TIMEOUT_S, "exec", _SCRIPT) as lines:
            for line in lines:
                transfer.take(line)
                if transfer.image:
                    progress("pulling the ledger", transfer.at, len(transfer.image))
    finally:
        with _mpremote(port, RESET_TIMEOUT_S, "reset") as lines:
            started = not list(lines)
    if not transfer.whole:
        why = f": {transfer.complaint}" if transfer.complaint else ""
        raise Unusable(
            f"{port}: the ledger did not come whole{why}; look at port and cable, and of a box in "
            "service, which has no Python prompt, export the ledger by its service console"
        )
    if not started:
        raise Unusable(f"{port}: the box did not start again; press its reset button")
    return bytes(transfer.image), transfer.serial


@contextmanager
def _mpremote(port: str, timeout_s: float, *words: str) -> Iterator[Iterable[str]]:
    """The lines that mpremote prints, errors too; it is ended after the time, or with the block."""
    process = subprocess.Popen(
        [sys.executable, "-m", "mpremote", "connect", port, *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    watchdog = threading.Timer(timeout_s, process.kill)
    watchdog.start()
    try:
        assert process.stdout is not None
        yield process.stdout
    finally:
        watchdog.cancel()
        process.kill()
        process.wait()
        if process.stdout:
            process.stdout.close()
