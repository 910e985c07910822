"""The lamp: one RGB light, a colour and a rhythm for each state; docs/lamp.md has the table."""

from micropython import const

# colours: bit 0 red, 1 green, 2 blue
_RED = const(1)
_GREEN = const(2)
_YELLOW = const(3)
_BLUE = const(4)
_WHITE = const(7)

# colour, ms lit, ms dark; a line a pattern of core/status.py
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
    _RED, 1000, 0,  # a broken seal: steady red
    _YELLOW, 100, 1900,  # suspended or on hold: yellow, a flash now and then
    _WHITE, 500, 500,  # waits for a tag: white, slow
    _WHITE, 250, 250,  # waits for the car: white, quick
)
# fmt: on
_FAULTED = const(7)
_ANSWER_MS = const(900)
_BLINK_MS = const(150)


class Lamp:
    """red, green, blue: output Pins, 1 = lit."""

    def __init__(self, red, green, blue):
        self._pins = (red, green, blue)
        self._lit = -1
        self._answer = 0
        self._answered_at = -1  # -1: not yet
        self.test = -1  # a colour that is shown instead of all else, for a self-test
        self.show(_FAULTED)

    def show(self, pattern: int) -> None:
        self._at = 3 * pattern

    def answer(self, accepted: bool) -> None:
        """To a tap, for a moment: a long green light, or three red flashes."""
        self._answer = _GREEN if accepted else _RED
        self._answered_at = -1

    def service(self, now: int) -> None:
        """Call every 50 ms or so."""
        colour = self._answering(now) if self._answer else self._shown(now)
        if self.test >= 0:
            colour = self.test
        if colour != self._lit:
            self._lit = colour
            for index in range(3):
                self._pins[index].value(colour >> index & 1)

    def _answering(self, now: int) -> int:
        """The colour of the answer, then of the pattern again."""
        if self._answered_at < 0:
            self._answered_at = now
        for_ms = now - self._answered_at
        if for_ms >= _ANSWER_MS:
            self._answer = 0
            return self._shown(now)
        dark = self._answer == _RED and for_ms // _BLINK_MS % 2
        return 0 if dark else self._answer

    def _shown(self, now: int) -> int:
        lit_ms = _PATTERNS[self._at + 1]
        lit = now % (lit_ms + _PATTERNS[self._at + 2]) < lit_ms
        return _PATTERNS[self._at] if lit else 0
