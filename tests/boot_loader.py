"""The boot loader that the real esptool talks to, as patient as a chip is.

The package's server hangs up three seconds after a file was written, while esptool writes the
next one, and ends a reading whose acknowledgement takes 50 ms; a chip does neither.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from esp32_mock_bootloader import server

from tests.mosquitto import wait_until

PATIENCE_S = 600.0
PATIENCE = ("_FLASH_END_IDLE_SEC", "_CLIENT_RECV_TIMEOUT")
_RUN = (
    "import sys\n"
    "from esp32_mock_bootloader import cli, server\n"
    f"for name in {PATIENCE}:\n setattr(server, name, {PATIENCE_S})\n"
    "sys.exit(cli.main(sys.argv[1:]))\n"
)


@contextmanager
def boot_loader(folder: Path, chip: str = "esp32") -> Iterator[str]:
    """The URL of a chip's boot loader, for esptool's `--port`."""
    assert all(hasattr(server, name) for name in PATIENCE)
    port_file = folder / "boot-loader-port"
    words = ["run", "--port", "0", "--chip", chip, "--port-file", str(port_file)]
    log = (folder / "boot-loader.log").open("wb")
    with log, subprocess.Popen([sys.executable, "-c", _RUN, *words], stdout=log,
                               stderr=log) as process:
        try:
            wait_until(lambda: port_file.exists() and port_file.read_text(), 30, "boot loader")
            yield f"socket://127.0.0.1:{port_file.read_text()}"
        finally:
            process.kill()
