"""Drawings and wiring table of docs/hil.md, from the relays: `python -m hw.bench.drawing`."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from hw.bench.config import BenchConfig
from hw.bench.wiring import INPUTS, NORMALLY_CLOSED, RELAYS, Relay

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

DOCS = Path(__file__).resolve().parent.parent.parent / "docs"
PAGE = DOCS / "hil.md"
BEGIN, END = "<!-- python -m hw.bench.drawing -->\n", "<!-- end -->\n"
STYLE = (
    "text{font:14px sans-serif;fill:#111}.s{font-size:12px;fill:#555}"
    ".w,.b{fill:none;stroke:#111;stroke-width:2}.b{fill:#f4f4f0}"
)


class Drawing:
    """A page of lines, boxes and texts; pixels from the upper left corner."""

    def __init__(self, width: int, height: int, title: str) -> None:
        self._parts: list[str] = []
        self._head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
            f'width="{width}" height="{height}" role="img">\n'
            f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n"
            f'<rect width="{width}" height="{height}" fill="#fff"/>\n'
        )

    def wire(self, *points: tuple[float, float]) -> None:
        line = " ".join(f"{x:g},{y:g}" for x, y in points)
        self._parts.append(f'<polyline class="w" points="{line}"/>')

    def box(self, x: float, y: float, width: float, height: float) -> None:
        place = f'x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}"'
        self._parts.append(f'<rect class="b" rx="3" {place}/>')

    def text(self, x: float, y: float, text: str, small: bool = False, anchor: str = "") -> None:
        kind = ' class="s"' if small else ""
        align = f' text-anchor="{anchor}"' if anchor else ""
        self._parts.append(f'<text x="{x:g}" y="{y:g}"{kind}{align}>{escape(text)}</text>')

    def dot(self, x: float, y: float) -> None:
        self._parts.append(f'<circle cx="{x:g}" cy="{y:g}" r="3.5" fill="#111"/>')

    def contact(self, x: float, y: float, closed: bool) -> float:
        """A switch of 50 px from (x, y) to the right; returns its right end."""
        self.dot(x + 8, y)
        self.dot(x + 42, y)
        self.wire((x, y), (x + 8, y))
        self.wire((x + 8, y), (x + 42, y) if closed else (x + 38, y - 16))
        self.wire((x + 42, y), (x + 50, y))
        return x + 50

    def resistor(self, x: float, y: float, ohm: int) -> float:
        """60 px to the right; returns its right end."""
        self.wire((x, y), (x + 10, y))
        self.box(x + 10, y - 8, 40, 16)
        self.wire((x + 50, y), (x + 60, y))
        self.text(x + 30, y + 24, in_ohm(ohm), small=True, anchor="middle")
        return x + 60

    def svg(self) -> str:
        return self._head + "\n".join(self._parts) + "\n</svg>\n"


def in_ohm(ohm: int) -> str:
    return f"{ohm} Ω" if ohm < 1000 else f"{ohm / 1000:.2f} kΩ"


def relays() -> str:
    """Each relay by itself, as it is while its coil is off."""
    rows = [*RELAYS.items(), *INPUTS.items()]
    page = Drawing(860, 70 + 56 * len(rows), "Relays of the bench, all coils off")
    page.text(20, 30, "All coils off, the box's contactor open. NO: open then; NC: closed then.")
    for row, (name, relay) in enumerate(rows):
        y = 80 + 56 * row
        page.box(20, y - 18, 190, 36)
        page.text(32, y + 5, name)
        page.text(200, y + 5, relay.contact, small=True, anchor="end")
        page.text(226, y - 8, relay.ends[0], small=True)
        page.wire((210, y), (440, y))
        x = page.contact(440, y, relay.contact == NORMALLY_CLOSED)
        if relay.ohm:
            x = page.resistor(x, y, relay.ohm)
        page.wire((x, y), (830, y))
        page.text(828, y - 8, relay.ends[1], small=True, anchor="end")
    return page.svg()


def pilot() -> str:
    """The car that the relays make between CP and PE."""
    branches = [(name, relay) for name, relay in RELAYS.items() if relay.ohm]
    page = Drawing(760, 170 + 70 * len(branches), "The car between CP and PE")
    page.text(20, 30, "The car: diode and resistors of IEC 61851-1; all coils off")
    bottom = 130 + 70 * len(branches)
    page.text(30, 85, "CP")
    page.wire((30, 95), (140, 95))
    _diode(page, 140, 95)
    page.wire((180, 95), (260, 95), (260, 130 + 70 * (len(branches) - 1)))
    page.dot(110, 95)
    page.wire((110, 95), (110, 60), (130, 60))
    right = page.contact(130, 60, False)
    page.wire((right, 60), (230, 60), (230, 95))
    page.dot(230, 95)
    page.text(240, 58, "diode_bridge", small=True)
    for number, (name, relay) in enumerate(branches):
        _branch(page, 260, 130 + 70 * number, name, relay)
    page.wire((640, 130), (640, bottom))
    page.dot(60, 95)
    page.wire((60, 95), (60, bottom), (300, bottom))
    right = page.contact(300, bottom, False)
    page.wire((right, bottom), (720, bottom))
    page.text(300, bottom - 26, "pilot_short", small=True)
    page.dot(640, bottom)
    page.text(700, bottom - 10, "PE")
    return page.svg()


def _branch(page: Drawing, x: float, y: float, name: str, relay: Relay) -> None:
    page.dot(x, y)
    page.wire((x, y), (340, y))
    right = page.contact(340, y, False)
    page.text(340, y - 26, name, small=True)
    right = page.resistor(right + 30, y, relay.ohm)
    page.wire((390, y), (420, y))
    page.wire((right, y), (640, y))
    page.dot(640, y)


def _diode(page: Drawing, x: float, y: float) -> None:
    """Anode to the left, 40 px."""
    page.wire((x, y), (x + 12, y))
    page.wire((x + 12, y - 10), (x + 12, y + 10), (x + 28, y), (x + 12, y - 10))
    page.wire((x + 28, y - 10), (x + 28, y + 10))
    page.wire((x + 28, y), (x + 40, y))
    page.text(x + 20, y + 28, "car's diode", small=True, anchor="middle")


def overview() -> str:
    """Who is connected with whom."""
    page = Drawing(860, 430, "The bench")
    page.box(20, 60, 200, 340)
    page.text(36, 88, "test machine")
    for line, text in enumerate(("pytest --box --bench", "mosquitto", "collector", "the meter")):
        page.text(36, 116 + 22 * line, text, small=True)
    page.box(640, 60, 200, 340)
    page.text(656, 88, "box")
    middle = (
        ("USB isolator", "USB", "USB socket (console)"),
        ("relay board", "USB, Modbus RTU", "pilot, seals, contactor"),
        ("RS-485 adapter", "USB", "A, B: bus of the meter"),
        ("access point", "Ethernet", "Wi-Fi: broker, time"),
        ("supply contactor", "by the relay board", "supply of the box"),
    )
    for row, (name, left, right) in enumerate(middle):
        y = 60 + 70 * row
        page.box(360, y, 140, 46)
        page.text(430, y + 28, name, anchor="middle")
        page.wire((220, y + 23), (360, y + 23))
        page.wire((500, y + 23), (640, y + 23))
        page.text(290, y + 15, left, small=True, anchor="middle")
        page.text(570, y + 15, right, small=True, anchor="middle")
    page.text(20, 34, "The contactor's main contacts are an electrician's work; all else is low "
                      "voltage.")
    return page.svg()


DRAWINGS: dict[str, Callable[[], str]] = {
    "hil-overview.svg": overview,
    "hil-pilot.svg": pilot,
    "hil-relays.svg": relays,
}


def wiring_table(config: BenchConfig) -> str:
    """The relays and inputs of a bench, and the box's pins behind them, in Markdown."""
    assert config.relays
    board: Any = importlib.import_module(f"hw.boards.{config.box.board}")
    lines = ["| name | number | contact | wiring | the box's pin |", "|---|---|---|---|---|"]
    rows = [
        *((f"coil {config.relays.coils[name]}", name, RELAYS[name]) for name in RELAYS
          if name in config.relays.coils),
        *((f"input {config.relays.inputs[name]}", name, INPUTS[name]) for name in INPUTS
          if name in config.relays.inputs),
    ]
    for number, name, relay in rows:
        pin = f"`{relay.pin}`, GPIO{board.PINS[relay.pin][0]}" if relay.pin else ""
        lines.append(f"| `{name}` | {number} | {relay.contact} | {relay.wiring} | {pin} |")
    return "\n".join(lines) + "\n"


def page(text: str) -> str:
    """docs/hil.md with the table of the bench.toml that it shows."""
    tables = tomllib.loads(text.partition("```toml\n")[2].partition("```")[0])
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    return head + BEGIN + wiring_table(BenchConfig.model_validate(tables)) + END + tail


def main() -> None:
    for name, draw in DRAWINGS.items():
        (DOCS / name).write_text(draw(), encoding="utf-8")
    written = page(PAGE.read_text(encoding="utf-8"))
    PAGE.write_text(written, encoding="utf-8")


if __name__ == "__main__":
    main()
