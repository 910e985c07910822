"""What a step says when it cannot go on: what happened, why, and what to do next."""

from __future__ import annotations

from host.provisioning.texts import _

EXIT_UNREACHABLE = 3  # no port, no box, no answer
EXIT_UNUSABLE = 4  # a file or directory
EXIT_REFUSED = 5  # the box or a check says no
EXIT_WAITING = 6  # all is well so far; something of somebody else is missing
EXIT_INTERRUPTED = 130  # Ctrl-C, or the terminal went away


class Stopped(Exception):
    """A step ended without success: `what`, `why` and `action` are sentences for people.

    `code` is the command's exit code, `field` names the field of a file that is wrong.
    """

    def __init__(self, what: str, why: str, action: str, code: int, field: str = "") -> None:
        super().__init__(what, why, action)
        self.what = what
        self.why = why
        self.action = action
        self.code = code
        self.field = field
        self.busy = False  # a port that another program has open

    def __str__(self) -> str:
        return f"{self.what}: {self.why}; {self.action}"

    def as_dict(self) -> dict[str, object]:
        told = {"what": self.what, "why": self.why, "action": self.action, "code": self.code}
        return {**told, "field": self.field} if self.field else told


class NoAnswer(Stopped):
    """The port is there and can be used, and nobody speaks the console's language at it."""


def refused(what: str, why: str, action: str, field: str = "") -> Stopped:
    """A check says no."""
    return Stopped(what, why, action, EXIT_REFUSED, field)


def unreachable(what: str, why: str, action: str) -> Stopped:
    """The box cannot be talked to."""
    return Stopped(what, why, action, EXIT_UNREACHABLE)


def unusable(what: str, why: str, action: str, field: str = "") -> Stopped:
    """A file or directory is missing or wrong."""
    return Stopped(what, why, action, EXIT_UNUSABLE, field)


def waiting(what: str, why: str, action: str) -> Stopped:
    """Somebody else has to do something first."""
    return Stopped(what, why, action, EXIT_WAITING)


def interrupted() -> Stopped:
    """Somebody ended the command."""
    return Stopped(_("the command was interrupted"),
                   _("Ctrl-C was pressed, or the terminal closed"),
                   _("repeat the command: it looks at the box and goes on"), EXIT_INTERRUPTED)
