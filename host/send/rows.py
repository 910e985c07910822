"""Tables that people write: CSV with a header; an error names file, line, column and value."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

LINE_CHARACTERS_MAX = 1000


class FileWrong(Exception):
    """One line: file, line, column, value, and what is right."""


@dataclass(frozen=True)
class Row:
    """One line of a table; a column that is not there reads as ""."""

    path: Path
    line: int
    values: dict[str, str]

    def __getitem__(self, column: str) -> str:
        return self.values.get(column, "")

    def wrong(self, column: str, value: str, right: str) -> FileWrong:
        """What to raise about a value; `value` is shown shortened."""
        shown = repr(value[:40]) if value else "nothing"
        return FileWrong(f"{self.path}: line {self.line}, column {column}: {shown}; {right}")

    def integer(self, column: str, most: int) -> int:
        """A whole number from 0, which an empty value is. Raises FileWrong."""
        text = self[column] or "0"
        if not (text.isascii() and text.isdigit()) or int(text[:20]) > most:
            raise self.wrong(column, text, f"right is a whole number from 0 to {most}")
        return int(text)

    def milliamperes(self, column: str, most_a: int) -> int:
        """A current in A, in mA; an empty value is 0. Raises FileWrong."""
        text = self[column] or "0"
        whole, _, part = text.partition(".")
        digits = whole + part
        if not (digits.isascii() and digits.isdigit() and whole) or len(digits) > 8:
            raise self.wrong(column, text, f"right is a current in A, as 16 or 7.5, to {most_a}")
        current_ma = int(whole) * 1000 + int(part[:3].ljust(3, "0"))
        if current_ma > most_a * 1000 or part[3:].strip("0"):
            raise self.wrong(column, text, f"right is 0 to {most_a} A, to the mA")
        return current_ma

    def choice(self, column: str, choices: dict[str, int]) -> int:
        """The number of a name; an empty value is the first one's. Raises FileWrong."""
        text = self[column] or next(iter(choices))
        if text not in choices:
            raise self.wrong(column, text, f"right is one of {', '.join(choices)}")
        return choices[text]


def read_rows(
    path: Path, required: set[str], known: tuple[str, ...], rows_max: int
) -> Iterator[Row]:
    """The lines of a table in UTF-8. Raises FileWrong, also for columns that are not known."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield from _rows(path, file, required, known, rows_max)
    except OSError as error:
        raise FileWrong(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise FileWrong(f"{path}: byte {error.start} is not UTF-8; save it as UTF-8") from None


def _rows(
    path: Path, file: TextIO, required: set[str], known: tuple[str, ...], rows_max: int
) -> Iterator[Row]:
    reader = csv.reader(_lines(path, file))
    header = [name.strip() for name in next(reader, [])]
    right = f"right are {', '.join(known)}"
    if not any(header):
        raise FileWrong(f"{path}: line 1: it names no columns; {right}")
    for name in header:
        if name not in known or header.count(name) > 1:
            shown = repr(name[:40])
            raise FileWrong(f"{path}: line 1, column {shown} is not known or twice; {right}")
    if not required <= set(header):
        missing = ", ".join(sorted(required - set(header)))
        raise FileWrong(f"{path}: line 1: the column {missing} is missing; {right}")
    count = 0
    for fields in reader:
        if not any(field.strip() for field in fields):
            continue
        count += 1
        if count > rows_max:
            raise FileWrong(f"{path}: line {reader.line_num}: more than {rows_max} rows")
        if len(fields) != len(header):
            raise FileWrong(
                f"{path}: line {reader.line_num}: {len(fields)} values for {len(header)} columns"
            )
        values = {name: field.strip() for name, field in zip(header, fields, strict=True)}
        yield Row(path, reader.line_num, values)


def _lines(path: Path, file: TextIO) -> Iterator[str]:
    number = 0
    while line := file.readline(LINE_CHARACTERS_MAX + 1):
        number += 1
        if len(line) > LINE_CHARACTERS_MAX:
            raise FileWrong(f"{path}: line {number}: more than {LINE_CHARACTERS_MAX} characters")
        if "\0" in line:
            raise FileWrong(f"{path}: line {number}: a NUL; save it as UTF-8 text")
        yield line
