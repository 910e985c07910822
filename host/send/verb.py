"""Makes a sub-command of a function: the box before it, the options of all verbs behind it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import typer
from typer.core import TyperGroup

from host.send.options import MINUTES_10_S, opened

EXIT_CODES = (
    "Exit code 0: Accepted, Scheduled or RebootRequired. 1: the box refuses (Rejected, Failed, "
    "VersionMismatch, NotSupported). 2: wrong options. 3: the broker cannot be reached or "
    "refuses. 4: the key store or a file is unusable. 5: no answer in time; the box may still "
    "take the command."
)
_OWN = ("box", "verb_valid_s")  # parameters of `opened` that are no options

_common = [
    parameter
    for name, parameter in inspect.signature(opened, eval_str=True).parameters.items()
    if name not in _OWN
]
_COMMON_NAMES = {parameter.name for parameter in _common}


class VerbGroup(TyperGroup):
    """BOX, then a verb; the help of a verb needs no box."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] in self.commands and "--help" in args:
            args = ["BOX", *args]
        return super().parse_args(ctx, args)


def verb(
    app: typer.Typer, name: str, valid_s: int = MINUTES_10_S
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Registers `function(order, its own options)` as the sub-command `name`.

    `valid_s`: how long its commands may be taken, unless --valid-for says otherwise.
    """

    def add(function: Callable[..., None]) -> Callable[..., None]:
        def command(ctx: typer.Context, **values: Any) -> None:
            common = {one: values.pop(one) for one in list(values) if one in _COMMON_NAMES}
            with opened(ctx.obj, valid_s, **common) as order:
                function(order, **values)

        own = list(inspect.signature(function, eval_str=True).parameters.values())[1:]
        context = inspect.Parameter(
            "ctx", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context
        )
        parameters = [
            context,
            *(one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in (*own, *_common)),
        ]
        command.__name__ = function.__name__
        command.__doc__ = function.__doc__
        command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        command.__annotations__ = {one.name: one.annotation for one in parameters}
        app.command(name, epilog=f"May be taken for {_span(valid_s)}. {EXIT_CODES}")(command)
        return function

    return add


def _span(seconds: int) -> str:
    if seconds >= 86_400:
        return f"{seconds // 86_400} days"
    return f"{seconds // 60} minutes"
