"""The live picture of the scene in a terminal."""

from __future__ import annotations

from typing import Any

from rich.console import Group, RenderableType
from rich.layout import Layout
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from host.demo.scene import Scene

COLOURS = {"world": "yellow", "box": "cyan", "operator": "green"}
_LINES = 18


def picture(scene: Scene, hint: str = "") -> RenderableType:
    """Box and operator side by side, the log below; `hint` stands at the bottom."""
    layout = Layout()
    log = log_panel(scene)
    log.subtitle = hint or None
    layout.split_column(Layout(name="top", size=14), Layout(log, name="log"))
    layout["top"].split_row(Layout(_box_panel(scene)), Layout(_operator_panel(scene)))
    return layout


def _box_panel(scene: Scene) -> Panel:
    status: dict[str, Any] = scene.status if scene.world.electrics.mains else {}
    if not status:
        powered = scene.world.electrics.mains
        return Panel(Text("starting" if powered else "no power"), title="box")
    table = Table.grid(padding=(0, 2))
    online = "online" if status.get("online") else "offline"
    table.add_row("state", f"[bold]{status.get('state', '?')}[/] ({online})")
    table.add_row("refusals", ", ".join(status.get("refusals", [])) or "none")
    table.add_row("power", f"{status.get('power_w', 0) / 1000:.2f} kW")
    table.add_row("power L1 L2 L3", f"{_thousandths(status.get('power_phase_w'))} kW")
    table.add_row("current L1 L2 L3", f"{_thousandths(status.get('current_ma'))} A")
    table.add_row("register", _wh(status.get("register_wh")))
    session = status.get("session")
    table.add_row("session", _wh(session["energy_wh"]) if session else "none")
    ledger = status.get("ledger", {})
    table.add_row("ledger written", str(ledger.get("sequence", 0)))
    table.add_row("ledger acknowledged", str(ledger.get("acknowledged", 0)))
    table.add_row("clock, boot", f"{status.get('clock')}, {status.get('boot')}")
    table.add_row("heap free", f"{status.get('heap', {}).get('free', 0)} B")
    return Panel(table, title=f"box {status.get('serial', '')}, as it told last")


def _thousandths(values: list[int] | None) -> str:
    return "  ".join(f"{value / 1000:5.2f}" for value in values or ())


def _wh(energy_wh: int | None) -> str:
    return "not known" if energy_wh is None else f"{energy_wh} Wh"


def _operator_panel(scene: Scene) -> Panel:
    sums = scene.sums()
    table = Table.grid(padding=(0, 2))
    connected = scene.collector is not None and scene.collector.connected
    table.add_row("broker", "[green]connected[/]" if connected else "[red]away[/]")
    table.add_row("records stored", str(scene.told))
    if sums.totals:
        total = sums.totals[-1]
        table.add_row("intervals", f"{total.intervals}, {total.interval_wh} Wh")
        table.add_row("gaps", f"{total.gaps}, {total.gap_wh} Wh")
        table.add_row("last register", f"{total.last_register_wh} Wh")
    table.add_row("meter's display now", f"{scene.world.meter.register_wh()} Wh")
    return Panel(table, title="operator")


def log_panel(scene: Scene, lines: int = _LINES) -> Panel:
    shown = list(scene.log)[-lines:]
    return Panel(Group(*(log_line(*line) for line in shown)), title="what happened")


def log_line(at_s: float, who: str, text: str) -> Text:
    return Text.assemble((f"{at_s:6.1f} s  ", "dim"), (f"{who:<9}", COLOURS[who]), text)
