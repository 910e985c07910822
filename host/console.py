"""How every command speaks: results to standard output, one line of error, an exit code.

Exit codes: 0 done, 1 a bug, 2 wrong options, 3 a peer cannot be reached or refuses, 4 a file or
directory is unusable, 5 done, but something was refused, 130 ended by Ctrl-C before it was done. A
command that gives 1 or 5 another meaning says so in its help.
"""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Callable
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console

EXIT_UNREACHABLE = 3
EXIT_UNUSABLE = 4
EXIT_REFUSED = 5
EXIT_INTERRUPTED = 130

_PIPE_COLUMNS = 250  # a file or a pipe has no width to keep to


def _console(stderr: bool) -> Console:
    """Honours NO_COLOR and COLUMNS; writes no colours into a file or a pipe."""
    console = Console(stderr=stderr, emoji=False)  # 1:100: is a time here, and no picture
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = _PIPE_COLUMNS
    return console


out = _console(stderr=False)
error = _console(stderr=True)


def _plain(wanted: bool) -> bool:
    if wanted:
        out.no_color = error.no_color = True
    return wanted


ColorOption = Annotated[
    bool, typer.Option("--no-color", callback=_plain, help="No colours; as with NO_COLOR set.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")]


def fail(text: str, code: int) -> NoReturn:
    """Say in one line what is wrong, where and what to do, and end with `code`."""
    error.print(f"wallbox: {text}", style="red", highlight=False, markup=False, soft_wrap=True)
    raise typer.Exit(code)


def printable(text: str) -> str:
    """A text of somebody else without what a terminal would obey."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


class _Output(io.FileIO):
    """Standard output. Its reader may leave: the rest goes nowhere, and the command still does
    its work and ends with its own exit code. Any other trouble is told, and ends it."""

    lost = False

    def write(self, data: Any) -> int:
        if not self.lost:
            try:
                return super().write(data)
            except OSError as wrong:
                self.lost = True
                if wrong.errno != errno.EPIPE:
                    error.print(f"wallbox: standard output: {wrong.strerror}", style="red")
                    raise SystemExit(EXIT_UNUSABLE) from None
        return len(memoryview(data))


def run_with_output(command: Callable[[], object]) -> None:
    """Runs `command` with a standard output that a reader who leaves does not break."""
    before = sys.stdout
    if isinstance(before, io.TextIOWrapper):
        sys.stdout = io.TextIOWrapper(
            io.BufferedWriter(_Output(before.fileno(), "w", closefd=False)),
            encoding=before.encoding,
            errors="replace",  # an arrow is worth no crash on a terminal of another time
            line_buffering=before.line_buffering or before.write_through,
        )
    try:
        command()
    finally:
        if sys.stdout is not None:  # closed before it began
            sys.stdout.flush()
