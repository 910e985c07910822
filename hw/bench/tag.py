"""A tag at the reader: an actuator that holds the bench's own tag there, or a person who does."""

from __future__ import annotations

import contextlib
import os
import select
from typing import IO

from host.provisioning.outcome import refused
from hw.bench.config import Tag as TagConfig
from hw.bench.relays import RelayBoard

TERMINAL = "/dev/tty"


class Actuator:
    """The tag `uid` and no other."""

    def __init__(self, config: TagConfig, relays: RelayBoard) -> None:
        self._uid = bytes.fromhex(config.uid)
        self._relays = relays

    def present(self, uid: bytes) -> None:
        if uid != self._uid:
            raise refused("the bench cannot hold that tag to the reader",
                          "its actuator holds another one",
                          "ask for `rig.tag_uid`, or correct tag.uid", "tag.uid")
        self._relays.conducts("tag", True)

    def remove(self) -> None:
        self._relays.conducts("tag", False)


class Prompt:
    """A person, asked at the terminal, who confirms with Enter within `wait_s`."""

    def __init__(self, config: TagConfig, terminal: str = TERMINAL) -> None:
        self._wait_s = config.wait_s
        self._terminal = terminal
        self._held = False

    def present(self, uid: bytes) -> None:
        self._ask(f"Hold the tag {uid.hex()} to the reader, then press Enter.")
        self._held = True

    def remove(self) -> None:
        if self._held:
            self._ask("Take the tag away, then press Enter.")
            self._held = False

    def _ask(self, text: str) -> None:
        try:
            terminal = open(self._terminal, "r+b", buffering=0)
        except OSError as error:
            raise refused("nobody can be asked for the tag", error.strerror or str(error),
                          "run the tests in a terminal, or leave [tag] out", "tag.kind") from None
        with terminal:
            terminal.write(f"\r\n{text} ".encode())
            if not self._answered(terminal):
                raise refused("nobody pressed Enter", f"not within {self._wait_s:.0f} s",
                              "run the tests again when somebody is there", "tag.wait_s")

    def _answered(self, terminal: IO[bytes]) -> bool:
        ready, _, _ = select.select([terminal], [], [], self._wait_s)
        if ready:
            with contextlib.suppress(OSError):
                os.read(terminal.fileno(), 256)
        return bool(ready)


def make_tag(config: TagConfig, relays: RelayBoard | None) -> Actuator | Prompt:
    if config.kind == "prompt":
        return Prompt(config)
    assert relays, "checked when the file was read"
    return Actuator(config, relays)
