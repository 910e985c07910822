"""Options that the partner's commands share, and how they end."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from host.console import error, out
from host.provisioning.outcome import Stopped, interrupted

if TYPE_CHECKING:
    from host.provisioning.console_line import ConsoleLine
    from host.provisioning.partner import Partner

LangOption = Annotated[
    str, typer.Option("--lang", envvar="WALLBOX_LANG", help="en or da: language of the screens.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]
ColorOption = Annotated[
    bool, typer.Option("--no-color", help="No colours; as with NO_COLOR set.")
]
PortOption = Annotated[str, typer.Option("--port", help="Serial port of the box.")]
PartnerOption = Annotated[
    Path,
    typer.Option("--partner", envvar="WALLBOX_PARTNER", help="What you have from the operator."),
]
KeysOption = Annotated[
    Path, typer.Option("--keys", envvar="WALLBOX_KEYS", help="Key store: <serial>.key.")
]
PARTNER = Path("partner.toml")
KEYS = Path("keys")


@contextmanager
def speaking(lang: str, no_color: bool, as_json: bool) -> Iterator[None]:
    """Language and colours; a Stopped or Ctrl-C inside becomes a message with its exit code."""
    from host.provisioning import texts

    try:
        texts.choose(lang)
    except ValueError as wrong:
        raise typer.BadParameter(str(wrong)) from None
    before = out.no_color, error.no_color
    if no_color:
        out.no_color = error.no_color = True
    try:
        yield
    except Stopped as stopped:
        say_stopped(stopped, as_json)
        raise typer.Exit(stopped.code) from None
    except (KeyboardInterrupt, typer.Abort):  # Abort: Ctrl-C or the end of the input at a question
        ended = interrupted()
        say_stopped(ended, as_json)
        raise typer.Exit(ended.code) from None
    finally:  # a process may run several commands
        texts.choose("en")
        out.no_color, error.no_color = before


def say_stopped(stopped: Stopped, as_json: bool, port: str = "") -> None:
    """What happened, why, and what to do: an event, or three lines."""
    if as_json:
        told = {"event": "stopped", **({"port": port} if port else {}), **stopped.as_dict()}
        print(json.dumps(told, ensure_ascii=False), flush=True)
        return
    from host.provisioning.texts import _

    field = f" ({stopped.field})" if stopped.field and stopped.field != stopped.what else ""
    lines = (
        f"wallbox: {stopped.what}{field}",
        f"  {_('why')}: {stopped.why}",
        f"  {_('next')}: {stopped.action}",
    )
    for line in lines:
        error.print(line, style="red", highlight=False, markup=False, soft_wrap=True)


def say(text: str) -> None:
    out.print(text, highlight=False, markup=False, soft_wrap=True)


def say_json(told: object) -> None:
    print(json.dumps(told, ensure_ascii=False), flush=True)


def partner_at(path: Path) -> Partner:
    from host.provisioning.partner import read_partner

    return read_partner(path)


def logged_in(port: str, keys: Path) -> tuple[ConsoleLine, str]:
    """The console with the key that the key store has for the box, and its serial."""
    from host.keys import KeyStore, KeyStoreError
    from host.provisioning.console_line import ConsoleLine
    from host.provisioning.outcome import unusable
    from host.provisioning.texts import _

    line = ConsoleLine(port)
    try:
        serial = str(line.ask("identity").get("serial") or "")
        try:
            key = KeyStore(keys).load(serial)
        except KeyStoreError as wrong:
            raise unusable(_("no login at box {serial}", serial=serial or "?"), str(wrong),
                           _("name the operator's key store with --keys")) from None
        line.login(key)
        return line, serial
    except BaseException:
        line.close()
        raise
