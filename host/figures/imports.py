"""What importing the MQTT client takes from the heap, beside two clients from PyPI."""

from __future__ import annotations

import importlib.util
import tempfile
from pathlib import Path

from host.figures.figure import Figure, on_box
from host.image import build_romfs, compile_module, firmware_files

MODULE = "wallbox.link.link"
_HEAP = "1000wK"
_NAMES = 700  # with these the table has room for all that an import adds
_PACKAGES = ("chumicro_mqtt", "chumicro_sockets", "chumicro_timing", "chumicro_config")
_PEERS = {
    # its sockets it loads when it connects
    "chumicro_mqtt": ("chumicro_mqtt", "chumicro_sockets.sockets_factory"),
    "aiomqttc": ("aiomqttc",),
}


def imports() -> list[Figure]:
    """The box runs its modules in place; a copy in RAM is for comparison, as the peers are."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        (directory / "box.romfs").write_bytes(build_romfs())
        for path, data in firmware_files().items():
            _put(directory / "ram" / path, data)
        rom, ram = directory / "box.romfs", directory / "ram" / "lib"
        in_place, copied = _taken(rom, (MODULE,)), _taken(ram, (MODULE,))
        bare = _taken(rom, (MODULE,), 0)
        figures = [
            Figure("importing the client, run in place as the box does", in_place, "B",
                   f"64 bit, without the interpreter's table of names, which doubles when it is"
                   f" full and is everybody's ({bare:,} B with it in a bare interpreter); by"
                   f" arithmetic {in_place // 2:,} B with the ESP32's words of 4 bytes: functions"
                   " and classes are pointers", most=8192),
            Figure("the same, byte code copied into RAM", copied, "B", "64 bit"),
        ]  # fmt: skip
        for peer, modules in _PEERS.items():
            if peer_packages(peer) is None:
                continue
            packages = _PACKAGES if peer == "chumicro_mqtt" else modules
            taken = _taken(_peer(directory / peer, packages), modules)
            note = f"64 bit, byte code copied into RAM; {taken / copied:.2f} times ours"
            figures.append(Figure(f"peer: {peer.replace('_', '-')}", taken, "B", note))
        return figures


def peer_packages(package: str) -> Path | None:
    """The folder in which a peer's package lies; None if it is not installed (extra "dev")."""
    found = importlib.util.find_spec(package)
    if found is None or found.origin is None:
        return None
    source = Path(found.origin)
    return source.parents[1] if source.name == "__init__.py" else source.parent


def _taken(place: Path, modules: tuple[str, ...], names: int = _NAMES) -> int:
    return int(on_box("imports.py", str(place), str(names), *modules, heap=_HEAP)["heap"])


def _peer(place: Path, packages: tuple[str, ...]) -> Path:
    """The packages as byte code, as a board gets them."""
    for package in packages:
        above = peer_packages(package)
        assert above is not None
        folder = above / package
        for path in sorted(folder.rglob("*.py")) or [folder.with_suffix(".py")]:
            name = path.relative_to(above)
            _put((place / name).with_suffix(".mpy"), compile_module(path, name.as_posix()))
    return place


def _put(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
