"""The operator's key store: a directory with one secret a box, `<serial>.key`, 64 hex digits.

The key signs the box's ledger chain and the operator's acknowledgements and commands. Nobody but
the owner may read it: a file or directory that others can reach is refused, never repaired, since
a key that was readable may have been read.
"""

from __future__ import annotations

import os
import re
import secrets
import stat
from pathlib import Path

KEY_BYTES = 32
SERIAL_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}")
_SUFFIX = ".key"
_FILE_BYTES_MAX = 2 * KEY_BYTES + 2


class KeyStoreError(Exception):
    """One line: what is wrong, where, and what to do."""


class UnknownBox(KeyStoreError):
    """There is no key of this serial."""


def valid_serial(serial: str) -> bool:
    """True for 1 to 32 letters, digits, `-` and `_`, the first a letter or digit."""
    return SERIAL_PATTERN.fullmatch(serial) is not None


class KeyStore:
    """Reads and makes keys in a directory; what was read is kept until the file changes."""

    def __init__(self, directory: str | os.PathLike[str]) -> None:
        """Raises KeyStoreError if there is no such directory or others may enter it to write."""
        self.directory = Path(directory)
        try:
            mode = self.directory.stat().st_mode
        except OSError:
            raise KeyStoreError(
                f"{self.directory}: no such key store; make it with: mkdir -m 700 {self.directory}"
            ) from None
        if not stat.S_ISDIR(mode):
            raise KeyStoreError(f"{self.directory}: no directory; name the key store's directory")
        if mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise KeyStoreError(
                f"{self.directory}: others may write to the key store; "
                f"correct it with: chmod 700 {self.directory}"
            )
        self._known: dict[str, tuple[tuple[int, int, int], bytes]] = {}

    def path(self, serial: str) -> Path:
        """Where the key of a box lies. Raises KeyStoreError if the serial is not one."""
        if not valid_serial(serial):
            raise KeyStoreError(
                f"{serial[:40]!r} is no serial: 1 to 32 letters, digits, - and _ are allowed"
            )
        return self.directory / (serial + _SUFFIX)

    def load(self, serial: str) -> bytes:
        """The 32 bytes of a box's key. Raises UnknownBox, or KeyStoreError for a bad file."""
        path = self.path(serial)
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            self._known.pop(serial, None)
            raise UnknownBox(f"{path}: no key of box {serial}; put its key file there") from None
        except OSError as error:
            raise KeyStoreError(f"{path}: cannot be read: {error.strerror}") from None
        with open(descriptor, "rb") as file:
            found = os.fstat(descriptor)
            if found.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise KeyStoreError(
                    f"{path}: others may read this key; correct it with: chmod 600 {path}"
                )
            version = (found.st_ino, found.st_mtime_ns, found.st_size)
            known = self._known.get(serial)
            if known is not None and known[0] == version:
                return known[1]
            key = _parse(path, file.read(_FILE_BYTES_MAX + 1))
        self._known[serial] = (version, key)
        return key

    def create(self, serial: str, key: bytes | None = None) -> bytes:
        """Keep a new key (random unless given) and return it. A key that exists is never replaced.

        Raises KeyStoreError if the box has a key or the key is not 32 bytes.
        """
        path = self.path(serial)
        key = secrets.token_bytes(KEY_BYTES) if key is None else key
        if len(key) != KEY_BYTES:
            raise KeyStoreError(f"{path}: the key has {len(key)} bytes; {KEY_BYTES} are needed")
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except FileExistsError:
            raise KeyStoreError(
                f"{path}: box {serial} has a key; move the file away to replace it"
            ) from None
        except OSError as error:
            raise KeyStoreError(f"{path}: cannot be written: {error.strerror}") from None
        with open(descriptor, "wb") as file:
            file.write(key.hex().encode() + b"\n")
            file.flush()
            os.fsync(descriptor)
        return key

    def serials(self) -> list[str]:
        """The boxes that have a key file, sorted."""
        names = (path.name[: -len(_SUFFIX)] for path in self.directory.glob("*" + _SUFFIX))
        return sorted(name for name in names if valid_serial(name))


def _parse(path: Path, text: bytes) -> bytes:
    try:
        key = bytes.fromhex(text.decode("ascii").strip())
    except ValueError:
        key = b""
    if len(text) > _FILE_BYTES_MAX or len(key) != KEY_BYTES:
        raise KeyStoreError(f"{path}: not a key; the file must hold {2 * KEY_BYTES} hex digits")
    return key
