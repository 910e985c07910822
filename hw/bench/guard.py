"""A child process that puts the relays to rest when its parent has died.

It holds the read end of a pipe. The parent writes a byte before it ends in good order; if the pipe
closes without it, the relays are put to rest. It leaves terminal signals to the parent.
"""

from __future__ import annotations

import subprocess
import sys
import time
from types import TracebackType

from host.provisioning.outcome import Stopped
from hw.bench.config import BenchConfig

TRIES = 20
PAUSE_S = 0.5
_DONE = b"."


class Guard:
    """A context; while it lasts, a parent that is killed leaves the relays at rest."""

    def __init__(self, config: BenchConfig) -> None:
        self._config = config
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Guard:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "hw.bench.guard"],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, start_new_session=True,
        )
        assert self._process.stdin
        self._process.stdin.write(self._config.model_dump_json().encode() + b"\n")
        self._process.stdin.flush()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._process and self._process.stdin
        try:
            self._process.stdin.write(_DONE)
            self._process.stdin.close()
            self._process.wait(5)
        except (OSError, subprocess.TimeoutExpired):
            self._process.kill()
            self._process.wait()


def main() -> int:
    """0: the parent ended in good order, or the relays are at rest. 1: they may not be."""
    config = BenchConfig.model_validate_json(sys.stdin.buffer.readline())
    if sys.stdin.buffer.read(1) == _DONE:
        return 0
    from hw.bench.relays import put_to_rest

    for _try in range(TRIES):
        try:
            put_to_rest(config)
            return 0
        except Stopped as stopped:
            print(f"bench: {stopped}", file=sys.stderr)
        time.sleep(PAUSE_S)
    return 1


if __name__ == "__main__":
    sys.exit(main())
