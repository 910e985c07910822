"""The bench of the tag reader and the list of tags."""

from __future__ import annotations

import tempfile

from host.figures.figure import Figure, on_box

ACCESSES_MOST = 12
DECISION_MS_MOST = 12
MODULES = (
    *("drivers.mfrc522", "drivers.iso14443", "drivers.tagreader", "drivers.tags"),
    *("store.keyed", "store.taglist", "store.tagcounters"),
)
UPDATE = ("store.taglist_update", "store.tagmerge")
HEAP_NOTES = {
    "list object": "the list itself stays in flash",
    "look up": "left for the collector",
    "hash": "left for the collector; hash objects",
    "update under way": "buffers, given back at its end",
}


def tag() -> list[Figure]:
    """A tag from the reader to the core's event: chip's registers, air, LittleFS, 1,000 tags."""
    with tempfile.TemporaryDirectory() as directory:
        told = on_box("tag.py", f"{directory}/flash", ",".join(MODULES), heap="4M")
    empty, look_up = told["empty"], told["look up"]
    figures = [
        Figure("register accesses of an empty poll", empty["accesses"], "",
               f"{empty['spi_us']:.1f} us of SPI at 10 MHz; CPU {empty['cpu_us']} us with the "
               "simulated chip", most=ACCESSES_MOST),
    ]  # fmt: skip
    for name in ("4-byte", "7-byte", "10-byte"):
        one = told[name]
        modelled = (one["air_us"] + one["spi_us"] + one["flash_us"]) / 1000
        note = (
            f"air {one['air_us']} us, SPI {one['spi_us']} us in {one['transactions']} transfers, "
            f"flash {one['flash_us']} us"
        )
        figures += [
            Figure(f"{name} UID to decision, modelled", modelled, "ms", note,
                   most=DECISION_MS_MOST),
            Figure(f"{name} UID to decision, served in whole ms", one["served_ms"], "ms",
                   "up to 100 ms more until the next poll", most=DECISION_MS_MOST),
        ]  # fmt: skip
    figures.append(
        Figure("look-up among 1,000 tags, modelled flash time", look_up["flash_us"], "us",
               f"at most {look_up['longest_us']} us; {look_up['reads']:.1f} reads")
    )  # fmt: skip
    for name in ("full update", "changes"):
        one = told[name]
        what = "1,000 tags" if name == "full update" else "10 of 1,000 tags"
        figures += [
            Figure(f"{name}, {what}, modelled flash time", one["modelled_us"] / 1000, "ms",
                   f"{one['erases']} erases, {one['bytes_programmed']} B programmed"),
            Figure(f"{name}, longest step", one["longest_us"] / 1000, "ms",
                   f"{one['longest_erases']} erases at the most"),
        ]  # fmt: skip
    figures += [
        Figure("block one tag, modelled flash time", told["block_us"] / 1000, "ms"),
        Figure("mount and check, modelled flash time", told["mount_us"] / 1000, "ms"),
    ]
    notes = {
        **HEAP_NOTES,
        "modules": f"copied from source; {_byte_code(MODULES)} B as .mpy, run in place: in flash",
        "modules of an update": f"imported when one comes; {_byte_code(UPDATE)} B as .mpy",
    }
    figures += [
        Figure(f"heap: {name}", value, "B", notes.get(name, ""))
        for name, value in told["heap"].items()
    ]
    return figures


def _byte_code(names: tuple[str, ...]) -> int:
    from host.image import FIRMWARE, compile_module

    folder = FIRMWARE / "lib" / "wallbox"
    return sum(
        len(compile_module((folder / name.replace(".", "/")).with_suffix(".py"), name))
        for name in names
    )
