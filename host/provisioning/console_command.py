"""`wallbox console`: the service console over USB."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from host.console import error
from host.provisioning.options import (
    KEYS,
    ColorOption,
    JsonOption,
    KeysOption,
    LangOption,
    PortOption,
    logged_in,
    say,
    say_json,
    speaking,
)

_console = typer.Typer(
    help="The service console of a box over USB; a box in service gives no Python prompt.",
    no_args_is_help=True,
)
_TAKEN = ("Accepted", "Scheduled", "RebootRequired")
_SECRET = ("wifi.password", "broker.password", "broker.psk_key")


def register(app: typer.Typer) -> None:
    app.add_typer(_console, name="console")


def _tells(word: str, what: str) -> None:
    """A command for a word that anybody may say."""

    @_console.command(word, help=f"{what}; needs no login. Exit code 0: told. 3: no answer.")
    def command(
        port: PortOption, as_json: JsonOption = False, lang: LangOption = "en",
        no_color: ColorOption = False,
    ) -> None:
        from host.provisioning.console_line import ConsoleLine

        with speaking(lang, no_color, as_json), ConsoleLine(port) as line:
            told = line.ask(word)
            told.pop("to", None)
            _show(told, as_json)


def _orders(verb: str, what: str) -> None:
    """A command for an order without arguments."""

    @_console.command(
        verb, help=f"{what}. Exit code 0: told. 3: no answer. 4: no key. 5: refused."
    )
    def command(
        port: PortOption, keys: KeysOption = KEYS, as_json: JsonOption = False,
        lang: LangOption = "en", no_color: ColorOption = False,
    ) -> None:
        _order(verb, {}, port, keys, as_json, lang, no_color)


def _saves(ring: str, what: str) -> None:
    """A command that copies a ring into a file."""

    @_console.command(
        ring, help=f"{what} while the box works. Exit code 0: saved. 3: no answer. 4: no key, or "
        "the file cannot be written. 5: refused."
    )
    def command(
        port: PortOption,
        save: Annotated[Path, typer.Option(help="File that takes it.")],
        keys: KeysOption = KEYS, as_json: JsonOption = False, lang: LangOption = "en",
        no_color: ColorOption = False,
    ) -> None:
        _save(ring, save, port, keys, as_json, lang, no_color)


_tells("identity", "Who the box is")
_tells("health", "How the box is")
_orders("status", "The whole status")
_orders("why", "Why the box charges or does not")
_saves("ledger", "Copy the ledger, for `wallbox ledger verify`,")
_saves("trace", "Copy the trace")


@_console.command("self-test")
def self_test(
    port: PortOption, keys: KeysOption = KEYS,
    only: Annotated[str, typer.Option(help="Names of tests with blanks between.")] = "",
    tap_s: Annotated[int, typer.Option(min=0, max=60, help="Wait so long for a tag.")] = 0,
    open_s: Annotated[int, typer.Option(min=0, max=60, help="Wait so long for the lids.")] = 0,
    contactor: Annotated[bool, typer.Option("--contactor", help="Close it for a moment.")] = False,
    as_json: JsonOption = False, lang: LangOption = "en", no_color: ColorOption = False,
) -> None:
    """Test the box's parts. Exit code 0: all passed. 3: no answer. 4: no key. 5: something failed.
    """
    arguments: dict[str, Any] = {"tap_s": tap_s, "open_s": open_s, "contactor": contactor}
    if only:
        arguments["only"] = only
    _order("self-test", arguments, port, keys, as_json, lang, no_color)


@_console.command("seal")
def seal(
    numbers: Annotated[list[str], typer.Argument(help="Numbers of the new seals.")],
    port: PortOption, keys: KeysOption = KEYS, as_json: JsonOption = False,
    lang: LangOption = "en", no_color: ColorOption = False,
) -> None:
    """New seals are on. Exit code 0: armed. 3: no answer. 4: no key. 5: a loop is open."""
    _order("seal", {"numbers": " ".join(numbers)}, port, keys, as_json, lang, no_color)


@_console.command("network")
def network(
    settings: Annotated[
        list[str], typer.Argument(help="KEY=VALUE, as wifi.ssid=home; a secret is asked for: KEY=.")
    ],
    port: PortOption, keys: KeysOption = KEYS, as_json: JsonOption = False,
    lang: LangOption = "en", no_color: ColorOption = False,
) -> None:
    """Change Wi-Fi, broker or clock; all of it or nothing. `restart` makes it take effect.

    Exit code 0: stored. 2: wrong options. 3: no answer. 4: no key. 5: a value is wrong.
    """
    _order("network", {"values": _values(settings)}, port, keys, as_json, lang, no_color)


@_console.command("decommission")
def decommission(
    port: PortOption,
    reason: Annotated[str, typer.Option(help="One of docs/CODES.md.")] = "dismounted",
    keys: KeysOption = KEYS, as_json: JsonOption = False, lang: LangOption = "en",
    no_color: ColorOption = False,
) -> None:
    """End the box's service, no more; `wallbox decommission` also saves its ledger and wipes it.

    Exit code 0: after the final register. 3: no answer. 4: no key. 5: refused.
    """
    _order("decommission", {"reason": reason}, port, keys, as_json, lang, no_color)


@_console.command("restart")
def restart(
    port: PortOption, keys: KeysOption = KEYS,
    force: Annotated[bool, typer.Option("--force", help="Also while somebody charges.")] = False,
    as_json: JsonOption = False, lang: LangOption = "en", no_color: ColorOption = False,
) -> None:
    """An orderly restart. Exit code 0: it restarts. 3: no answer. 4: no key. 5: refused."""
    _order("restart", {"force": force}, port, keys, as_json, lang, no_color)


@_console.command("crash")
def crash(
    port: PortOption, keys: KeysOption = KEYS,
    clear: Annotated[bool, typer.Option("--clear", help="Forget a latched failure.")] = False,
    as_json: JsonOption = False, lang: LangOption = "en", no_color: ColorOption = False,
) -> None:
    """The last traceback of the firmware. Exit code 0: told. 3: no answer. 4: no key."""
    _order("clear-fault" if clear else "crash", {}, port, keys, as_json, lang, no_color)


def _values(settings: list[str]) -> dict[str, object]:
    """A secret never comes from the command line, where others could read it."""
    found: dict[str, object] = {}
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals:
            raise typer.BadParameter(f"{setting}: right is KEY=VALUE")
        if key in _SECRET:
            if value:
                raise typer.BadParameter(f"{key}: leave it empty ({key}=), it is asked for")
            value = typer.prompt(key, hide_input=True, default="", show_default=False)
        found[key] = int(value) if value.isdigit() and not key.endswith("ssid") and (
            key.endswith(("port", "keep_alive_s"))) else value
    return found


def _order(
    verb: str, arguments: dict[str, Any], port: str, keys: Path, as_json: bool, lang: str,
    no_color: bool,
) -> None:
    from host.provisioning.outcome import refused
    from host.provisioning.texts import _

    with speaking(lang, no_color, as_json):
        line, _serial = logged_in(port, keys)
        with line:
            answer = line.order(verb, arguments, 150.0, lambda part: _show(part, as_json))
        if as_json:
            say_json({name: value for name, value in answer.items() if name not in ("to", "n")})
        elif answer.get("info"):
            say(str(answer["info"]))
        if answer["status"] not in _TAKEN:
            raise refused(_("the box does not take {order}", order=verb),
                          str(answer.get("info") or answer["status"]),
                          _("put it right, then repeat the command"), str(answer.get("field", "")))
        if answer.get("failed"):
            raise typer.Exit(5)


def _save(
    ring: str, path: Path, port: str, keys: Path, as_json: bool, lang: str, no_color: bool
) -> None:
    from rich.progress import Progress

    from host.provisioning.export import pull_ring
    from host.provisioning.files import write_whole
    from host.provisioning.outcome import unusable
    from host.provisioning.texts import _

    with speaking(lang, no_color, as_json):
        line, serial = logged_in(port, keys)
        with line, Progress(console=error, transient=True, disable=as_json) as bar:
            task = bar.add_task(ring, total=1.0)
            pulled = pull_ring(line, ring, lambda part: bar.update(task, completed=part))
        try:
            write_whole(path, pulled.data)
        except OSError as wrong:
            raise unusable(_("{file} cannot be written", file=path), str(wrong),
                           _("name another file")) from None
        if as_json:
            say_json({"file": str(path), "serial": serial, "bytes": len(pulled.data),
                      "sequence": pulled.sequence, "acknowledged": pulled.acknowledged})
        else:
            say(_("{file}: {bytes} bytes, newest record {sequence}", file=path,
                  bytes=len(pulled.data), sequence=pulled.sequence))


def _show(told: dict[str, Any], as_json: bool) -> None:
    if as_json:
        say_json(told)
        return
    if "result" in told:
        tail = f"  → {told['do']}" if told.get("do") and told["result"] != "pass" else ""
        say(f"{told['result']:<5} {told['name']:<16} {told.get('measured') or ''}{tail}")
        return
    for name, value in told.items():
        if isinstance(value, dict):
            for inner, shown in value.items():
                say(f"{name}.{inner}: {shown}")
        else:
            say(f"{name}: {value}")
