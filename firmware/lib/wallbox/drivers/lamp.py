"""The lamp: one RGB light, a colour and a rhythm for each state."""

# colour (red, green, blue), ms lit, ms dark; index = core/status.py
PATTERNS = (
    ((0, 1, 0), 1000, 0),  # Available: steady green
    ((0, 0, 1), 500, 500),  # Preparing: blue, slow
    ((0, 0, 1), 1000, 0),  # Charging: steady blue
    ((1, 1, 0), 500, 500),  # SuspendedEVSE: yellow, slow
    ((0, 0, 1), 100, 1900),  # SuspendedEV: blue, a flash now and then
    ((0, 1, 0), 250, 250),  # Finishing: green, quick
    ((1, 1, 0), 1000, 0),  # Unavailable: steady yellow
    ((1, 0, 0), 250, 250),  # Faulted: red, quick
)


class Lamp:
    """red, green, blue: output Pins, 1 = lit."""

    def __init__(self, red, green, blue):
        self._pins = (red, green, blue)
        self._pattern = PATTERNS[7]
        self._lit = -1

    def show(self, status: int) -> None:
        self._pattern = PATTERNS[status]
        self._lit = -1

    def service(self, now: int) -> None:
        """Call every 50 ms or so."""
        colour, lit_ms, dark_ms = self._pattern
        lit = 1 if now % (lit_ms + dark_ms) < lit_ms else 0
        if lit != self._lit:
            self._lit = lit
            for index in range(3):
                self._pins[index].value(colour[index] & lit)
