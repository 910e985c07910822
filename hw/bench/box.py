"""The box at its USB socket, real or simulated: who it is, how it is, what it prints."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from host.provisioning.console_line import ConsoleLine
from host.provisioning.export import pull_ring
from host.provisioning.outcome import Stopped, refused
from hw.bench.port import ListeningPort

HEALTH_S = 0.4  # without login the box answers four requests a second
ANSWER_S = 1.5


class ConsoleBox:
    """`hw.verbs.Box` over the service console; `key` None: no orders."""

    def __init__(self, path: str, key: bytes | None = None) -> None:
        """Raises `Stopped` if the port cannot be opened."""
        self._port = ListeningPort(path)
        self._line = ConsoleLine(path, self._port)
        self._key = key
        self._lock = threading.RLock()
        self._told: Mapping[str, Any] = {}
        self._told_at = 0.0

    def close(self) -> None:
        self._port.close()

    def console(self) -> str:
        return self._port.heard.decode("utf-8", "replace").replace("\r\n", "\n")

    def forget(self) -> None:
        """What it printed until now, and what it answered last."""
        self._port.forget()
        self._told_at = 0.0

    def identity(self) -> Mapping[str, Any]:
        return self._ask("identity")

    def health(self) -> Mapping[str, Any]:
        with self._lock:
            if time.monotonic() >= self._told_at + HEALTH_S:
                self._told = self._ask("health")
                self._told_at = time.monotonic()
            return self._told

    def _ask(self, word: str) -> Mapping[str, Any]:
        with self._lock:
            try:
                return self._line.ask(word, ANSWER_S, tries=1)
            except Stopped:
                return {}

    def order(self, verb: str, **arguments: object) -> Mapping[str, Any]:
        """The last answer and all parts as one table. Raises `Stopped`."""
        told: dict[str, Any] = {}
        return self._logged_in(lambda line: {**line.order(verb, arguments, part=told.update),
                                             **told})

    def ledger(self) -> bytes:
        """The ring as `wallbox ledger verify` takes it. Raises `Stopped`."""
        return self._logged_in(lambda line: pull_ring(line, "ledger", lambda part: None).data)

    def _logged_in(self, do: Callable[[ConsoleLine], Any]) -> Any:
        if self._key is None:
            raise refused("the box takes no orders from here", "its key is not known",
                          "write box.keys, a key store with the box's key", "box.keys")
        with self._lock:
            self._line.login(self._key)
            try:
                return do(self._line)
            finally:
                self._ask("logout")
