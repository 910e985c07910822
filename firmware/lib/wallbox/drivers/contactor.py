"""The contactor's coil and its auxiliary contact. Open is the safe side; a reset opens it too."""


class Contactor:
    """coil: output Pin, 1 = closed. feedback: input Pin, 0 = main contacts closed."""

    def __init__(self, coil, feedback):
        self._coil = coil
        self._feedback = feedback
        coil.value(0)

    def set(self, closed: int) -> None:
        self._coil.value(closed)

    def closed(self) -> int:
        """1 if the main contacts are closed, as the auxiliary contact reports."""
        return 0 if self._feedback.value() else 1
