"""How every command speaks: results to standard output, one line of error, an exit code.

Exit codes: 0 done, 1 a bug, 2 wrong options, 3 a peer cannot be reached or refuses, 4 a file or
directory is unusable, 5 done, but something was refused.
"""

from __future__ import annotations

from typing import NoReturn

import typer
from rich.console import Console

EXIT_UNREACHABLE = 3
EXIT_UNUSABLE = 4
EXIT_REFUSED = 5

# both honour NO_COLOR, and no colours are written into a file or a pipe
out = Console()
error = Console(stderr=True)


def fail(text: str, code: int) -> NoReturn:
    """Say in one line what is wrong, where and what to do, and end with `code`."""
    error.print(f"wallbox: {text}", style="red", highlight=False, markup=False, soft_wrap=True)
    raise typer.Exit(code)
