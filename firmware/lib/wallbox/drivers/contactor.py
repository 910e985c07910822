"""The contactor's coil and its auxiliary contact. Open is the safe side; a reset opens it too."""


class Contactor:
    """coil: output Pin, 1 = closed. feedback: input Pin, closed_level while contacts are closed."""

    def __init__(self, coil, feedback, closed_level: int):
        self._coil = coil
        self._feedback = feedback
        self._closed_level = closed_level
        coil.value(0)

    def set(self, closed: int) -> None:
        self._coil.value(closed)

    def closed(self) -> int:
        """1 if the main contacts are closed, as the auxiliary contact reports."""
        return 1 if self._feedback.value() == self._closed_level else 0
