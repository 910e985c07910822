"""The options that all verbs of `wallbox send` have, and what their errors end with."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Annotated

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
from host.console import (
    EXIT_INTERRUPTED,
    EXIT_UNREACHABLE,
    EXIT_UNUSABLE,
    ColorOption,
    fail,
)
from host.keys import KeyStore, KeyStoreError
from host.send import moment
from host.send.message import MessageWrong
from host.send.order import Order

if TYPE_CHECKING:
    from host.send.sender import Sender

MINUTES_10_S = 600
DAY_S = 86_400
TIME_HELP = "ISO 8601 with a zone, or Danish time without one; also now, +2h, +1d12h."
_PANEL = "Sending"


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


@contextlib.contextmanager
def opened(
    box: str,
    verb_valid_s: int,
    wait: WaitOption = 30.0,
    valid_for: ValidForOption = None,
    as_json: JsonOption = False,
    no_color: ColorOption = False,
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
    except KeyboardInterrupt:
        fail("interrupted; what was sent may still be taken", EXIT_INTERRUPTED)


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
