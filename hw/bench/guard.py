"""The relays, at rest at both ends; a child process sees to it where their user cannot.

The child holds the read end of a pipe. Its parent writes a byte when the relays are at rest; if the
pipe closes without it, the child puts them to rest. It leaves terminal signals to the parent.
"""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from types import TracebackType

from host.provisioning.outcome import Stopped
from hw.bench.config import BenchConfig
from hw.bench.relays import RelayBoard, Traffic, put_to_rest

TRIES = 20
PAUSE_S = 0.5
WAIT_S = 5.0
_DONE = b"."


class Guard:
    """A context: whoever is killed in it, or leaves it before `at_rest`, leaves relays at rest."""

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

    def at_rest(self) -> None:
        """There is nothing left to do for it."""
        assert self._process and self._process.stdin
        with contextlib.suppress(OSError):
            self._process.stdin.write(_DONE)
            self._process.stdin.flush()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._process and self._process.stdin
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):  # it goes on trying
            self._process.wait(WAIT_S)


@contextlib.contextmanager
def guarded_relays(
    config: BenchConfig, on_traffic: Traffic = lambda who, data: None
) -> Iterator[RelayBoard]:
    """The relay board, at rest when it begins and when it ends. Raises `Stopped` if it cannot be;
    in the end the guard then goes on trying for a while, as it does for a process that is killed.
    """
    assert config.relays
    mains_on = config.mains.at_rest == "on"
    board = RelayBoard(config.relays, on_traffic)
    try:
        board.rest(mains_on)
    except BaseException:
        board.close()
        raise
    with Guard(config) as guard, contextlib.closing(board):
        try:
            yield board
        finally:
            board.rest(mains_on)
            guard.at_rest()


@contextlib.contextmanager
def terminated_in_order() -> Iterator[None]:
    """SIGTERM ends what is inside as Ctrl-C does, so that the rig is left safe."""

    def end(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt("SIGTERM")

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def main() -> int:
    """0: the relays are at rest. 1: they may not be."""
    config = BenchConfig.model_validate_json(sys.stdin.buffer.readline())
    if sys.stdin.buffer.read(1) == _DONE:
        return 0
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
