"""The operator's broker: mosquitto where it is installed, else amqtt inside this process.

Both listen on 127.0.0.1, on a port that stays the same over stop and start.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

from hw.sim.hostloop import HostLoop
from hw.sim.ports import free_port

START_TIMEOUT_S = 10.0
MOSQUITTO_PATH = "/usr/sbin:/usr/local/sbin:/opt/homebrew/sbin"
INSTALL_HINT = "mosquitto is not installed: apt-get install mosquitto"


def mosquitto_path() -> str | None:
    """The broker's program, also where Debian puts it and users have no path to."""
    return shutil.which("mosquitto") or shutil.which("mosquitto", path=MOSQUITTO_PATH)


def make_broker(kind: str, directory: Path) -> Mosquitto | Amqtt:
    """`mosquitto`, `amqtt`, or `any`: mosquitto if it is there."""
    if kind == "any":
        kind = "mosquitto" if mosquitto_path() else "amqtt"
    if kind == "mosquitto":
        return Mosquitto(directory)
    if kind == "amqtt":
        return Amqtt()
    raise ValueError(f"broker {kind!r}: choose mosquitto, amqtt or any")


def _answers(port: int, process: subprocess.Popen[bytes]) -> bool:
    """False if the process ends or START_TIMEOUT_S pass before somebody listens."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return True
        time.sleep(0.01)
    return False


class Mosquitto:
    """A mosquitto process of its own, with persistence in `directory`.

    `lines` of its configuration take effect at the next start; without any, all may enter.
    """

    def __init__(self, directory: Path, lines: tuple[str, ...] = ()) -> None:
        self.port = free_port()
        self._directory = directory
        self.lines = lines
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        return self._process is not None

    def start(self) -> None:
        if self._process:
            return
        program = mosquitto_path()
        if program is None:
            raise RuntimeError(INSTALL_HINT)
        self._directory.mkdir(parents=True, exist_ok=True)
        lines = [
            f"listener {self.port} 127.0.0.1",
            "persistence true",
            f"persistence_location {self._directory}/",
            "autosave_interval 1",
            "autosave_on_changes true",
            "log_dest stderr",
            *(self.lines or ("allow_anonymous true",)),
        ]
        if os.geteuid() == 0:
            lines.append("user root")
        config = self._directory / "mosquitto.conf"
        config.write_text("\n".join(lines) + "\n")
        with (self._directory / "mosquitto.log").open("ab") as log:
            began = log.tell()
            self._process = subprocess.Popen(
                [program, "-c", str(config)], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        if not _answers(self.port, self._process):
            self.stop()
            raise RuntimeError(f"mosquitto did not start: {self._said(began)}")

    def _said(self, began: int) -> str:
        """The newest error in its log from `began` on, or its last line."""
        said = (self._directory / "mosquitto.log").read_bytes()[began:]
        lines = said.decode(errors="replace").splitlines()
        errors = [line for line in lines if "Error" in line]
        return (errors or lines or ["nothing"])[-1][:500]

    def stop(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    close = stop


class Amqtt:
    """The pure Python broker in a thread of its own; it forgets its sessions when stopped."""

    def __init__(self) -> None:
        self.port = free_port()
        self._host: HostLoop | None = None
        self._broker: Any = None

    @property
    def running(self) -> bool:
        return self._host is not None

    def start(self) -> None:
        if self._host:
            return
        import logging

        from amqtt.broker import Broker

        logging.getLogger("amqtt").setLevel(logging.ERROR)
        logging.getLogger("transitions").setLevel(logging.ERROR)
        host = HostLoop()
        config = {
            "listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{self.port}"}},
            "plugins": {
                "amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}
            },
        }

        async def run() -> Any:
            broker = Broker(config)
            await broker.start()
            return broker

        try:
            self._broker = host.run(run(), START_TIMEOUT_S)
        except BaseException:
            host.close()
            raise
        self._host = host

    def stop(self) -> None:
        host, self._host = self._host, None
        if host is None:
            return
        with contextlib.suppress(Exception):
            host.run(self._broker.shutdown(), 5)
        host.close()

    close = stop
