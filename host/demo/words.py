"""The words behind a verb of the free story, as arguments; ValueError says what to type."""

from __future__ import annotations

POWER_MAX_W = 25_000  # a phase; the sub-meters go to 100 A
SEALS = ("lid", "terminal_cover")
UID_BYTES = (4, 7, 10)  # ISO/IEC 14443-3
SSID_BYTES_MAX = 32


def none(behind: list[str]) -> tuple[()]:
    if behind:
        raise ValueError(f"takes nothing behind it, not {' '.join(behind)!r}")
    return ()


def load(behind: list[str]) -> tuple[list[int] | None]:
    """W of L1, L2, L3, or None for `off`."""
    if behind == ["off"]:
        return (None,)
    if len(behind) != 3 or not all(_is_decimal(text) for text in behind):
        raise ValueError("type the W of L1, L2 and L3, like 1000 1000 1000, or off")
    power_w = [int(text) for text in behind]
    if max(power_w) > POWER_MAX_W:
        raise ValueError(f"at most {POWER_MAX_W} W a phase, not {max(power_w)}")
    return (power_w,)


def seal(behind: list[str]) -> tuple[str]:
    """The seal's name; without a word, the lid."""
    name = " ".join(behind) or SEALS[0]
    if name not in SEALS:
        raise ValueError(f"no seal is called {name!r}; there are {' and '.join(SEALS)}")
    return (name,)


def names(behind: list[str]) -> tuple[str, ...]:
    """Any number of names of networks."""
    if any(len(name.encode()) > SSID_BYTES_MAX for name in behind):
        raise ValueError(f"a network's name has at most {SSID_BYTES_MAX} bytes")
    return tuple(behind)


def uid(behind: list[str]) -> tuple[bytes]:
    """A tag's UID, typed in hex."""
    try:
        (text,) = behind
        found = bytes.fromhex(text)
    except ValueError:
        raise ValueError("type the tag's UID in hex, like 04a1b2c3") from None
    if len(found) not in UID_BYTES:
        raise ValueError(f"a UID has 4, 7 or 10 bytes, not {len(found)}")
    return (found,)


def _is_decimal(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 9
