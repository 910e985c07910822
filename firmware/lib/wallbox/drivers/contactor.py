"""The contactor's coil and its auxiliary contact. Open is the safe side; a reset opens it too."""


class Contactor:
    """coil: output Pin, 1 = closed. feedback: input Pin, closed_level while contacts are closed."""

    def __init__(self, coil, feedback, closed_level: int):
        self._coil = coil
        self._feedback = feedback
        self._closed_level = closed_level
        self._commanded = 0
        self._tripped = False
        coil.value(0)

    def set(self, closed: int) -> None:
        self._commanded = closed
        self._coil.value(0 if self._tripped else closed)
        if self._tripped:  # by an interrupt in between
            self._coil.value(0)

    def trip(self) -> None:
        """Opens, and stays open whatever is commanded, until release(). Safe in an interrupt."""
        self._tripped = True
        self._coil.value(0)

    def release(self) -> None:
        """The core knows why: from now on its command counts again."""
        self._tripped = False
        self.set(self._commanded)

    def closed(self) -> int:
        """1 if the main contacts are closed, as the auxiliary contact reports."""
        return 1 if self._feedback.value() == self._closed_level else 0
