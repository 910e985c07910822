"""The rules that a log was decided by: this tree's, or those of another revision, found by git.

A core imports nothing but its own files, by relative imports, so any number of them can be loaded
into one process, each under a name of its own.
"""

from __future__ import annotations

import importlib
import importlib.util
import io
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import wallbox.core

from host.image import FIRMWARE, core_hash
from host.replay.lane import BESIDE

MODULES = ("engine", "events", "decisions", "fields", "leases", "state", "refusals", "clock")
REVISIONS_MAX = 300  # that are searched for a hash
_CORE = "lib/wallbox/core"
_GIT_TIMEOUT_S = 60


class NoCore(Exception):
    """There are no such rules here; says what to do."""


@dataclass(frozen=True)
class Core:
    """Rules in a folder. `name`: a revision, or "" for this tree's."""

    folder: Path
    hash: bytes
    name: str = ""

    @property
    def said(self) -> str:
        return self.name or "this tree"

    def load(self) -> ModuleType:
        """The package, with MODULES imported. Raises NoCore, also for rules that are too old."""
        if not self.name:
            package = "wallbox.core"
        else:
            package = f"wallbox_core_{self.hash.hex()}"
            if package not in sys.modules:
                _import(package, self.folder)
        try:
            for module in MODULES:
                importlib.import_module(f"{package}.{module}")
            state = sys.modules[package].engine.State()
            missing = [name for name in BESIDE if not hasattr(state, name)]
        except Exception as error:  # rules under work may be wrong in any way
            raise NoCore(f"the rules of {self.said} cannot be played: {error}") from None
        if missing:
            raise NoCore(
                f"the rules of {self.said} cannot be played: they are too old to take over "
                f"snapshots, their state has no {', '.join(missing)}; name a newer revision"
            )
        return sys.modules[package]

    @property
    def layout(self) -> str:
        """The fields of its state, as a log keeps them."""
        state = self.load().state
        return f"{state.LASTING},{state.FLEETING}"


def of_tree() -> Core:
    """The rules that this very program has."""
    folder = Path(wallbox.core.__file__).parent
    return Core(folder, core_hash(folder))


def of_folder(folder: Path, name: str) -> Core:
    """Rules of a folder `core`, for instance changed ones. Raises NoCore."""
    if not (folder / "engine.py").is_file():
        raise NoCore(f"{folder}: no core, there is no engine.py; name the folder firmware/{_CORE}")
    return Core(folder, core_hash(folder), name)


@contextmanager
def of_revision(revision: str) -> Iterator[Core]:
    """The rules of a git revision, or of a folder with rules. Raises NoCore."""
    path = Path(revision)
    if (path / "engine.py").is_file():
        yield of_folder(path, str(path))
        return
    with tempfile.TemporaryDirectory(prefix="wallbox-core-") as name:
        yield _extract(_commit(revision), Path(name), revision)


def find(wanted: bytes) -> str:
    """The newest revision, of all branches, whose rules have the hash; "": git finds none."""
    told = _git("log", "--all", "--format=%h", "-n", str(REVISIONS_MAX), "--", f"firmware/{_CORE}")
    seen = set()
    for revision in told.decode().split() if told else ():
        tree = _git("rev-parse", f"{revision}:firmware/{_CORE}")
        if tree is None or tree in seen:
            continue
        seen.add(tree)
        with tempfile.TemporaryDirectory(prefix="wallbox-core-") as name:
            if _extract(revision, Path(name), revision).hash == wanted:
                return revision
    return ""


def _commit(revision: str) -> str:
    told = _git("rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
    if not told:
        raise NoCore(
            f"{revision}: no revision that git knows here, and no folder with rules; "
            "run this in a clone of the project, or name a folder"
        )
    return told.decode().strip()


def _extract(commit: str, folder: Path, name: str) -> Core:
    packed = _git("archive", "--format=tar", commit, "--", f"firmware/{_CORE}")
    if packed is None:
        raise NoCore(f"{name}: this revision has no firmware/{_CORE}; name another one")
    with tarfile.open(fileobj=io.BytesIO(packed)) as files:
        for member in files.getmembers():
            target = (folder / member.name).resolve()
            content = files.extractfile(member) if member.isfile() else None
            if content is not None and folder.resolve() in target.parents:
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content.read())
    return of_folder(folder / "firmware" / _CORE, name)


def _git(*words: str) -> bytes | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(FIRMWARE.parent), *words],
            capture_output=True, timeout=_GIT_TIMEOUT_S, check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def _import(package: str, folder: Path) -> None:
    spec = importlib.util.spec_from_file_location(
        package, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    if spec is None or spec.loader is None:
        raise NoCore(f"{folder}: no package; name another folder")
    module = importlib.util.module_from_spec(spec)
    sys.modules[package] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[package]
        raise NoCore(f"{folder}: these rules cannot be loaded: {error}") from None
