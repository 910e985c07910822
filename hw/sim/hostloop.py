"""One asyncio loop in a thread of its own, which plays everything around the box."""

from __future__ import annotations

import asyncio
import concurrent.futures
import sys
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")
CALL_TIMEOUT_S = 30.0
SWITCH_S = 0.0005  # between threads: with Python's 5 ms a world of several threads answers late


class HostLoop:
    """Runs functions and coroutines in the loop's thread for callers in other threads."""

    def __init__(self) -> None:
        sys.setswitchinterval(min(SWITCH_S, sys.getswitchinterval()))
        self.loop = asyncio.new_event_loop()
        self.loop.set_exception_handler(self._failed)
        self._errors: list[BaseException] = []
        self._thread = threading.Thread(target=self._run, name="world", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()
        self.loop.close()

    def _failed(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if error is not None and len(self._errors) < 10:
            self._errors.append(error)
        loop.default_exception_handler(context)

    def call(self, function: Callable[..., Result], *arguments: Any) -> Result:
        """Runs `function(*arguments)` in the loop's thread and gives its result."""
        if threading.current_thread() is self._thread:
            return function(*arguments)

        async def once() -> Result:
            return function(*arguments)

        return self.run(once())

    def run(
        self, coroutine: Coroutine[Any, Any, Result], timeout_s: float = CALL_TIMEOUT_S
    ) -> Result:
        """Runs a coroutine in the loop; `TimeoutError` when it takes longer than `timeout_s`."""
        if threading.current_thread() is self._thread:
            raise RuntimeError("a verb was called inside the world's own thread")
        future = asyncio.run_coroutine_threadsafe(coroutine, self.loop)
        try:
            return future.result(timeout_s)
        except concurrent.futures.TimeoutError:  # another class than TimeoutError in Python 3.10
            if future.done():
                raise
            future.cancel()
            raise TimeoutError(f"the simulated world took longer than {timeout_s} s") from None

    def close(self) -> None:
        """Cancels what still runs and ends the thread.  Raises what went wrong in a callback
        since the start, which nobody has seen yet."""

        async def cancel_all() -> None:
            others = [t for t in asyncio.all_tasks() if t is not asyncio.current_task()]
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)

        if self._thread.is_alive():
            self.run(cancel_all())
            self.loop.call_soon_threadsafe(self.loop.stop)
            self._thread.join(5)
        if self._errors:
            raise RuntimeError("the simulated world failed") from self._errors[0]
