"""`wallbox republish`."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, replace
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
from host.console import (
    EXIT_REFUSED,
    EXIT_UNREACHABLE,
    EXIT_UNUSABLE,
    ColorOption,
    error,
    fail,
    out,
)

if TYPE_CHECKING:
    from host.replay.field_log import FieldLog

_SPEED = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,3})?)x")
_SQLITE = b"SQLite format 3\0"


def register(app: typer.Typer) -> None:
    app.command("republish")(republish_command)


def republish_command(
    log: Annotated[
        Path, typer.Argument(help="A field log, a ledger's image, or a collector's database.")
    ],
    broker: BrokerOption = "localhost",
    speed: Annotated[str, typer.Option(help="60x: an hour in a minute; or max.")] = "max",
    box: Annotated[
        str | None,
        typer.Option(help="Serial to publish as; of a database: whose ledger."),
    ] = None,
    port: PortOption = None,
    keys: KeysOption = KEYS,
    user: UserOption = None,
    password_file: PasswordFileOption = None,
    tls: TlsOption = False,
    ca_file: CaFileOption = None,
    certificate_file: CertificateFileOption = None,
    key_file: KeyFileOption = None,
    wait: Annotated[
        float, typer.Option(min=1, help="Seconds without an acknowledgement after which it ends.")
    ] = 60.0,
    whole: Annotated[
        bool, typer.Option("--whole", help="Whole records only, no packed messages.")
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", help="Do not ask, though the broker is another machine.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The outcome as JSON.")] = False,
    no_color: ColorOption = False,
) -> None:
    """Publish a box's ledger once more as that box, to try the operator's side with field data.

    It speaks as the box does: same topics, QoS 1, same messages, and it waits for the
    operator's signed statements. At a broker where the box itself is connected it would
    throw it out: take a broker for tests.

    Exit code 0: the operator has acknowledged everything. 2: wrong options. 3: the broker
    cannot be reached or refuses. 4: log, key or a file is unusable. 5: the operator has not
    acknowledged everything in time.
    """
    from host.collect.broker import this_machine
    from host.keys import KeyStore, KeyStoreError
    from host.replay.publish import CannotPublish

    pace = speed_of(speed)
    settings = broker_settings(
        broker, port, user, password_file, tls, ca_file, certificate_file, key_file, ""
    )
    found = _read(log, box)
    if not found.origin.serial:
        raise typer.BadParameter(f"{log} does not say whose it is; add --box SERIAL")
    if not (yes or this_machine(broker)):
        typer.confirm(
            f"publish as {found.origin.serial} at {broker}? The box itself would be thrown out",
            abort=True,
        )
    try:
        key = KeyStore(keys).load(found.origin.serial)
    except KeyStoreError as wrong:
        fail(str(wrong), EXIT_UNUSABLE)
    for path in (ca_file, certificate_file, key_file):
        if path and not path.is_file():
            fail(f"{path}: no such file; check the TLS files", EXIT_UNUSABLE)
    if not found.ledger:
        fail(f"{log}: holds no ledger; pull it with its ledger", EXIT_UNUSABLE)
    try:
        outcome = show(found, settings, key, pace, wait, not whole)
    except CannotPublish as wrong:
        signed = "not signed" in str(wrong)
        fail(str(wrong), EXIT_UNUSABLE if signed else EXIT_UNREACHABLE)
    if as_json:
        more = {"complete": outcome.complete, "records_per_s": round(outcome.records_per_s, 1)}
        print(json.dumps({"box": found.origin.serial, **asdict(outcome), **more}))
    else:
        out.print(_said(found.origin.serial, outcome), highlight=False, soft_wrap=True)
    if not outcome.complete:
        raise typer.Exit(EXIT_REFUSED)


def speed_of(text: str) -> float:
    """`60x` or `max`. Raises typer.BadParameter."""
    match = _SPEED.fullmatch(text)
    if text == "max":
        return float("inf")
    if not match or float(match[1]) == 0:
        raise typer.BadParameter(f"{text}: write 60x, or max", param_hint="--speed")
    return float(match[1])


def show(found: FieldLog, settings, key: bytes, pace: float, wait: float, packed: bool):  # type: ignore[no-untyped-def]
    """Republishes with a bar on standard error; what `republish` gives and raises."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    from host.replay.publish import republish

    last = int.from_bytes(found.ledger[-1][2:6], "little")
    first = int.from_bytes(found.ledger[0][2:6], "little")
    columns = (
        TextColumn("acknowledged"), BarColumn(), MofNCompleteColumn(),
        TextColumn("{task.speed:.0f} records/s"),
    )
    with Progress(*columns, console=error, transient=True, disable=not error.is_terminal) as bar:
        task = bar.add_task("", total=last - first + 1)
        return republish(
            found, settings, key, pace, wait,
            lambda _, acknowledged: bar.update(task, completed=acknowledged - first + 1), packed,
        )


def _said(serial: str, outcome) -> str:  # type: ignore[no-untyped-def]
    rate = f"in {outcome.lasted_s:.1f} s, {outcome.records_per_s:.0f} records/s"
    if outcome.complete:
        return f"{serial}: {outcome.records} records acknowledged {rate}"
    return (
        f"{serial}: the operator stands at record {outcome.acknowledged}, not at {outcome.last}; "
        "is a collector there that has this box's key? Look at what it says"
    )


def _read(path: Path, box: str | None) -> FieldLog:
    from host.replay.field_log import NoLog, read_log

    if _is_database(path):
        return _from_database(path, box)
    try:
        log = read_log(path)
    except NoLog as wrong:
        fail(str(wrong), EXIT_UNUSABLE)
    if box:
        log.origin = replace(log.origin, serial=box)
    return log


def _is_database(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(_SQLITE)) == _SQLITE
    except OSError:  # why, says who reads it as a log
        return False


def _from_database(path: Path, box: str | None) -> FieldLog:
    from host.ledger.verify.rows import Unusable, opened, read_box
    from host.replay.field_log import FieldLog, Origin

    if box is None:
        raise typer.BadParameter(f"{path} is a database; add --box SERIAL")
    try:
        with opened(path) as connection:
            found = read_box(connection, box, lambda what, done, total: None)
    except Unusable as wrong:
        fail(str(wrong), EXIT_UNUSABLE)
    spoilt = [one.position for one in found.damages]
    spoilt += [one.position for one in found.stored if one.flips or one.position != one.sequence]
    if spoilt:
        fail(f"{path}: record {min(spoilt)} of {box} is damaged; look with `wallbox ledger "
             "verify`, restore the file from a copy", EXIT_UNUSABLE)
    return FieldLog(Origin(serial=box, source=str(path)), ledger=[one.data for one in found.stored])
