"""`wallbox keys`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from host.broker_options import KEYS, KeysOption
from host.console import EXIT_UNUSABLE, ColorOption, JsonOption, fail, out
from host.keys import KeyStore, KeyStoreError

_keys = typer.Typer(help="The key store: one secret a box, never printed.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    app.add_typer(_keys, name="keys")


@_keys.command("new")
def new(
    box: Annotated[str, typer.Argument(help="Serial of the box.")],
    keys: KeysOption = KEYS,
    as_json: JsonOption = False,
    no_color: ColorOption = False,
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
    _say(as_json, {"box": box, "file": str(store.path(box))}, [str(store.path(box))])


@_keys.command("list")
def list_keys(
    keys: KeysOption = KEYS, as_json: JsonOption = False, no_color: ColorOption = False
) -> None:
    """Print the serials that have a key; a key that cannot be used is an error.

    Exit code 0: all are usable. 4: the store or a key is not.
    """
    try:
        store = KeyStore(keys)
        serials = list(store.serials())
        for serial in serials:
            store.load(serial)
    except KeyStoreError as error:
        fail(str(error), EXIT_UNUSABLE)
    _say(as_json, {"boxes": serials}, serials)


@_keys.command("operator")
def operator(
    private: Annotated[Path, typer.Argument(help="New file that only you may read.")],
    public: Annotated[Path, typer.Argument(help="New file for the partners.")],
    as_json: JsonOption = False,
    no_color: ColorOption = False,
) -> None:
    """Make the operator's key pair: what partners seal with the public one, the private one opens.

    Exit code 0: made. 4: a file is there already, or cannot be written.
    """
    import os

    from host.provisioning.sealing import new_operator_key

    secret, told = new_operator_key()
    try:
        for path, data, mode in ((private, secret, 0o600), (public, told, 0o644)):
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
            with open(descriptor, "wb") as file:
                file.write(data)
    except OSError as error:
        fail(f"{path}: {error.strerror}; name new files", EXIT_UNUSABLE)
    _say(as_json, {"private": str(private), "public": str(public)}, [])


@_keys.command("unseal")
def unseal(
    sealed: Annotated[list[Path], typer.Argument(help="The .sealed files of partners.")],
    operator_key: Annotated[
        Path, typer.Option("--operator-key", help="Private key of `wallbox keys operator`.")
    ],
    keys: KeysOption = KEYS,
    as_json: JsonOption = False,
    no_color: ColorOption = False,
) -> None:
    """Take the keys of boxes that a partner has provisioned into the key store.

    A key that is there already is left alone; another one for the same serial is refused.
    Exit code 0: all are in the store. 4: a file or the store is unusable.
    """
    from host.keys import UnknownBox
    from host.provisioning.outcome import Stopped
    from host.provisioning.partner import read_secret
    from host.provisioning.sealing import read_envelope
    from host.provisioning.sealing import unseal as opened

    taken: list[str] = []
    try:
        if not keys.exists():
            keys.mkdir(mode=0o700)
        store = KeyStore(keys)
        secret = read_secret(operator_key, "operator_key")
        for path in sealed:
            envelope = read_envelope(path)
            key = opened(envelope, secret)
            try:
                if store.load(envelope.serial) != key:
                    fail(f"{path}: box {envelope.serial} has another key in {keys}; two boxes "
                         "cannot have one serial, look which one is right", EXIT_UNUSABLE)
            except UnknownBox:
                store.create(envelope.serial, key)
            taken.append(envelope.serial)
    except (KeyStoreError, Stopped, OSError) as error:
        fail(str(error), EXIT_UNUSABLE)
    finally:
        _say(as_json, {"boxes": taken}, taken)


def _say(as_json: bool, told: dict[str, Any], lines: list[str]) -> None:
    if as_json:
        out.print_json(json.dumps(told))
        return
    for line in lines:
        out.print(line, highlight=False, markup=False, soft_wrap=True)
