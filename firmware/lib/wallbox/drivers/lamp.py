"""The lamp: one RGB light, a colour and a rhythm for each state."""

from micropython import const

_RED = const(1)
_GREEN = const(2)
_YELLOW = const(3)
_BLUE = const(4)

# colour, ms lit, ms dark; a line a state of core/status.py
# fmt: off
_PATTERNS = (
    _GREEN, 1000, 0,  # Available: steady green
    _BLUE, 500, 500,  # Preparing: blue, slow
    _BLUE, 1000, 0,  # Charging: steady blue
    _YELLOW, 500, 500,  # SuspendedEVSE: yellow, slow
    _BLUE, 100, 1900,  # SuspendedEV: blue, a flash now and then
    _GREEN, 250, 250,  # Finishing: green, quick
    _YELLOW, 1000, 0,  # Unavailable: steady yellow
    _RED, 250, 250,  # Faulted: red, quick
)
# fmt: on
_FAULTED = const(7)


class Lamp:
    """red, green, blue: output Pins, 1 = lit."""

    def __init__(self, red, green, blue):
        self._pins = (red, green, blue)
        self.show(_FAULTED)

    def show(self, status: int) -> None:
        self._at = 3 * status
        self._lit = -1

    def service(self, now: int) -> None:
        """Call every 50 ms or so."""
        lit_ms = _PATTERNS[self._at + 1]
        lit = 1 if now % (lit_ms + _PATTERNS[self._at + 2]) < lit_ms else 0
        if lit != self._lit:
            self._lit = lit
            for index in range(3):
                self._pins[index].value(_PATTERNS[self._at] >> index & lit)
