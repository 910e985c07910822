"""`wallbox keys`."""

from __future__ import annotations

from typing import Annotated

import typer

from host.broker_options import KEYS, KeysOption
from host.console import EXIT_UNUSABLE, fail, out
from host.keys import KeyStore, KeyStoreError

_keys = typer.Typer(help="The key store: one secret a box, never printed.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    app.add_typer(_keys, name="keys")


@_keys.command("new")
def new(
    box: Annotated[str, typer.Argument(help="Serial of the box.")], keys: KeysOption = KEYS
) -> None:
    """Make a random key for a box that has none; makes the key store if there is none.

    Exit code 0: made. 4: the box has a key, the serial is not one, or the store is unusable.
    """
    try:
        if not keys.exists():
            keys.mkdir(mode=0o700)
        store = KeyStore(keys)
        store.create(box)
    except (KeyStoreError, OSError) as error:
        fail(str(error), EXIT_UNUSABLE)
    out.print(str(store.path(box)), highlight=False, markup=False, soft_wrap=True)


@_keys.command("list")
def list_keys(keys: KeysOption = KEYS) -> None:
    """Print the serials that have a key; a key that cannot be used is an error.

    Exit code 0: all are usable. 4: the store or a key is not.
    """
    try:
        store = KeyStore(keys)
        for serial in store.serials():
            store.load(serial)
            out.print(serial, highlight=False, markup=False)
    except KeyStoreError as error:
        fail(str(error), EXIT_UNUSABLE)
