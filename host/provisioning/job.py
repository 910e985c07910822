"""One box on its way: what the steps share."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from host.provisioning import repl
from host.provisioning.console_line import ConsoleLine
from host.provisioning.esptool_program import Flasher
from host.provisioning.flash_image import FlashImage
from host.provisioning.journal import Journal
from host.provisioning.order import Order
from host.provisioning.outcome import NoAnswer, Stopped, interrupted, unreachable
from host.provisioning.partner import Partner
from host.provisioning.repl import Survey
from host.provisioning.screen import Screen
from host.provisioning.texts import _

BOOT_S = 30.0
FIND_S = 3.0
ASK_S = 0.7
IN_SERVICE = ("in service", "suspended", "on hold")


@dataclass
class Job:
    """`folder` takes what the partner keeps or sends: sealed key, request, certificate.

    `tap_s`, `open_s`, `plug_s`: how long a person is waited for at the tag reader, at each seal
    loop, and with a test plug; 0: not asked for. `identity` is the console's answer, empty before
    the box answers; `key` is the box's key while the command runs, if it is known. `must_end` may
    be set by another thread: the work ends where it can be taken up again.
    """

    port: str
    order: Order
    partner: Partner
    image: FlashImage
    flasher: Flasher
    folder: Path
    screen: Screen
    person: bool = False  # somebody stands at the box: may be asked what was seen
    tap_s: int = 0
    open_s: int = 0
    plug_s: int = 0
    label: bool = False
    collect: bool = False
    chip: str = ""
    identity: dict[str, Any] = field(default_factory=dict)
    key: bytes | None = field(default=None, repr=False)
    survey: Survey | None = field(default=None, repr=False)
    must_restart: bool = False
    must_end: bool = False
    _journal: Journal | None = None

    @property
    def journal(self) -> Journal:
        assert self._journal is not None, "the chip is known from the first step on"
        return self._journal

    def found(self, chip: str) -> None:
        """Now the chip is known, and with it the journal. Raises Stopped."""
        self.chip = chip
        self._journal = Journal(self.folder / "journal", chip)

    @property
    def locked(self) -> bool:
        return bool(self.identity.get("locked"))

    @property
    def lifecycle(self) -> str:
        return str(self.identity.get("lifecycle") or "")

    def file(self, suffix: str) -> Path:
        """`<serial><suffix>` among what the partner keeps."""
        return self.folder / (self.order.serial + suffix)

    def ask_identity(self) -> dict[str, Any]:
        """Who answers at the port. Raises Stopped."""
        with ConsoleLine(self.port) as line:
            self.identity = line.ask("identity")
        return self.identity

    def find(self, timeout_s: float) -> bool:
        """Who is at the port: the agent's console, or an open Python prompt, which is looked at.

        False if neither answers in time. Raises Stopped for a port that cannot be used.
        """
        until = time.monotonic() + timeout_s
        with ConsoleLine(self.port) as line:
            while True:
                found = line.who(ASK_S)
                if isinstance(found, dict):
                    self.identity = found
                    return True
                if found:
                    break
                if time.monotonic() > until:
                    return False
        self.look()
        return True

    def look(self) -> Survey:
        """What is on a box with an open prompt, which stops for it; also its identity."""
        self.must_restart = True  # also when Ctrl-C comes while it is looked at
        try:
            survey = self.survey = repl.look(self.port)
        except Stopped:
            self.must_restart = False
            raise
        self.identity = {
            "chip": survey.chip,
            "serial": survey.serial,
            "firmware": survey.firmware,
            "python": survey.python,
            "lifecycle": self.lifecycle or None,
            "locked": False,
            "key": bool(survey.key),
        }
        return survey

    def wait(self, ready: Callable[[dict[str, Any]], bool], word: str = "health") -> dict[str, Any]:
        """The answer to `word` once it is as wanted, or the last one after BOOT_S.

        Raises Stopped if the box does not answer until then.
        """
        until = time.monotonic() + BOOT_S
        told: dict[str, Any] | None = None
        with ConsoleLine(self.port) as line:
            pause_s = 0.1
            while time.monotonic() < until:
                self.check_end()
                try:
                    told = line.ask(word, 1.0, tries=1)
                except NoAnswer:
                    continue
                if ready(told):
                    break
                time.sleep(pause_s)
                pause_s = min(0.6, pause_s * 1.5)  # the box answers two a second
        if told is None:
            raise unreachable(_("the box at {port} does not start", port=self.port),
                              _("it did not answer for {seconds} s", seconds=int(BOOT_S)),
                              _("press its reset button and repeat; see docs/recovery.md"))
        return told

    def check_end(self) -> None:
        """Raises Stopped if the work is to end."""
        if self.must_end:
            raise interrupted()

    def login(self) -> ConsoleLine:
        """The console with the box's key; to be closed. Raises Stopped."""
        if self.key is None:
            raise Stopped(_("the box's key is not at hand"),
                          _("the box is locked, and its key is sealed to the operator"),
                          _("ask the operator to go on with its key store"), 5)
        line = ConsoleLine(self.port)
        try:
            line.login(self.key)
        except BaseException:
            line.close()
            raise
        return line
