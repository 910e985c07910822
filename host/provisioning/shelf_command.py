"""`wallbox provision --all`: which order goes to which box, and the table at the end."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from host.console import out
from host.provisioning.job import Job
from host.provisioning.journal import Journal
from host.provisioning.options import say_json
from host.provisioning.order import Order, read_order
from host.provisioning.outcome import Stopped, refused, unreachable
from host.provisioning.ports import Device, candidates, look
from host.provisioning.screen import JsonScreen, Screen, ShelfScreen
from host.provisioning.shelf import Result, provision_all
from host.provisioning.texts import _

Make = Callable[[str, Order, Screen], Job]


def shelf(
    ports: list[str] | None, orders: Path, folder: Path, until: str, as_json: bool, make: Make
) -> int:
    """The exit code. Raises Stopped if there is nothing to begin with."""
    from concurrent.futures import ThreadPoolExecutor

    found = [Device(name) for name in ports] if ports else candidates()
    if not found:
        raise unreachable(_("no box was found"), _("no serial port has the USB id of a box"),
                          _("plug the cable in; take one that carries data, many only charge; "
                            "or name the port with --port"))
    with ThreadPoolExecutor(len(found)) as pool:
        found = list(pool.map(lambda device: look(device, deep=True), found))
    chosen, left = assign(found, read_orders(orders), folder)
    results = left + (_json(chosen, until, make) if as_json else _screen(chosen, until, make))
    results.sort(key=lambda result: result.port)
    if as_json:
        for result in results:
            say_json({"event": "end", **result.as_dict()})
    else:
        _table(results)
    return max(result.code for result in results)


def read_orders(folder: Path) -> list[Order]:
    """The orders of a directory by file name, or the one file. Raises Stopped."""
    paths = sorted(folder.glob("*.toml")) if folder.is_dir() else [folder]
    found = [read_order(path) for path in paths]
    serials = [order.serial for order in found]
    for serial in serials:
        if serials.count(serial) > 1:
            raise refused(_("two orders have the serial {serial}", serial=serial),
                          _("each box has its own"), _("correct one of them"), "serial")
    return found


def assign(
    devices: list[Device], orders: list[Order], folder: Path
) -> tuple[list[tuple[str, Order]], list[Result]]:
    """Each box its order: by its serial, by its chip's journal, else the next that is free."""
    by_serial = {order.serial: order for order in orders}
    chosen: list[tuple[str, Order]] = []
    left: list[Result] = []
    fresh: list[Device] = []
    taken = _journals(folder)
    for device in devices:
        serial = device.serial or taken.get(device.chip, "")
        if device.content == "trouble":
            left.append(Result(device.port, "", 3, device.note))
        elif serial in by_serial:
            chosen.append((device.port, by_serial.pop(serial)))
        elif serial:
            left.append(Result(device.port, serial, 5, _("there is no order for this box")))
        else:
            fresh.append(device)
    free = [order for order in by_serial.values() if order.serial not in taken.values()]
    for device in fresh:
        if free:
            chosen.append((device.port, free.pop(0)))
        else:
            left.append(Result(device.port, "", 5, _("no order is left for this box")))
    return chosen, left


def _journals(folder: Path) -> dict[str, str]:
    found = {}
    for path in sorted((folder / "journal").glob("*.json")):
        try:
            serial = Journal(path.parent, path.stem).of("identity").get("serial")
        except (Stopped, ValueError):
            continue
        if serial:
            found[path.stem] = str(serial)
    return found


def _json(chosen: list[tuple[str, Order]], until: str, make: Make) -> list[Result]:
    return provision_all([make(port, one, JsonScreen(port)) for port, one in chosen], until)


def _screen(chosen: list[tuple[str, Order]], until: str, make: Make) -> list[Result]:
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.fields[name]}"), BarColumn(20), TimeRemainingColumn(),
               TextColumn("{task.description}"))
    with Progress(*columns, console=out) as progress:
        jobs = []
        lines = {}
        for port, one in chosen:
            task = lines[port] = progress.add_task("", total=1.0, name=f"{one.serial} {port}")

            def changed(text: str, part: float, task=task) -> None:  # type: ignore[no-untyped-def]
                progress.update(task, description=text, completed=part)

            jobs.append(make(port, one, ShelfScreen(changed)))

        def ended(result: Result) -> None:
            progress.update(lines[result.port], description=result.text or _("done"),
                            completed=1.0)

        return provision_all(jobs, until, ended)


def _table(results: list[Result]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for title in (_("port"), _("serial"), _("result")):
        table.add_column(title, overflow="fold")
    for result in results:
        text = result.text or _("done")
        table.add_row(result.port, result.serial, Text(text, "red" if result.code else "green"))
    out.print(table)
