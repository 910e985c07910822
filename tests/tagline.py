"""A tag reader on a simulated chip, served as the box does, in a time of its own."""

from __future__ import annotations

from wallbox.drivers import tagreader
from wallbox.drivers.mfrc522 import Mfrc522
from wallbox.drivers.tagreader import NOTHING, Reader

from hw.sim.tagcards import Card
from hw.sim.tagreader import Bus, TagReader


class Line:
    """Chip, driver and clock; `run` serves the driver whenever it is due, 1 ms at the least."""

    def __init__(self) -> None:
        self.us = 5_000_000
        self.chip = TagReader(lambda: self.us)
        self.driver = Mfrc522(Bus(self.chip), self.chip.select, self.chip.reset_line)
        self.reader = Reader(self.driver)
        self.events: list[tuple[int, int]] = []  # ms, code

    @property
    def now(self) -> int:
        return self.us // 1000

    def step(self) -> int:
        """One call of the driver, then the wait until the next."""
        code = self.reader.service(self.now)
        if code != NOTHING:
            self.events.append((self.now, code))
        self.us += 1000 * max(1, self.reader.due - self.now)
        return code

    def run(self, duration_ms: int) -> list[int]:
        """The codes of so long a time."""
        end = self.now + duration_ms
        codes = []
        while self.now < end:
            code = self.step()
            if code != NOTHING:
                codes.append(code)
        return codes

    def until(self, wanted: int, at_most_ms: int = 10_000) -> None:
        """Serves until this code comes. AssertionError if it does not."""
        end = self.now + at_most_ms
        while self.now < end:
            if self.step() == wanted:
                return
        raise AssertionError(f"code {wanted} has not come in {at_most_ms} ms")

    def ready(self) -> Line:
        """The driver has found the reader, and an empty field."""
        self.run(400)
        assert self.reader.works == 1
        return self

    def hold(self, *cards: Card) -> None:
        self.chip.clear()
        for card in cards:
            self.chip.put(card)

    def read(self, card: Card) -> bytes:
        """The UID that the driver tells of a tag that is held to the empty reader."""
        self.hold(card)
        self.until(tagreader.TAG)
        return self.uid

    def time_to_read_ms(self, card: Card) -> int:
        """From the call that a tag answers until it is told."""
        self.hold(card)
        air_us = self.chip.air_us
        began = self.now
        while self.chip.air_us == air_us:
            began = self.now
            self.step()
        while self.reader.service(self.now) != tagreader.TAG:
            self.us += 1000 * max(1, self.reader.due - self.now)
        return self.now - began

    @property
    def uid(self) -> bytes:
        return bytes(self.reader.uid[: self.reader.uid_length])

    def leave(self) -> None:
        """All tags are taken away, and the driver has noticed."""
        self.chip.clear()
        self.until(tagreader.GONE)
        self.run(50)
