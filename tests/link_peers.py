"""The parts of a link test that are real: the box on MicroPython, an operator on paho."""

from __future__ import annotations

import hmac
import json
import queue
import subprocess
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from wallbox.store.ledger import Ledger

from host.collect.packed import unpacked
from hw.sim.flash import NorFlash, Partition
from tests.interpreter import ROOT, Interpreter
from tests.mosquitto import wait_until

SERIAL = "WB000001"
KEY = bytes(range(32))
FLASH_SIZE = 512 * 1024
MAC = slice(-8, None)


class LinkBox:
    """Starts tests/link_box.py on MicroPython; `start` again after `kill` is a power cut."""

    def __init__(self, interpreter: Interpreter, directory: Path, port: int, **config) -> None:
        self.interpreter = interpreter
        self.flash = directory / "flash.bin"
        self.setup = directory / "setup.json"
        self.config = {"serial": SERIAL, "host": "127.0.0.1", "port": port, **config}
        self.lines: list[dict] = []
        self.noise: list[str] = []
        self.process: subprocess.Popen[str] | None = None

    def start(self, write: int = 0, heap: str = "112wK") -> LinkBox:
        """Start; the ledger gets `write` records first."""
        self.setup.write_text(
            json.dumps(
                {
                    "flash": str(self.flash),
                    "size": FLASH_SIZE,
                    "key": KEY.hex(),
                    "write": write,
                    "config": self.config,
                }
            )
        )
        self.process = subprocess.Popen(
            [*self.interpreter.command(heap), str(ROOT / "tests" / "link_box.py"), str(self.setup)],
            env=self.interpreter.environment([ROOT]),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            bufsize=1,
        )
        self.reader = threading.Thread(target=self._read, args=(self.process,), daemon=True)
        self.reader.start()
        self.line("ready")
        return self

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            try:
                self.lines.append(json.loads(line))
            except ValueError:
                self.noise.append(line)

    def tell(self, command: str) -> None:
        assert self.process is not None and self.process.stdin is not None
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()

    def line(self, key: str, since: int = 0, timeout_s: float = 20.0) -> dict:
        """The first line with `key`, from line number `since` on."""

        def found() -> list[dict]:
            assert self.process is None or self.process.poll() is None or not self.noise, (
                "".join(self.noise)
            )
            return [line for line in self.lines[since:] if key in line]

        wait_until(found, timeout_s, f"{key} in {self.lines[-5:]} {self.noise}")
        return found()[0]

    def state(self) -> dict:
        since = len(self.lines)
        self.tell("state")
        return self.line("acknowledged", since)

    @property
    def reports(self) -> list[int]:
        return [line["report"] for line in self.lines if "report" in line]

    def wait_report(self, code: int, since: int = 0, timeout_s: float = 20.0) -> None:
        """Wait until the report `code` came, from report number `since` on."""
        wait_until(
            lambda: code in self.reports[since:],
            timeout_s,
            f"report {code}, {self.reports} {self.noise}",
        )

    def kill(self) -> None:
        """A power cut."""
        self._end("kill")

    def stop(self) -> None:
        """An orderly end: the link says goodbye."""
        if self.process is not None and self.process.poll() is None:
            self.tell("stop")
            self.process.wait(timeout=10)
        self._end("kill")

    def _end(self, verb: str) -> None:
        process, self.process = self.process, None
        if process is not None:
            if process.poll() is None:
                getattr(process, verb)()
            process.wait()
            self.reader.join(timeout=10)
            for pipe in (process.stdin, process.stdout):
                assert pipe is not None
                try:
                    pipe.close()
                except OSError:
                    pass

    def records(self) -> list[bytes]:
        """What lies in the flash, read on this side; the box must have ended."""
        assert self.process is None
        flash = NorFlash(str(self.flash), FLASH_SIZE)
        ledger = Ledger(Partition(flash, 0, FLASH_SIZE, "ledger"), KEY)
        ledger.mount()
        found, buf, sequence = [], bytearray(1024), ledger.oldest_sequence
        while (read := ledger.read_into(sequence, buf))[0]:
            found += split_records(bytes(buf[: read[0]]))
            sequence = read[2] + 1
        flash.close()
        return found


def split_records(payload: bytes) -> list[bytes]:
    """The records of a message, of either form."""
    found, at = [], 0
    payload = unpacked(KEY, payload)
    while at < len(payload):
        found.append(payload[at : at + payload[at]])
        at += payload[at]
    return found


def number_of(record: bytes) -> int:
    return int.from_bytes(record[2:6], "little")


class PahoOperator:
    """A minimal operator: stores in order, states where it stands, counts what comes twice.

    tls: files of authority, certificate, key.
    """

    def __init__(
        self, port: int, user: str = "", password: str = "", tls: Sequence[Path] = ()
    ) -> None:
        self.stored: list[bytes] = []
        self.duplicates = 0
        self.holes = 0
        self.statuses: list[bytes] = []
        self.messages = 0
        self.first_at = self.last_at = 0.0
        self.statements = 0  # that the broker has taken
        self._due: queue.Queue[bool] = queue.Queue()
        self.client = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id="operator", clean_session=False
        )
        if user:
            self.client.username_pw_set(user, password)
        if tls:
            self.client.tls_set(*map(str, tls))
        self.client.on_connect = self._connected
        self.client.on_message = self._message
        self.client.on_publish = self._stated
        self.client.reconnect_delay_set(0.1, 0.1)
        subscribed = threading.Event()
        self.client.on_subscribe = lambda *_: subscribed.set()
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()
        self._stater = threading.Thread(target=self._state_now_and_then, daemon=True)
        self._stater.start()
        assert subscribed.wait(10)

    def _connected(self, client: mqtt.Client, *_: object) -> None:
        client.subscribe([(f"wallbox/{SERIAL}/ledger", 1), (f"wallbox/{SERIAL}/status", 1)])
        self._due.put(True)

    def _message(self, client: mqtt.Client, data: object, message: mqtt.MQTTMessage) -> None:
        if message.topic.endswith("status"):
            self.statuses.append(message.payload)
            return
        self.messages += 1
        for record in split_records(message.payload):
            expected = len(self.stored) + 1
            if number_of(record) == expected:
                self.stored.append(record)
            elif number_of(record) < expected:
                assert self.stored[number_of(record) - 1] == record
                self.duplicates += 1
            else:
                self.holes += 1
        self.last_at = time.monotonic()
        self.first_at = self.first_at or self.last_at
        self._due.put(True)

    def _stated(self, *_: object) -> None:
        self.statements += 1

    def _state_now_and_then(self) -> None:
        while self._due.get():
            time.sleep(0.1)  # several messages, one statement
            while not self._due.empty():
                if not self._due.get():
                    return
            self.state()

    def state(self) -> None:
        sequence = len(self.stored)
        first = hmac.digest(KEY, b"wallbox ledger", "sha256")[:8]
        mac = self.stored[sequence - 1][MAC] if sequence else first
        head = sequence.to_bytes(4, "little") + mac
        proof = hmac.digest(KEY, b"ack" + head, "sha256")[:8]
        self.client.publish(f"wallbox/{SERIAL}/ack", head + proof, qos=1)

    def wait(self, count: int, timeout_s: float = 30.0) -> None:
        wait_until(
            lambda: len(self.stored) >= count,
            timeout_s,
            f"{count} records; {len(self.stored)} stored, {self.holes} beyond holes",
        )

    def close(self) -> None:
        self._due.put(False)
        self._stater.join(timeout=10)
        self.client.disconnect()
        self.client.loop_stop()
