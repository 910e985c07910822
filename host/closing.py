"""A context that ends what it has started, the newest first, once, whatever goes wrong."""

from __future__ import annotations

from contextlib import ExitStack
from types import TracebackType
from typing import TypeVar

Own = TypeVar("Own", bound="Closing")


class Closing:
    """`ending` takes the ends (`ending.callback(part.stop)`) as their parts come.

    All of them are called even if one of them, or `_start`, raises.
    """

    def __init__(self) -> None:
        self.ending = ExitStack()

    def _start(self) -> None:
        """What `with` begins with."""

    def __enter__(self: Own) -> Own:
        try:
            self._start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends everything; may be called twice."""
        self.ending.close()
