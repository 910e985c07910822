"""One run of `wallbox send`: its connection, what it prints, how it ends."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, NoReturn

import typer

from host.console import error, fail, out, printable
from host.send import moment
from host.send.message import Arguments, Reply

if TYPE_CHECKING:
    from host.send.sender import NoAnswer, Sender

EXIT_BOX_REFUSED = 1
EXIT_NO_ANSWER = 5
_STYLES = {"Accepted": "green", "Scheduled": "green", "RebootRequired": "yellow"}


class Order:
    """What a verb has in its hands. The connection is made with the first command."""

    def __init__(
        self,
        box: str,
        key: bytes,
        connect: Callable[[Callable[[str], None]], Sender],
        wait_s: float,
        valid_s: int,
        as_json: bool,
    ) -> None:
        self.box = box
        self.key = key
        self.wait_s = wait_s
        self.valid_s = valid_s
        self.as_json = as_json
        self._connect = connect
        self._open = contextlib.ExitStack()
        self._sender: Sender | None = None

    @property
    def sender(self) -> Sender:
        if self._sender is None:
            self._sender = self._open.enter_context(self._connect(self.warn))
        return self._sender

    def close(self) -> None:
        self._open.close()

    def ask(
        self,
        verb: str,
        arguments: Arguments | None = None,
        numbers: int = 1,
        numbered: Callable[[int], Arguments] | None = None,
        tries: int = 1,
    ) -> Reply:
        """Send one command and return the box's answer; ends the run if none comes.

        `tries` above 1 is for commands that may be done twice; each is a new one to the box.
        """
        from host.send.sender import NoAnswer

        while True:
            try:
                return self.sender.order(
                    verb, arguments or {}, self.valid_s, self.wait_s, numbers, numbered
                )
            except NoAnswer as missing:
                tries -= 1
                if tries < 1:
                    self._no_answer(verb, missing)

    def do(self, verb: str, arguments: Arguments | None = None, **more: object) -> None:
        """Send one command, tell the answer, and end the run if it was refused."""
        self.finish(self.ask(verb, arguments), **more)

    def finish(self, reply: Reply, **more: object) -> None:
        """Tell an answer, `more` about it in the JSON too, and end the run if it was refused."""
        self.tell(reply, **more)
        if not reply.done:
            raise typer.Exit(EXIT_BOX_REFUSED)

    def tell(self, reply: Reply, **more: object) -> None:
        """The answer as one line, or as one JSON object."""
        if self.as_json:
            print(json.dumps({"box": self.box, **asdict(reply), **more}), flush=True)
            return
        known = "".join(f", {name} {value}" for name, value in more.items() if value is not None)
        info = f": {printable(reply.info)}" if reply.info else ""
        out.print(
            f"{self.box} {reply.verb}: {reply.status}{known}{info}",
            style=_STYLES.get(reply.status, "red"),
            highlight=False,
            markup=False,
            soft_wrap=True,
        )

    def warn(self, text: str) -> None:
        """A line to standard error, which ends nothing."""
        error.print(
            f"wallbox: {printable(text)}",
            style="yellow",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )

    def _no_answer(self, verb: str, missing: NoAnswer) -> NoReturn:
        why = {True: "", False: "; it is offline, its status says", None: "; no status of it"}
        forged = (
            f"; {missing.forged} replies with a wrong MAC came: is the key in the key store "
            "the box's?"
            if missing.forged
            else ""
        )
        if self.as_json:
            nothing = {"box": self.box, "verb": verb, "status": None}
            print(json.dumps({**nothing, "until_utc_s": missing.until_utc_s}), flush=True)
        fail(
            f"{self.box} {verb}: no answer within {self.wait_s:g} s{why[missing.online]}{forged}; "
            f"the command may still be taken until {moment.shown(missing.until_utc_s)}, "
            f"ask with: wallbox send {self.box} status",
            EXIT_NO_ANSWER,
        )
