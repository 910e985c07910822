"""`wallbox decommission` and `wallbox reuse`: the end of a life at a customer, and a new one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from host.provisioning.options import (
    KEYS,
    ColorOption,
    JsonOption,
    KeysOption,
    LangOption,
    PortOption,
    say,
    say_json,
    speaking,
)

FolderOption = Annotated[
    Path, typer.Option("--journal", help="Journal and exported ledgers go here.")
]
FOLDER = Path("provisioning")


def register(app: typer.Typer) -> None:
    app.command("decommission")(decommission)
    app.command("reuse")(reuse)


def decommission(
    port: PortOption,
    keys: KeysOption = KEYS,
    folder: FolderOption = FOLDER,
    keep_keys: Annotated[
        bool, typer.Option("--keep-keys", help="The box stays the operator's: leave its key.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: JsonOption = False,
    lang: LangOption = "en",
    no_color: ColorOption = False,
) -> None:
    """Take a box out: final register, ledger delivered or saved and verified, then customer data
    and keys wiped. The ledger stays on the box.

    Exit code 0: done. 2: wrong options, or not confirmed. 3: no answer. 4: no key, or a file is
    unusable. 5: the box refuses, or the ledger does not verify. Repeat it to go on.
    """
    from host.provisioning.returning import decommission as run
    from host.provisioning.texts import _

    with speaking(lang, no_color, as_json):
        if not yes:
            if as_json or not typer.confirm(_("Take this box out of service for good?")):
                raise typer.BadParameter("not confirmed; --yes answers")
        told = run(port, keys, folder, not keep_keys)
        if as_json:
            say_json(told)
        else:
            say(_("{serial} is decommissioned: {ledger}; customer data wiped",
                  serial=told["serial"], ledger=told["ledger"]))


def reuse(
    port: PortOption,
    keys: KeysOption = KEYS,
    folder: FolderOption = FOLDER,
    as_json: JsonOption = False,
    lang: LangOption = "en",
    no_color: ColorOption = False,
) -> None:
    """Prepare a returned box for its next customer: its key back from the key store, lifecycle
    back to factory, its ledger goes on.

    Exit code 0: ready for `wallbox provision`. 2: wrong options. 3: no answer. 4: no key. 5: the
    box is not decommissioned, or refuses.
    """
    from host.provisioning.returning import reuse as run
    from host.provisioning.texts import _

    with speaking(lang, no_color, as_json):
        told = run(port, keys, folder)
        if as_json:
            say_json(told)
        else:
            say(_("{serial} is ready for `wallbox provision`", serial=told["serial"]))
