"""`python -m host.years`: as `wallbox sim`."""

from __future__ import annotations

import typer

from host.console import run_with_output
from host.years.command import sim

if __name__ == "__main__":
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(sim)
    run_with_output(lambda: app(prog_name="python -m host.years"))
