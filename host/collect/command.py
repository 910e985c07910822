"""`wallbox collect`."""

from __future__ import annotations

import json
import signal
import threading
import time
from pathlib import Path
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
from host.console import EXIT_REFUSED, EXIT_UNREACHABLE, EXIT_UNUSABLE, ColorOption, fail, out

if TYPE_CHECKING:
    from host.collect.collector import Collector
    from host.collect.intake import Notice

QUIET_S = 2.0  # --once ends when nothing has come for so long
SETTLE_TIMEOUT_S = 30.0
_STYLES = {"info": "", "warning": "yellow", "alarm": "bold red"}


def register(app: typer.Typer) -> None:
    app.command("collect")(collect)


def collect(
    broker: BrokerOption = "localhost",
    port: PortOption = None,
    database: Annotated[
        Path,
        typer.Option(envvar="WALLBOX_DATABASE", help="SQLite file; made if there is none."),
    ] = Path("wallbox.db"),
    keys: KeysOption = KEYS,
    user: UserOption = None,
    password_file: PasswordFileOption = None,
    tls: TlsOption = False,
    ca_file: CaFileOption = None,
    certificate_file: CertificateFileOption = None,
    key_file: KeyFileOption = None,
    client_id: Annotated[
        str, typer.Option(help="Names the session that the broker keeps while we are away.")
    ] = "wallbox-collector",
    once: Annotated[
        bool, typer.Option("--once", help="End when nothing has come for 2 seconds.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    no_color: ColorOption = False,
) -> None:
    """Store what the boxes send, each record exactly once, then acknowledge it to them.

    Runs until SIGINT or SIGTERM. Exit code 0: ended as asked. 2: wrong options. 3: the broker
    refuses, or with --once cannot be reached. 4: database, key store or a file is unusable.
    5: with --once, something was refused (see `wallbox ledger quarantine`).
    """
    from host.collect.collector import Collector
    from host.collect.database import Database, DatabaseUnusable
    from host.keys import KeyStore, KeyStoreError

    settings = broker_settings(
        broker, port, user, password_file, tls, ca_file, certificate_file, key_file, client_id
    )
    try:
        store = KeyStore(keys)
        file = Database(database, create=True)
    except (KeyStoreError, DatabaseUnusable) as error:
        fail(str(error), EXIT_UNUSABLE)
    try:
        collector = Collector(settings, file, store, _print_json if as_json else _print)
    except OSError as error:
        fail(settings.tls_files_wrong(error), EXIT_UNUSABLE)
    try:
        _run(collector, once)
    finally:
        file.close()
    counters = collector.counters
    if not as_json:
        out.print(
            f"{counters.stored} records stored, {counters.repeated} repeated, "
            f"{counters.refused} refused"
        )
    if once and counters.refused:
        raise typer.Exit(EXIT_REFUSED)


def _run(collector: Collector, once: bool) -> None:
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    with collector:
        settled = False
        while collector.running and not ended.wait(0.1):
            if not settled:
                settled = collector.wait_settled(0.0)
                if settled and collector.refusal and (once or collector.login_refused):
                    collector.stop()
                    fail(collector.refusal, EXIT_UNREACHABLE)
            quiet = time.monotonic() - collector.active_at > QUIET_S
            if once and collector.connected and collector.idle and quiet:
                return


def _print(notice: Notice) -> None:
    moment = time.strftime("%H:%M:%S")
    place = f"{notice.box}: " if notice.box else ""
    out.print(
        f"{moment} {place}{notice.text}", style=_STYLES[notice.level] or None, highlight=False,
        markup=False, soft_wrap=True,
    )


def _print_json(notice: Notice) -> None:
    line = {
        "at": int(time.time()),
        "level": notice.level,
        "code": notice.code,
        "box": notice.box or None,
        "text": notice.text,
    }
    print(json.dumps(line, ensure_ascii=False), flush=True)
