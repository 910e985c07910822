"""The command line tool `wallbox`: one command a job, each in its own folder.

A folder's `command.py` holds `register(app)`, which adds its commands.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys

import typer

JOBS = (
    "host.collect.command",
    "host.ledger.command",
    "host.demo.command",
    "host.figures.command",
    "host.sim.command",
)

app = typer.Typer(
    name="wallbox",
    help="A metering wallbox, and the operator's tools for it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback()
def _root() -> None:
    """A metering wallbox, and the operator's tools for it."""


def _present(module: str) -> bool:
    package = module.rpartition(".")[0]
    return importlib.util.find_spec(package) is not None and (
        importlib.util.find_spec(module) is not None
    )


for _module in JOBS:
    if _present(_module):
        importlib.import_module(_module).register(app)


def main() -> None:
    """Entry of the console script. An interrupt from the keyboard ends with exit code 130."""
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
