"""`wallbox trace pull`: what a box has recorded, as one file."""

from __future__ import annotations

import json
import stat
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
)
from host.console import EXIT_REFUSED, EXIT_UNUSABLE, ColorOption, fail, out
from host.send.options import WaitOption

if TYPE_CHECKING:
    from host.replay.chained import Chained
    from host.replay.field_log import FieldLog

EXIT_WRONG = 1
_SECTORS = 256
_VALID_S = 600
_PORT = "box:"

_trace = typer.Typer(help="What a box's core has seen and decided.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    app.add_typer(_trace, name="trace")


@_trace.callback()
def _group() -> None:
    """What a box's core has seen and decided."""


@_trace.command("pull")
def pull(
    box: Annotated[
        str,
        typer.Argument(help="The serial port of its console (/dev/ttyUSB0, box:COM3), its serial "
                       "to fetch it by MQTT, or the image of its flash or of its trace."),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="The log to write.")],
    ledger: Annotated[
        bool, typer.Option("--ledger", help="The ledger too; not by MQTT, the collector has it.")
    ] = False,
    join: Annotated[
        bool, typer.Option("--join", help="Add it to what the log already holds.")
    ] = False,
    serial: Annotated[
        str | None, typer.Option("--serial", help="Of an image: the serial of its box.")
    ] = None,
    wait: WaitOption = 30.0,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
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
) -> None:
    """Copy a box's trace into one file, while the box works on.

    With the box's key at hand, each record's mac is checked.

    \b
    wallbox trace pull /dev/ttyUSB0 -o field.zip --ledger
    wallbox trace pull WB-000001 -o field.zip --join --broker mqtt.example.org --tls
    wallbox trace pull flash.bin -o field.zip

    Exit code 0: written. 1: written, but a mac is wrong. 2: wrong options. 3: box or broker cannot
    be reached. 4: file or key store is unusable. 5: no answer in time, or the box refuses.
    """
    from host.keys import valid_serial
    from host.provisioning.files import try_writing
    from host.replay.field_log import NoLog, write_log
    from host.replay.field_log import join as joined

    if serial is not None and not valid_serial(serial):
        raise typer.BadParameter(f"--serial: {serial[:40]!r} is no serial")
    if output.exists() and not join:
        fail(f"{output}: exists; name another file, or add to it with --join", EXIT_UNUSABLE)
    older = _older(output) if join and output.exists() else None
    try:
        sort = _sort_of(box)
        try_writing(output)  # a whole trace takes minutes
        if sort == "port":
            log = _by_console(box.removeprefix(_PORT), keys, ledger, as_json, no_color)
        elif sort == "file":
            log = _of_file(Path(box), ledger, serial)
        elif ledger:
            raise typer.BadParameter("--ledger: not by MQTT; the collector has the ledger")
        else:
            log = _by_broker(box, wait, as_json, no_color, broker, port, user, password_file, tls,
                             ca_file, certificate_file, key_file, keys)
        if older:
            log = joined(older, log)
        if not log.trace:
            raise NoLog(f"{box}: its trace is empty; pull it when the box has run")
        checked = _checked(log, keys)
        write_log(output, log)
    except NoLog as wrong:
        fail(str(wrong), EXIT_UNUSABLE)
    except OSError as wrong:
        fail(f"{output}: cannot be written: {wrong.strerror}; name another file", EXIT_UNUSABLE)
    _tell(output, log, checked, as_json)


def _sort_of(box: str) -> str:
    """port, file or serial."""
    from host.keys import valid_serial

    if box.startswith(_PORT):
        return "port"
    try:
        mode = Path(box).stat().st_mode
    except OSError:
        if valid_serial(box):
            return "serial"
        raise typer.BadParameter(f"{box[:60]!r}: no port, no file and no serial") from None
    return "port" if stat.S_ISCHR(mode) else "file"


def _older(output: Path) -> FieldLog:
    from host.replay.field_log import NoLog, read_log

    try:
        return read_log(output)
    except NoLog as wrong:
        fail(str(wrong), EXIT_UNUSABLE)


def _of_file(path: Path, ledger: bool, serial: str | None) -> FieldLog:
    from host.replay.pull import from_file, known, named

    log = from_file(path, ledger)
    return named(known(log), serial or log.origin.serial, path.name)


def _by_console(port: str, keys: Path, ledger: bool, as_json: bool, no_color: bool) -> FieldLog:
    from host.provisioning.export import pull_ring
    from host.provisioning.options import logged_in, speaking
    from host.replay.command import progress
    from host.replay.field_log import Origin
    from host.replay.pull import from_rings, named

    with speaking("en", no_color, as_json):
        line, serial = logged_in(port, keys)
        rings: dict[str, bytes] = {"ledger": b""}
        with line:
            for name in ("trace", "ledger") if ledger else ("trace",):
                with progress(name, as_json) as show:
                    rings[name] = pull_ring(line, name, show).data
    log = from_rings(Origin(serial, port), rings["trace"], rings["ledger"])
    return named(log, serial, "console")


def _by_broker(
    serial: str, wait: float, as_json: bool, no_color: bool, broker: str, port: int | None,
    user: str | None, password_file: Path | None, tls: bool, ca_file: Path | None,
    certificate_file: Path | None, key_file: Path | None, keys: Path,
) -> FieldLog:
    from host.replay.field_log import Origin
    from host.replay.pull import from_rings, named
    from host.send.options import opened
    from host.send.order import EXIT_BOX_REFUSED, EXIT_NO_ANSWER
    from host.send.trace import TraceParts
    from host.send.verbs_box import fetch

    parts = TraceParts(0, _SECTORS)
    try:
        with opened(serial, _VALID_S, wait, None, as_json, no_color, broker, port, user,
                    password_file, tls, ca_file, certificate_file, key_file, keys) as order:
            fetch(order, parts)
    except typer.Exit as ended:  # 1 is here that the log is written
        refused = ended.exit_code == EXIT_BOX_REFUSED
        raise typer.Exit(EXIT_REFUSED if refused else ended.exit_code) from None
    if parts.holes():
        missing = sum(count for _, count in parts.holes())
        fail(f"{serial}: {missing} of {_SECTORS} sectors did not come; pull it again",
             EXIT_NO_ANSWER)
    return named(from_rings(Origin(serial, "mqtt"), parts.data()), serial, "mqtt")


def _checked(log: FieldLog, keys: Path) -> Chained | None:
    """None: the key is not at hand. Ends the command if the key store is unusable."""
    from host.keys import KeyStore, KeyStoreError, UnknownBox, valid_serial
    from host.replay.chained import LEDGER, TRACE, Chained, chained

    if not valid_serial(log.origin.serial) or (keys == KEYS and not keys.exists()):
        return None
    try:
        key = KeyStore(keys).load(log.origin.serial)
    except UnknownBox:
        return None
    except KeyStoreError as wrong:
        fail(str(wrong), EXIT_UNUSABLE)
    trace = chained(key, log.trace, TRACE)
    ledger = chained(key, log.ledger, LEDGER)
    return Chained(trace.proved + ledger.proved, trace.wrong + ledger.wrong,
                   trace.open + ledger.open)


def _tell(output: Path, log: FieldLog, checked: Chained | None, as_json: bool) -> None:
    from host.replay.said import contents

    if as_json:
        told = {
            "file": str(output), "serial": log.origin.serial, "records": len(log.trace),
            "ledger_records": len(log.ledger), "verified": checked and vars(checked),
        }  # fmt: skip
        print(json.dumps(told), flush=True)
    else:
        out.print(f"{output}: {contents(log)}", highlight=False, markup=False)
        words = "not verified: its key is not at hand"
        if checked:
            words = (f"verified: {checked.proved:,} macs are right, {checked.wrong} wrong, "
                     f"{checked.open} cannot be checked: the record before is gone")
        out.print(words, highlight=False)
    if checked and checked.wrong:
        raise typer.Exit(EXIT_WRONG)
