"""Ctrl-C on its way to the running code of the simulated chip.

The chip schedules the KeyboardInterrupt and raises it between two instructions.  The unix
interpreter raises it at once, also out of a garbage collection, after which its heap stays
locked.  So the wish is put into memory that both sides see, and the chip's own modules raise it
when they are next called; only code that calls none of them for seconds gets the signal.
"""

from __future__ import annotations

import asyncio
import mmap
import os
import re
import signal
import time
from collections.abc import Callable
from pathlib import Path

LOOK_AGAIN_S = 0.01
PATIENCE_S = 3.0


class Interrupt:
    """One wish at a time; lives in the world's thread."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        nudge: Callable[[], None],
        settled: Callable[[bool], None],
    ) -> None:
        """`nudge` wakes a waiting chip; `settled` hears whether code was interrupted."""
        self._loop = loop
        self._nudge = nudge
        self._settled = settled
        self.descriptor = os.memfd_create("ctrl-c")
        os.ftruncate(self.descriptor, mmap.PAGESIZE)
        self._wish = mmap.mmap(self.descriptor, mmap.PAGESIZE)
        self._look = loop.call_later(0, lambda: None)
        self.pid: int | None = None
        self.pending = False

    def begin(self, pid: int) -> None:
        """Ctrl-C was typed to the interpreter of this process; `settled` follows."""
        self.pid = pid
        self.pending = True
        self._deadline = self._loop.time() + PATIENCE_S
        self._wish[0] = 0
        self._step(first=True)

    def forget(self) -> None:
        """The interpreter is gone, and what was typed to it with it."""
        self._look.cancel()
        self._wish[0] = 0
        self.pending = False

    def _step(self, first: bool = False) -> None:
        pid = self.pid
        assert pid is not None
        try:
            os.kill(pid, signal.SIGSTOP)
        except ProcessLookupError:
            self.forget()
            return
        try:
            verdict = self._judge(pid, first)
        finally:
            os.kill(pid, signal.SIGCONT)
        if verdict is None:
            if first:
                self._nudge()
            self._look = self._loop.call_later(LOOK_AGAIN_S, self._step)
        else:
            self.pending = False
            self._settled(verdict)

    def _judge(self, pid: int, first: bool) -> bool | None:
        """With the interpreter stopped: True interrupted, False at a prompt, None not yet."""
        catches = self._catches(pid)
        if first:
            self._wish[0] = catches
        elif not self._wish[0]:
            return True
        if not catches:
            self._wish[0] = 0
            return False
        if self._loop.time() >= self._deadline:
            self._wish[0] = 0
            os.kill(pid, signal.SIGINT)
            return True
        return None

    def _catches(self, pid: int) -> bool:
        """Whether the stopped interpreter runs code, and would turn SIGINT into an exception."""
        for _ in range(2000):
            status = Path(f"/proc/{pid}/status").read_text()
            if re.search(r"^State:\s+[TZ]", status, re.MULTILINE):
                break
            time.sleep(0.00005)
        caught = re.search(r"^SigCgt:\s+(\w+)", status, re.MULTILINE)
        return caught is not None and bool(int(caught[1], 16) >> (signal.SIGINT - 1) & 1)

    def close(self) -> None:
        self.forget()
        self._wish.close()
        os.close(self.descriptor)
