"""`wallbox devices`."""

from __future__ import annotations

from typing import Annotated

import typer

from host.console import out
from host.provisioning.options import ColorOption, JsonOption, LangOption, say, say_json, speaking


def register(app: typer.Typer) -> None:
    app.command("devices")(devices)


def devices(
    port: Annotated[
        list[str] | None, typer.Option("--port", help="Look here, whatever its USB id is.")
    ] = None,
    deep: Annotated[
        bool, typer.Option("--deep", help="Ask a silent chip's boot loader; resets it.")
    ] = False,
    as_json: JsonOption = False,
    lang: LangOption = "en",
    no_color: ColorOption = False,
) -> None:
    """List the serial ports that look like boxes, and what is at them.

    Exit code 0: something was found. 2: wrong options. 3: nothing was.
    """
    from concurrent.futures import ThreadPoolExecutor

    from host.provisioning.names import content_name, lifecycle_name
    from host.provisioning.outcome import unreachable
    from host.provisioning.ports import Device, candidates, look
    from host.provisioning.texts import _

    with speaking(lang, no_color, as_json):
        found = [Device(name) for name in port] if port else candidates()
        if not found:
            raise unreachable(_("no box was found"),
                              _("no serial port has the USB id of a box"),
                              _("plug the cable in; take one that carries data, many only charge; "
                                "or name the port with --port"))
        with ThreadPoolExecutor(len(found)) as pool:
            found = list(pool.map(lambda device: look(device, deep), found))
        if as_json:
            for device in found:
                say_json(device.as_dict())
            return
        from rich.table import Table

        table = Table(box=None, pad_edge=False)
        for title in (_("port"), "USB", _("content"), _("chip"), _("serial"), _("state"),
                      _("firmware")):
            table.add_column(title)
        for device in found:
            table.add_row(device.port, device.usb, content_name(device.content), device.chip,
                          device.serial, lifecycle_name(device.lifecycle),
                          device.firmware or device.python)
        out.print(table)
        for device in found:
            if device.note:
                say(f"{device.port}: {device.note}")
