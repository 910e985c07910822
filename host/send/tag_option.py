"""How a verb is told which tag: a UID is personal, so it never stands on the command line."""

from __future__ import annotations

import getpass
import sys
from pathlib import Path
from typing import Annotated

import typer

from host.send.order import Order
from host.send.rows import FileWrong
from host.send.taglist import parse_hash, parse_uid, tag_hash

_TEXT_MAX = 100

UidFileOption = Annotated[
    Path | None,
    typer.Option(help="File with the tag's UID in hex; - is standard input.", metavar="FILE"),
]
HashOption = Annotated[
    str | None,
    typer.Option("--hash", help="The tag's hash on this box, 16 hex digits.", metavar="HEX"),
]


def tag_of(order: Order, uid_file: Path | None, hash_: str | None) -> str:
    """The tag's hash, 16 hex digits; asks for the UID if neither option says it.

    Raises BadParameter or FileWrong; neither text holds the UID.
    """
    if uid_file and hash_:
        raise typer.BadParameter("--uid-file or --hash, not both")
    try:
        if hash_:
            return parse_hash(hash_).hex()
        if uid_file:
            return tag_hash(order.key, parse_uid(_text(uid_file))).hex()
        return tag_hash(order.key, parse_uid(_asked())).hex()
    except ValueError as wrong:
        if uid_file:
            raise FileWrong(f"{uid_file}: {wrong}") from None
        raise typer.BadParameter(str(wrong)) from None


def _text(path: Path) -> str:
    if str(path) == "-":
        return sys.stdin.read(_TEXT_MAX)
    try:
        with path.open(encoding="ascii", errors="replace") as file:
            return file.read(_TEXT_MAX)
    except OSError as wrong:
        raise FileWrong(f"{path}: cannot be read: {wrong.strerror}") from None


def _asked() -> str:
    if not sys.stdin.isatty():
        raise typer.BadParameter("which tag? Name it with --uid-file or --hash")
    return getpass.getpass("UID of the tag in hex (not shown): ")
