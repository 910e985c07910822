"""A real mosquitto of a test's own: free port, own persistence, ended by its process."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from hw.sim.broker import mosquitto_path
from hw.sim.ports import free_port

START_TIMEOUT_S = 10.0


def wait_until(condition: Callable[[], object], timeout_s: float = 10.0, what: str = "") -> None:
    """Return once `condition()` is true; AssertionError after `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout_s} s: {what or condition}")
        time.sleep(0.005)


class Mosquitto:
    """start, stop (SIGTERM: persists), kill (SIGKILL), restart. What was persisted stays."""

    host = "127.0.0.1"

    def __init__(self, directory: Path, port: int = 0) -> None:
        self.directory = directory
        self.directory.mkdir(parents=True, exist_ok=True)
        self.port = port or free_port()
        self._lines: list[str] = []
        self._process: subprocess.Popen[bytes] | None = None
        self.configure()

    def configure(
        self,
        users: dict[str, str] | None = None,
        acl: Sequence[str] = (),
        lines: Sequence[str] = (),
    ) -> None:
        """Users with passwords (none: anonymous), ACL lines, further lines; effective at start."""
        self._lines = [
            f"listener {self.port} {self.host}",
            "persistence true",
            f"persistence_location {self.directory}/",
            "autosave_interval 1",
            "autosave_on_changes true",
            "log_dest stderr",
            "log_type all",
            "max_queued_messages 100000",
            f"allow_anonymous {'false' if users else 'true'}",
        ]
        if os.geteuid() == 0:
            self._lines.append("user root")
        if users:
            self._lines.append(f"password_file {self._password_file(users)}")
        if acl:
            path = self.directory / "acl"
            path.write_text("\n".join(acl) + "\n")
            path.chmod(0o600)
            self._lines.append(f"acl_file {path}")
        self._lines.extend(lines)

    def _password_file(self, users: dict[str, str]) -> Path:
        path = self.directory / "passwords"
        path.write_text("".join(f"{user}:{password}\n" for user, password in users.items()))
        path.chmod(0o600)
        program = shutil.which("mosquitto_passwd") or "/usr/bin/mosquitto_passwd"
        subprocess.run([program, "-U", str(path)], check=True, capture_output=True)
        return path

    @property
    def log_path(self) -> Path:
        return self.directory / "log"

    def start(self) -> None:
        """Start and wait until it accepts a connection. AssertionError with its log if not."""
        assert self._process is None, "it runs"
        config = self.directory / "mosquitto.conf"
        config.write_text("\n".join(self._lines) + "\n")
        program = mosquitto_path()
        assert program is not None
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                [program, "-c", str(config)], stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self._accepts():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"mosquitto did not start:\n{self.log_path.read_text()}")
            time.sleep(0.01)

    def _accepts(self) -> bool:
        try:
            socket.create_connection((self.host, self.port), timeout=1.0).close()
        except OSError:
            return False
        return True

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def process_id(self) -> int:
        assert self._process is not None
        return self._process.pid

    def stop(self) -> None:
        """End it as a service manager does; sessions and queues are persisted."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a power cut does; what came since the last autosave is lost."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        self.stop()
        self.start()

    def reconfigure(
        self,
        users: dict[str, str] | None = None,
        acl: Sequence[str] = (),
        lines: Sequence[str] = (),
    ) -> None:
        """Start again with another configuration."""
        self.stop()
        self.configure(users, acl, lines)
        self.start()

    def pause(self) -> None:
        """It keeps its connections and says nothing any more."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def _end(self, number: int) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGCONT)
            process.send_signal(number)
        try:
            process.wait(timeout=10.0)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
