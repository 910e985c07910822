"""One run of `wallbox send`: its options, its connection, what it prints, how it ends."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from host.broker_options import (
    KEYS,
    BrokerOption,
    CaFileOption,
    CertificateFileOption,
    KeyFileOption,
    KeysOption,
    PasswordFileOption,
    PortOption,
    TlsOption,
    UserOption,
    broker_settings,
)
from host.console import EXIT_UNREACHABLE, EXIT_UNUSABLE, error, fail, out
from host.keys import KeyStore, KeyStoreError
from host.send import moment
from host.send.message import Arguments, MessageWrong, Reply

if TYPE_CHECKING:
    from host.send.sender import NoAnswer, Sender

EXIT_BOX_REFUSED = 1
EXIT_NO_ANSWER = 5
MINUTES_10_S = 600
DAY_S = 86_400
_PANEL = "Sending"
_STYLES = {"Accepted": "green", "Scheduled": "green", "RebootRequired": "yellow"}


def _valid_s(text: str) -> int:
    try:
        valid_s = moment.span_s(text)
    except ValueError as wrong:
        raise typer.BadParameter(str(wrong)) from None
    if not 1 <= valid_s <= 31 * DAY_S:
        raise typer.BadParameter(f"{text!r}: from 1s to 31d are possible")
    return valid_s


WaitOption = Annotated[
    float,
    typer.Option(
        min=1, max=3600, help="Seconds to wait for each answer of the box.",
        rich_help_panel=_PANEL,
    ),
]
ValidForOption = Annotated[
    int | None,
    typer.Option(
        parser=_valid_s, metavar="TIME", rich_help_panel=_PANEL,
        help="How long the box may take the command, as 10m or 7d, at most 31d; a box that is "
        "offline gets it later.",
    ),
]
JsonOption = Annotated[
    bool,
    typer.Option("--json", help="One JSON object an answer.", rich_help_panel=_PANEL),
]
NoColorOption = Annotated[
    bool,
    typer.Option(
        "--no-color", help="No colours; as with NO_COLOR set.", rich_help_panel=_PANEL
    ),
]


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


def printable(text: str) -> str:
    """A text of somebody else without what a terminal would obey."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


@contextlib.contextmanager
def opened(
    box: str,
    verb_valid_s: int,
    wait: WaitOption = 30.0,
    valid_for: ValidForOption = None,
    as_json: JsonOption = False,
    no_color: NoColorOption = False,
    broker: BrokerOption = "localhost",
    port: PortOption = None,
    user: UserOption = None,
    password_file: PasswordFileOption = None,
    tls: TlsOption = False,
    ca_file: CaFileOption = None,
    certificate_file: CertificateFileOption = None,
    key_file: KeyFileOption = None,
    keys: KeysOption = KEYS,
) -> Iterator[Order]:
    """The order of one run from the options that all verbs have; its errors end the command."""
    if no_color:
        out.no_color = error.no_color = True
    settings = broker_settings(
        broker, port, user, password_file, tls, ca_file, certificate_file, key_file, ""
    )
    try:
        store = KeyStore(keys)
        key = store.load(box)
    except KeyStoreError as wrong:
        fail(str(wrong), EXIT_UNUSABLE)

    def connect(report: Callable[[str], None]) -> Sender:
        from host.send.counter import Counter
        from host.send.sender import Sender

        try:
            return Sender(settings, box, key, Counter(store.path(box)), report)
        except OSError as wrong:
            fail(settings.tls_files_wrong(wrong), EXIT_UNUSABLE)

    order = Order(box, key, connect, wait, valid_for or verb_valid_s, as_json)
    with _errors_told():
        try:
            yield order
        finally:
            order.close()


@contextlib.contextmanager
def _errors_told() -> Iterator[None]:
    from host.send.rows import FileWrong
    from host.send.sender import BrokerUnreachable

    try:
        yield
    except BrokerUnreachable as wrong:
        fail(str(wrong), EXIT_UNREACHABLE)
    except (KeyStoreError, FileWrong) as wrong:
        fail(str(wrong), EXIT_UNUSABLE)
    except MessageWrong as wrong:
        raise typer.BadParameter(str(wrong)) from None


def later(text: str) -> int:
    """A time of an option. Raises BadParameter with what is right."""
    try:
        return moment.utc_s(text)
    except (ValueError, OverflowError) as wrong:
        raise typer.BadParameter(str(wrong)) from None


def check_span(from_utc_s: int, until_utc_s: int) -> None:
    """Raises BadParameter unless a time lies ahead and is not empty."""
    if until_utc_s <= from_utc_s:
        raise typer.BadParameter("--until: it must be after --from")
    if until_utc_s <= time.time():
        raise typer.BadParameter("--until: it is over already")


TIME_HELP = "ISO 8601 with a zone, or Danish time without one; also now, +2h, +1d12h."
