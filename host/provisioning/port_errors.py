"""What is wrong with a serial port, in words: permission, busy, gone, the wrong cable."""

from __future__ import annotations

import errno
import os
import sys

from host.provisioning.outcome import Stopped, unreachable
from host.provisioning.texts import _

_GONE = ("disconnected", "device not configured", "no such device", "input/output error")


def explain(port: str, error: BaseException | str) -> Stopped:
    """The error of opening or using a port, or the words of a program that tried."""
    text = str(error)
    number = getattr(error, "errno", None)
    what = _("{port} cannot be used", port=port)
    low = text.lower()
    if number == errno.EACCES or "permission denied" in low:
        action = _("enter the group `dialout` (sudo usermod -aG dialout $USER) and log in again")
        if sys.platform == "win32":
            action = _("close other programs that use the port")
        return unreachable(what, _("you have no permission for it"), action)
    if number in (errno.EBUSY, errno.EAGAIN) or "exclusively lock" in low or "in use" in low:
        stopped = unreachable(what, _("another program has it open"),
                              _("close terminal programs and editors that are connected to it"))
        stopped.busy = True
        return stopped
    if number in (errno.ENOENT, errno.ENXIO) or "no such file" in low or "no device" in low:
        return unreachable(what, _("there is no such port"),
                           _("plug the cable in; if `wallbox devices` shows nothing, take a cable "
                             "that carries data, many only charge"))
    if number in (errno.EIO, errno.ENODEV) or any(words in low for words in _GONE):
        return unreachable(what, _("the box went away"),
                           _("plug the cable in again, then repeat the command: it goes on where "
                             "it stopped"))
    return unreachable(what, text.strip().splitlines()[-1][:200] if text.strip() else "?",
                       _("look at port and cable, then repeat the command"))


def port_trouble(port: str) -> Stopped:
    """Why a program could not open the port, where it does not say so itself."""
    if not os.path.exists(port):
        return explain(port, FileNotFoundError(errno.ENOENT, "no such file"))
    if not os.access(port, os.R_OK | os.W_OK):
        return explain(port, PermissionError(errno.EACCES, "permission denied"))
    return explain(port, OSError(errno.EBUSY, "in use"))
