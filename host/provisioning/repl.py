"""A box that is not locked yet, by the real mpremote: look at its identity and files, write them.

The script goes to mpremote through its standard input, never as an argument, so that no secret
is in a list of processes or in a file; both ways carry a CRC. It writes each file beside the old
one, compares its hash, and the new one takes the old one's place; it prints one JSON line.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import subprocess
import sys
from dataclasses import dataclass, field
from typing import Any

from host.provisioning.outcome import Stopped, unreachable
from host.provisioning.port_errors import explain, port_trouble
from host.provisioning.texts import _

TIMEOUT_S = 60.0
BUSY_TRIES = 3
PROGRAM = (sys.executable, "-m", "mpremote")
CONFIG = "config.json"
AUTHORITY = "ca.der"
CERTIFICATE = "box.der"
PRIVATE_KEY = "box.key.der"
_MARK = "provisioning:"

_SCRIPT = """
import esp32, gc, json, machine, os, sys
from binascii import a2b_base64, b2a_base64, crc32, hexlify
from hashlib import sha256
machine.WDT(timeout=3_600_000)  # nobody feeds it now
gc.collect()  # the agent that was stopped has left its memory full
given = a2b_base64("%s")
if crc32(given) != %d:
    raise OSError("the order was damaged on its way")
given = json.loads(given)
def blob(name):
    value = bytearray(64)
    try:
        nvs = esp32.NVS("wallbox")
        return bytes(value[:nvs.get_blob(name, value)])
    except OSError:
        return b""
def content(name):
    try:
        with open(name, "rb") as file:
            return file.read(min(8192, os.stat(name)[6]))  # read() makes room for all of it
    except OSError:
        return b""
def text(data):
    return b2a_base64(data).decode().strip()
for name, value in given["identity"].items():
    value = a2b_base64(value)
    if blob(name) != value:
        nvs = esp32.NVS("wallbox")
        nvs.set_blob(name, value)
        nvs.commit()
for name, value in given["files"].items():
    value = a2b_base64(value)
    if content(name) != value:
        with open("new.part", "wb") as file:
            file.write(value)
        if sha256(content("new.part")).digest() != sha256(value).digest():
            raise OSError("the file does not read back")
        os.rename("new.part", name)
os.sync() if hasattr(os, "sync") else None
try:
    from wallbox import crash
    crash.clear()  # failures before must not keep it from running with what it gets
except Exception:
    pass
found, used, head = esp32.Partition.find(1, label="ledger"), 0, bytearray(16)
for number in range(found[0].info()[3] // 4096 if found else 0):
    found[0].readblocks(number, head, 0)
    used += head != b"\\xff" * 16
try:
    from wallbox import version
    firmware = version.TEXT
except Exception:
    firmware = ""
try:
    locked = esp32.NVS("wallbox").get_i32("locked")
except OSError:
    locked = 0
told = {"chip": hexlify(machine.unique_id()).decode(), "firmware": firmware, "used": used,
        "locked": locked,
        "python": ".".join(str(part) for part in sys.implementation[1][:3]),
        "files": {name: text(content(name)) for name in given["want"]},
        "identity": {name: text(blob(name)) for name in ("serial", "ledger_key", "chip")}}
told = json.dumps(told)
print("%s%%08x %%s" %% (crc32(told.encode()), told))
"""
_ERASE_NVS = """
import esp32
nvs = esp32.Partition.find(1, label="nvs")[0]
for number in range(nvs.info()[3] // 4096):
    nvs.ioctl(6, number)
print("%s")
"""


@dataclass(repr=False)
class Survey:
    """What lies on the box; never printed, it holds its secrets.

    `bound`: the chip that the key belongs to; `ledger_sectors`: those that were written; `locked`:
    it went into service, and would give no prompt if its files were whole.
    """

    chip: str
    python: str
    firmware: str
    serial: str
    key: bytes
    bound: str
    ledger_sectors: int
    locked: bool
    files: dict[str, bytes] = field(default_factory=dict)


def look(port: str) -> Survey:
    """What is on the box, which stops for it. Raises Stopped."""
    return write(port, {}, {})


def write(port: str, identity: dict[str, bytes], files: dict[str, bytes]) -> Survey:
    """Put identity (NVS) and files onto the box where they differ; then what is on it.

    The box stays stopped until it is reset. Raises Stopped.
    """
    given = {
        "identity": {name: base64.b64encode(value).decode() for name, value in identity.items()},
        "files": {name: base64.b64encode(value).decode() for name, value in files.items()},
        "want": [CONFIG, AUTHORITY, CERTIFICATE, PRIVATE_KEY],
    }
    data = json.dumps(given).encode()
    packed = base64.b64encode(data).decode()
    script = _SCRIPT % (packed, binascii.crc32(data), _MARK)
    output = _mpremote(port, script, "resume", "run", "/dev/stdin")
    found = re.search(rf"^{_MARK}([0-9a-f]{{8}}) (.*)$", output, re.MULTILINE)
    try:
        if not found or int(found[1], 16) != binascii.crc32(found[2].encode()):
            return _no_words(port)
        return _survey(json.loads(found[2]))
    except (ValueError, KeyError, TypeError, AttributeError):
        return _no_words(port)


def erase_nvs(port: str) -> None:
    """Take serial, key and lock off a stopped box, to the last byte; `reset` must follow.

    Raises Stopped.
    """
    if _MARK not in _mpremote(port, _ERASE_NVS % _MARK, "resume", "run", "/dev/stdin"):
        _no_words(port)


def reset(port: str) -> None:
    """Start the box anew. Raises Stopped."""
    _mpremote(port, "", "reset")


def _survey(told: dict[str, Any]) -> Survey:
    def data(text: str) -> bytes:
        return base64.b64decode(text, validate=True)

    identity = told["identity"]
    return Survey(
        chip=str(told["chip"]),
        python=str(told["python"]),
        firmware=str(told["firmware"]),
        serial=data(identity["serial"]).decode("utf-8", "replace"),
        key=data(identity["ledger_key"]),
        bound=data(identity["chip"]).hex(),
        ledger_sectors=int(told["used"]),
        locked=bool(told["locked"]),
        files={name: data(content) for name, content in told["files"].items()},
    )


def _no_words(port: str) -> Survey:
    raise unreachable(_("the box at {port} did not answer whole", port=port),
                      _("the line loses characters, or was interrupted"),
                      _("repeat the command; if it stays, take another cable or port"))


def _mpremote(port: str, script: str, *words: str) -> str:
    """What mpremote prints; one that finds the port busy for a moment is started again."""
    for _try in range(BUSY_TRIES):
        try:
            return _once(port, script, *words)
        except Stopped as stopped:
            if not stopped.busy or _try == BUSY_TRIES - 1:
                raise
    raise AssertionError("unreachable")


def _once(port: str, script: str, *words: str) -> str:
    try:
        done = subprocess.run(
            [*PROGRAM, "connect", port, *words],
            input=script,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise unreachable(_("the box at {port} did not answer in time", port=port),
                          _("its program does not let itself be stopped"),
                          _("press its reset button and repeat the command")) from None
    if done.returncode:
        raise _failure(port, done.stdout + done.stderr)
    return done.stdout.replace("\r\n", "\n")


def _failure(port: str, text: str) -> Stopped:
    text = text.replace(_MARK, "")  # what came behind it may be secret
    if "could not enter raw repl" in text:
        return unreachable(_("the box at {port} gives no Python prompt", port=port),
                           _("it is locked, or its program hangs"),
                           _("a box in service is changed with `wallbox console`; else press its "
                             "reset button and repeat"))
    if "ENODEV" in text:
        return unreachable(_("the box at {port} did not do what it was to do", port=port),
                           _("its file system is broken"),
                           _("write it anew with `wallbox provision --rescue`"))
    if "Traceback" in text:
        return unreachable(_("the box at {port} did not do what it was to do", port=port),
                           text.strip().splitlines()[-1][:120],
                           _("repeat the command; if it stays, take another cable or port"))
    if "failed to access" in text:  # so it says whatever is wrong with the port
        return port_trouble(port)
    last = [line for line in text.strip().splitlines() if "a2b_base64" not in line][-1:]
    return explain(port, (last or [""])[0])
