"""The command line tool `wallbox`: one job a command, each in its own file.

A job's file holds `register(app)`, which adds its commands; what is heavy to import is imported
when the command runs, so that `wallbox --help` answers at once.
"""

from __future__ import annotations

import importlib

import typer

from host.console import run_with_output

JOBS = (
    "host.demo.command",
    "host.collect.command",
    "host.send.command",
    "host.ledger.command",
    "host.keys_command",
    "host.provisioning.command",
    "host.replay.timeline_command",
    "host.replay.publish_command",
    "host.fleet.command",
    "host.figures.command",
    "host.bench.command",
    "host.replay.command",
    "host.years.command",
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


for _job in JOBS:
    importlib.import_module(_job).register(app)


def main() -> None:
    """Entry of the console script."""
    run_with_output(app)


if __name__ == "__main__":
    main()
