"""The scene: one box in its world, the operator's collector beside it, and a log in plain words."""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path

from sqlalchemy import select

from host.closing import Closing
from host.collect.collector import BrokerSettings, Collector
from host.collect.database import Database, boxes
from host.collect.intake import Notice
from host.keys import KeyStore
from host.ledger.entries import Entry, read, standing
from host.ledger.sums import Sums, add_up
from hw.sim.interpreter import DEFAULT_HEAP
from hw.sim.world import World

SERIAL = "WB-000001"
LOG_LINES_MAX = 200


class Scene(Closing):
    """Box, world, broker and collector in `directory`; `status` is what the box published last."""

    def __init__(
        self,
        directory: Path,
        broker: str,
        interval_s: int,
        meter: str,
        heap: str = DEFAULT_HEAP,
        speed: int = 1,
        rom: bool = True,
        config: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__()
        (directory / "keys").mkdir(mode=0o700)
        self.keys = KeyStore(directory / "keys")
        key = self.keys.create(SERIAL)
        self.database = Database(directory / "collector.db", create=True)
        self.ending.callback(self.database.close)
        self.world = World(
            directory / "world",
            meter=meter,
            broker=broker,
            serial=SERIAL,
            ledger_key=key,
            config={"interval_s": interval_s, **(config or {})},
            power=False,
            heap=heap,
            speed=speed,
            rom=rom,
        )
        self.ending.callback(self.world.close)
        self.collector: Collector | None = None
        self.log: deque[tuple[float, str, str]] = deque(maxlen=LOG_LINES_MAX)
        self.began_at = time.monotonic()
        self.told = 0  # records already told in the log
        self.told_before = 0  # the same when the broker went away
        self._said = 0
        self._lock = threading.Lock()

    def _start(self) -> None:
        self.ending.enter_context(self.world)
        assert self.world.broker is not None
        settings = BrokerSettings("127.0.0.1", self.world.broker.port)
        self.collector = Collector(settings, self.database, self.keys, self._notice)
        self.ending.callback(self.collector.stop)
        self.collector.start()

    @property
    def elapsed_s(self) -> float:
        return time.monotonic() - self.began_at

    def say(self, who: str, text: str) -> None:
        """A line of the log. who: world, box or operator."""
        with self._lock:
            self.log.append((self.elapsed_s, who, text))
            self._said += 1

    def news(self, known: int) -> tuple[int, list[tuple[float, str, str]]]:
        """How many lines the log has had, and those after the first `known`, if still there."""
        with self._lock:
            fresh = min(self._said - known, len(self.log))
            return self._said, list(self.log)[len(self.log) - fresh :]

    def _notice(self, notice: Notice) -> None:
        self.say("operator", notice.text)

    @property
    def status(self) -> dict[str, object]:
        """The box's last status; {} before the first."""
        with self.database.reading() as connection:
            row = connection.execute(select(boxes.c.status)).first()
        return json.loads(row.status) if row is not None and row.status else {}

    def entries(self) -> list[Entry]:
        with self.database.reading() as connection:
            return list(read(connection, SERIAL))

    def quarantined(self) -> int:
        """How many records came that the operator did not believe."""
        with self.database.reading() as connection:
            return standing(connection, SERIAL).quarantined

    def sums(self) -> Sums:
        return add_up(self.entries())

    def tell_records(self) -> None:
        """Puts what the operator has newly stored into the log."""
        entries = self.entries()
        for entry in entries[self.told :]:
            sentence = sentence_of(entry)
            if sentence:
                self.say("operator", sentence)
        self.told = len(entries)

    def wait(self, condition: Callable[[], object], timeout_s: float, what: str) -> None:
        """Until condition() is true; TimeoutError says what did not come."""
        deadline = time.monotonic() + timeout_s
        while not condition():
            if time.monotonic() > deadline:
                tail = self.world.box.tail(500)
                raise TimeoutError(f"{what}: not within {timeout_s:.0f} s; console: {tail}")
            time.sleep(0.1)


def sentence_of(entry: Entry) -> str:
    """A stored record in plain words, "" for one that interests nobody here."""
    fields = entry.fields
    if entry.kind == "INTERVAL":
        text = f"interval of {fields['energy_wh']} Wh, register {fields['register_wh']} Wh"
        return text + (" (partial)" if fields["flags"] else "")
    if entry.kind == "GAP_BEGIN":
        return f"gap begins at {fields['register_wh']} Wh: no {' and '.join(fields['cause'])}"  # type: ignore[arg-type]
    if entry.kind == "GAP_END":
        return f"gap ends at {fields['register_wh']} Wh, {fields['energy_wh']} Wh went by in it"
    if entry.kind == "SESSION_BEGIN":
        return f"session {fields['session']} begins at {fields['register_wh']} Wh"
    if entry.kind == "SESSION_END":
        return f"session {fields['session']} ends: {fields['energy_wh']} Wh, {fields['reason']}"
    if entry.kind == "BOOT":
        return f"boot {entry.boot} ({fields['cause']})"
    if entry.kind == "FAULT":
        return f"fault: {fields['refusal']}"
    if entry.kind == "SEAL":
        loops = f": {' and '.join(fields['loops'])}" if fields["loops"] else ""  # type: ignore[arg-type]
        return f"seal {fields['change']}{loops}"
    if entry.kind == "TAG":
        return f"tag {fields['verdict']}, action: {fields['action']}"
    if entry.kind == "LIFECYCLE":
        return f"box {fields['after']}, was {fields['before']}"
    if entry.kind == "FIRST_CHARGE":
        return f"first charge of subscription {fields['subscription']}"
    return ""
