"""What a person or a program sees of the work: the same steps as a screen, as JSON, as one line."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable
from typing import Protocol, TypeVar

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from host.provisioning.box_words import in_words
from host.provisioning.names import line_name
from host.provisioning.outcome import waiting
from host.provisioning.texts import _

T = TypeVar("T")
_STYLES = {"pass": "green", "fail": "bold red", "skip": "yellow", "wait": "bold"}
RESULTS = ("pass", "fail", "skip", "wait")


class Screen(Protocol):
    def step(self, number: int, of: int, title: str) -> None: ...

    def progress(self, part: float) -> None: ...

    def done(self, text: str) -> None: ...

    def tell(self, text: str) -> None: ...

    def line(self, name: str, result: str, measured: str, do: str) -> None: ...

    def ask(self, question: str, field: str, parse: Callable[[str], T]) -> T:
        """Raises Stopped where nobody can answer. `parse` raises ValueError with what is right."""

    def close(self) -> None: ...


class PersonScreen:
    """Steps with a bar and the time left, questions at the terminal."""

    def __init__(self, console: Console, may_ask: bool) -> None:
        self._console = console
        self._may_ask = may_ask
        self._bar: Progress | None = None
        self._task: TaskID | None = None

    def step(self, number: int, of: int, title: str) -> None:
        self.close()
        self._print(f"[{number}/{of}] {title}", "bold")

    def progress(self, part: float) -> None:
        if self._bar is None:
            self._bar = Progress(
                TextColumn("      "), BarColumn(40), TextColumn("{task.percentage:3.0f} %"),
                TimeRemainingColumn(), console=self._console, transient=True,
            )
            self._task = self._bar.add_task("", total=1.0)
            self._bar.start()
        assert self._task is not None
        self._bar.update(self._task, completed=part)

    def done(self, text: str) -> None:
        self.close()
        self._print(f"      {text}", "green")

    def tell(self, text: str) -> None:
        self.close()
        self._print(f"      {text}")

    def line(self, name: str, result: str, measured: str, do: str) -> None:
        self.close()
        measured, do = in_words(measured), in_words(do)
        tail = f"  → {do}" if do and result != "pass" else ""
        text = f"{result_word(result):<9} {line_name(name):<18} {measured}{tail}"
        self._print(f"      {text}", _STYLES.get(result, ""))

    def ask(self, question: str, field: str, parse: Callable[[str], T]) -> T:
        if not self._may_ask:
            raise _nobody_asked(question, field)
        self.close()
        while True:
            text = typer.prompt(f"      {question}", err=False)
            try:
                return parse(str(text).strip())
            except ValueError as error:
                self._print(f"      {_('right is {what}', what=error)}", "yellow")

    def close(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = self._task = None

    def _print(self, text: str, style: str = "") -> None:
        self._console.print(text, style=style, highlight=False, markup=False, soft_wrap=True)


class JsonScreen:
    """One JSON object a line; nobody is asked. May be shared by several boxes."""

    _lock = threading.Lock()

    def __init__(self, port: str) -> None:
        self._port = port
        self._step = 0
        self._percent = -1

    def step(self, number: int, of: int, title: str) -> None:
        self._step, self._percent = number, -1
        self._say("step", of=of, title=title)

    def progress(self, part: float) -> None:
        if int(part * 100) // 5 != self._percent:
            self._percent = int(part * 100) // 5
            self._say("progress", part=round(part, 2))

    def done(self, text: str) -> None:
        self._say("done", text=text)

    def tell(self, text: str) -> None:
        self._say("note", text=text)

    def line(self, name: str, result: str, measured: str, do: str) -> None:
        self._say("line", name=name, result=result, measured=measured, do=do)

    def ask(self, question: str, field: str, parse: Callable[[str], T]) -> T:
        raise _nobody_asked(question, field)

    def close(self) -> None:
        pass

    def _say(self, what: str, **fields: object) -> None:
        told = {"event": what, "port": self._port, "step": self._step, **fields}
        with self._lock:
            sys.stdout.write(json.dumps(told, ensure_ascii=False) + "\n")
            sys.stdout.flush()


class ShelfScreen:
    """One line of many: `changed` is called with the text that the line now has."""

    def __init__(self, changed: Callable[[str, float], None]) -> None:
        self._changed = changed
        self._text = ""
        self._begin, self._share = 0.0, 0.1

    def step(self, number: int, of: int, title: str) -> None:
        self._text = f"[{number}/{of}] {title}"
        self._begin, self._share = (number - 1) / of, 1 / of
        self._changed(self._text, self._begin)

    def progress(self, part: float) -> None:
        self._changed(self._text, self._begin + part * self._share)

    def done(self, text: str) -> None:
        self._changed(self._text, self._begin + self._share)

    def tell(self, text: str) -> None:
        pass

    def line(self, name: str, result: str, measured: str, do: str) -> None:
        if result in ("fail", "wait"):
            self._changed(f"{self._text}: {line_name(name)}: {in_words(do)}", self._begin)

    def ask(self, question: str, field: str, parse: Callable[[str], T]) -> T:
        raise _nobody_asked(question, field)

    def close(self) -> None:
        pass


def result_word(result: str) -> str:
    """`pass`, `fail`, `skip`, `wait` in the chosen language."""
    words = {"pass": _("pass"), "fail": _("fail"), "skip": _("skipped"), "wait": _("waits")}
    return words.get(result, result)


def _nobody_asked(question: str, field: str) -> Exception:
    return waiting(_("an answer is missing: {question}", question=question),
                   _("nobody is asked with --yes, --json or --all"),
                   _("write {field} into the order, then repeat the command", field=field))
