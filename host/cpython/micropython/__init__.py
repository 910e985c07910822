"""What the firmware's shared modules import from `micropython`, for CPython.

On the box these come from the interpreter. Here constants are plain values, native code is
plain Python, and the heap cannot be locked: that is proved on the real interpreter.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

_Value = TypeVar("_Value")
_Function = TypeVar("_Function", bound=Callable[..., Any])

_lock_depth = 0


def const(value: _Value) -> _Value:
    """The value itself; the MicroPython compiler folds it into the byte code."""
    return value


def native(function: _Function) -> _Function:
    """The function itself; on the box it becomes machine code."""
    return function


def viper(function: _Function) -> _Function:
    """The function itself; on the box it becomes machine code with integer types."""
    return function


def opt_level(level: int | None = None) -> int:
    """Always 0: asserts and line numbers are kept."""
    return 0


def heap_lock() -> int:
    """Count the locks; nothing is locked on CPython. Returns the depth."""
    global _lock_depth
    _lock_depth += 1
    return _lock_depth


def heap_unlock() -> int:
    """Undo one `heap_lock`. Returns the depth that is left."""
    global _lock_depth
    assert _lock_depth > 0, "heap_unlock without heap_lock"
    _lock_depth -= 1
    return _lock_depth


def heap_locked() -> int:
    """The depth of `heap_lock`."""
    return _lock_depth


def schedule(function: Callable[[Any], None], argument: Any) -> None:
    """Call at once: CPython has no interrupt context to leave first."""
    function(argument)


def alloc_emergency_exception_buf(size: int) -> None:
    """Nothing to reserve on CPython."""


def kbd_intr(character: int) -> None:
    """Nothing to disable on CPython."""
