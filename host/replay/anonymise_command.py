"""`wallbox log anonymise`: a field log that can be shown to others."""

from __future__ import annotations

import contextlib
import json
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from host.console import EXIT_UNUSABLE, ColorOption, fail, out

if TYPE_CHECKING:
    from host.replay.anonymise import Rules
    from host.replay.field_log import FieldLog

SECRET_BYTES_MIN = 16
_SECRET_BYTES_MAX = 4096

_log = typer.Typer(help="Field logs as files.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    app.add_typer(_log, name="log")


@_log.callback()
def _group() -> None:
    """Field logs as files."""


@_log.command("anonymise")
def anonymise(
    log: Annotated[Path, typer.Argument(help="A log of `wallbox trace pull`.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="A file that is not there yet.")],
    secret_file: Annotated[
        Path | None,
        typer.Option(help="At least 16 bytes; logs with the same secret name the same things "
                     "alike. Left out: a fresh one, kept nowhere."),
    ] = None,
    any_core: Annotated[
        bool,
        typer.Option("--any-core", help="Also if git does not find the rules that decided; the log "
                     "then agrees with this tree's rules as it did before."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    no_color: ColorOption = False,
) -> None:
    """Give everything that tells who it was another name; what happened stays, and replays alike.

    Renamed: the serial, tags, subscriptions, meters, numbers of seals, the configuration's digest.
    Times, energies, limits, numbers of sessions and of commands stay.

    Exit code 0: written. 2: wrong options. 4: log, rules or file are unusable.
    """
    from host.replay.anonymise import anonymise as anonymised
    from host.replay.field_log import NoLog, read_log, write_log
    from host.replay.said import contents

    if output.exists():
        fail(f"{output}: exists; name another file", EXIT_UNUSABLE)
    secret = _secret(secret_file)
    try:
        found = read_log(log)
        with contextlib.ExitStack() as stack:
            rules = _rules(log, found, any_core, stack)
            new = anonymised(found, rules, secret, secrets.token_bytes(32))
        write_log(output, new)
    except NoLog as wrong:
        fail(str(wrong), EXIT_UNUSABLE)
    except OSError as wrong:
        fail(f"{output}: cannot be written: {wrong.strerror}; name another file", EXIT_UNUSABLE)
    if as_json:
        print(json.dumps({"file": str(output), "serial": new.origin.serial,
                          "records": len(new.trace), "ledger_records": len(new.ledger)}))
    else:
        out.print(f"{output}: {contents(new)}", highlight=False, markup=False)


def _secret(path: Path | None) -> bytes:
    if path is None:
        return secrets.token_bytes(32)
    try:
        with path.open("rb") as file:
            secret = file.read(_SECRET_BYTES_MAX).strip()
    except OSError as wrong:
        fail(f"{path}: cannot be read: {wrong.strerror}; name another file", EXIT_UNUSABLE)
    if len(secret) < SECRET_BYTES_MIN:
        fail(f"{path}: {len(secret)} bytes are no secret; write at least {SECRET_BYTES_MIN}",
             EXIT_UNUSABLE)
    return secret


def _rules(
    path: Path, log: FieldLog, any_core: bool, stack: contextlib.ExitStack
) -> dict[bytes, Rules]:
    """The rules that decided, by their hash: without them sums of decisions cannot be renewed."""
    from host.replay.anonymise import Rules
    from host.replay.cores import find, of_revision, of_tree
    from host.replay.spread import cores_in
    from host.replay.survey import UNTOLD, name

    tree = of_tree()
    rules: dict[bytes, Rules] = {}
    for core in cores_in(log.trace) or {tree.hash: 0}:
        revision = "" if core in (UNTOLD, tree.hash) else find(core)
        if core != tree.hash and not revision and not any_core:
            fail(f"{path}: decided by {name(core)}, which git does not find here; run this where "
                 "it does, or add --any-core", EXIT_UNUSABLE)
        played = stack.enter_context(of_revision(revision)) if revision else tree
        rules[core] = Rules(played.load(), log.layouts.get(core, played.layout))
    return rules
