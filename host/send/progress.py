"""A progress bar on standard error, for people only."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from host.console import error


@contextlib.contextmanager
def bar(what: str, total: int, quiet: bool) -> Iterator[Callable[[int], None]]:
    """Hands out a function that takes how much is done; nothing is drawn in a pipe."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    hidden = quiet or not error.is_terminal
    with Progress(*columns, console=error, transient=True, disable=hidden) as progress:
        task = progress.add_task(what, total=total)
        yield lambda done: progress.update(task, completed=done)
