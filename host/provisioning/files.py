"""Files that are there whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path


def write_whole(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Replace the file at once, durable on return: a power cut leaves the old or the new one.

    A link is followed; a device or a pipe, as /dev/null, is written to. Raises OSError.
    """
    if _is_special(path):
        path.write_bytes(data)
        return
    path = path.resolve()
    part, descriptor = _open_part(path, mode)
    try:
        with open(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    if os.name == "posix":
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def try_writing(path: Path) -> None:
    """Raises the OSError that `write_whole` would, before the work whose result is written."""
    if _is_special(path):
        return
    part, descriptor = _open_part(path.resolve(), 0o600)
    os.close(descriptor)
    part.unlink()


def _is_special(path: Path) -> bool:
    return path.exists() and not path.is_file() and not path.is_dir()


def _open_part(path: Path, mode: int) -> tuple[Path, int]:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    return part, os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
