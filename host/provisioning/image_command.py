"""`wallbox image build`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from host.provisioning.options import ColorOption, JsonOption, LangOption, say, say_json, speaking

_image = typer.Typer(help="The flash image of a box.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    app.add_typer(_image, name="image")


@_image.callback()
def _root() -> None:
    """The flash image of a box."""


@_image.command("build")
def build(
    manifest: Annotated[Path, typer.Argument(help="TOML: micropython, sha256, board.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Where the image goes.")] = Path(
        "wallbox.bin"
    ),
    without_rom: Annotated[
        bool,
        typer.Option("--without-rom", help="Take a MicroPython that cannot run in place (tests)."),
    ] = False,
    as_json: JsonOption = False,
    lang: LangOption = "en",
    no_color: ColorOption = False,
) -> None:
    """Make one flash image from the MicroPython that the manifest pins and this firmware.

    Same input, same bytes. Exit code 0: made. 2: wrong options. 4: a file is unusable.
    5: MicroPython is not the pinned one, or none for this box.
    """
    from dataclasses import asdict

    from host.image import ImageError
    from host.provisioning import flash_image
    from host.provisioning.manifest import read_manifest, read_micropython
    from host.provisioning.outcome import unusable
    from host.provisioning.texts import _

    with speaking(lang, no_color, as_json):
        pinned = read_manifest(manifest)
        data = read_micropython(pinned, manifest.resolve().parent)
        try:
            built = flash_image.build(data, pinned.board, not without_rom)
            flash_image.save(built, output)
        except (OSError, ImageError) as wrong:
            raise unusable(_("{file} cannot be written", file=output), str(wrong),
                           _("name another file, or look at the manifest")) from None
        about = asdict(built.about)
        if as_json:
            say_json({"file": str(output), **about})
            return
        say(_("{file}: firmware {firmware}, MicroPython {micropython}, SHA-256 {sha256}",
              file=output, **{k: about[k] for k in ("firmware", "micropython", "sha256")}))
