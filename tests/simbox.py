"""Small firmware trees on the simulated box, for the tests of the simulation itself."""

from __future__ import annotations

import contextlib
import textwrap
from collections.abc import Iterator
from pathlib import Path

from host import image
from hw.sim.box import Box


def flash_of(main: str, boot: str = "", **extra: str) -> bytes:
    """A flash image whose firmware is just these sources, and other files by name."""
    files = {"main.py": textwrap.dedent(main).encode(), "boot.py": textwrap.dedent(boot).encode()}
    files |= {name: text.encode() for name, text in extra.items()}
    empty = Path(__file__).parent / "no-firmware"
    return image.build_flash(
        None, serial="TEST-1", ledger_key=bytes(range(32)), tree=empty, files=files, rom=False
    )


@contextlib.contextmanager
def powered(main: str, boot: str = "", *, heap: str = "112wK", **files: str) -> Iterator[Box]:
    """A box that runs `main`; the power is on."""
    with Box(heap=heap) as box:
        box.flash(flash_of(main, boot, **files))
        box.power_on()
        yield box
    assert box.failure is None


def printed(main: str, **options: str) -> list[str]:
    """The lines that a main.py prints, which comes to its end."""
    with powered(main, **options) as box:
        box.wait_for(r"^>>> ")
        return box.log.text().partition("MicroPython ")[0].splitlines()
