"""The box's USB console: a pty for the user, another for the interpreter, and what lies between.

On the chip, Ctrl-C interrupts running code and is a plain character at the prompt, a soft
reset comes back in the REPL mode it left, and nobody has to listen.  Here the launcher does
those: it hands Ctrl-C to running code (interrupt.py) or to the prompt, keeps what is typed
meanwhile and while the REPL starts, and throws output away when no program has the console open.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import pty
import re
import select
import struct
import termios
import tty
from collections.abc import Callable
from pathlib import Path

from hw.sim.consolelog import ConsoleLog
from hw.sim.interrupt import Interrupt

LOOK_FOR_CLIENT_S = 0.02
CLIENT_STALLED_S = 3.0
RAW_BANNER = b"raw REPL; CTRL-B to exit\r\n"
FRIENDLY_BANNER = b'Type "help()" for more information.'
PROMPT = b">>> "
RUNNING, ENTERING, PROMPTING = range(3)


class Console:
    """Both ptys and the pump between them; lives in the world's thread."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        link: Path,
        log: ConsoleLog,
        nudge: Callable[[], None],
    ) -> None:
        """`link` becomes the path of the user's pty; `nudge` wakes a waiting chip."""
        self._loop = loop
        self.interrupt = Interrupt(loop, nudge, self._settled)
        self._log = log
        self._usb, usb_slave = pty.openpty()
        tty.setraw(usb_slave)
        self._link = link
        link.unlink(missing_ok=True)
        link.symlink_to(os.ttyname(usb_slave))
        os.close(usb_slave)
        self._chip, self.slave = pty.openpty()
        for descriptor in (self._usb, self._chip):
            os.set_blocking(descriptor, False)
        self._client = False
        self._pid: int | None = None
        self.raw = False
        self._state = RUNNING
        self._held = b""
        self._sent = b""
        self._tail = b""
        self._stuck = b""
        self._give_up = loop.call_later(0, lambda: None)
        self._deaf = False
        loop.add_reader(self._chip, self._from_chip)
        self._look = loop.call_later(LOOK_FOR_CLIENT_S, self._look_for_client)

    # the process behind it

    def started(self, pid: int) -> None:
        """A new interpreter runs on `slave`."""
        self._pid = pid
        self._state = RUNNING
        self._sent = b""

    def prepare(self) -> None:
        """Puts the chip's pty into the state a fresh interpreter expects."""
        termios.tcflush(self.slave, termios.TCIOFLUSH)
        tty.setraw(self.slave)

    def stopped(self) -> None:
        """The interpreter is gone; prints what it still had to say."""
        self._from_chip()
        self._pid = None
        self.interrupt.forget()
        self._held = b""

    def repl_begins(self) -> None:
        """boot.py and main.py are over.  The interpreter starts with the friendly prompt; where
        a raw one is due, that is hidden, and what is typed waits until the raw one is there."""
        self._from_chip()
        self._tail = b""
        if not self.raw:
            self._state = PROMPTING
            return
        unread = struct.unpack("i", fcntl.ioctl(self.slave, termios.FIONREAD, b"\0" * 4))[0]
        typed = self._sent[len(self._sent) - unread :] if unread else b""
        if self.interrupt.pending:
            self.interrupt.forget()
            typed += b"\x03"
        self._held = typed + self._held
        termios.tcflush(self.slave, termios.TCIFLUSH)
        self._state = ENTERING

    def say(self, text: str) -> None:
        """Prints a line as the boot loader would."""
        self.fresh_line()
        self._to_usb(text.encode())

    def fresh_line(self) -> None:
        """Ends a line that the power cut or the reset has torn."""
        if not self._log.at_line_start:
            self._to_usb(b"\r\n")

    # from the chip to the user

    def _from_chip(self) -> None:
        while not self._stuck:
            try:
                data = os.read(self._chip, 4096)
            except OSError:
                return
            if not data:
                return
            self._print(data)

    def _print(self, data: bytes) -> None:
        if self._state == ENTERING:
            self._tail += data
            if not self._tail.endswith(PROMPT):
                return
            self._tail = b""
            self._state = PROMPTING
            os.write(self._chip, b"\x01")
            held, self._held = self._held, b""
            self.typed(held)
            return
        if self._state == PROMPTING:
            self._watch_mode(data)
        self._to_usb(data if self.raw else self._cooked(data))

    def _watch_mode(self, data: bytes) -> None:
        seen = self._tail + data
        raw, friendly = seen.rfind(RAW_BANNER), seen.rfind(FRIENDLY_BANNER)
        if raw != friendly:
            self.raw = raw > friendly
        self._tail = seen[-len(FRIENDLY_BANNER) :] if raw == friendly else b""

    @staticmethod
    def _cooked(data: bytes) -> bytes:
        return re.sub(rb"(?<!\r)\n", b"\r\n", data)

    def _to_usb(self, data: bytes) -> None:
        self._log.add(data)
        if not self._client:
            return
        try:
            n = os.write(self._usb, data)
        except BlockingIOError:
            n = 0
        except OSError:
            self._client_gone()
            return
        if n == len(data):
            self._deaf = False
        elif not self._deaf:
            self._stuck = data[n:]
            self._loop.remove_reader(self._chip)
            self._loop.add_writer(self._usb, self._unstick)
            self._give_up = self._loop.call_later(CLIENT_STALLED_S, self._throw_away)

    def _unstick(self) -> None:
        """The client reads again: the rest of what it missed, then the chip's next words."""
        n = 0
        with contextlib.suppress(OSError):
            n = os.write(self._usb, self._stuck)
        self._stuck = self._stuck[n:]
        if n:
            self._give_up.cancel()
            self._give_up = self._loop.call_later(CLIENT_STALLED_S, self._throw_away)
        if not self._stuck:
            self._flow()

    def _throw_away(self) -> None:
        """The client does not read: from now on what does not fit is lost at once."""
        self._deaf = True
        self._flow()

    def _flow(self) -> None:
        self._stuck = b""
        self._give_up.cancel()
        self._loop.remove_writer(self._usb)
        self._loop.add_reader(self._chip, self._from_chip)

    # from the user to the chip

    def _look_for_client(self) -> None:
        poller = select.poll()
        poller.register(self._usb, select.POLLIN)
        seen = sum(event for _, event in poller.poll(0))
        if not seen & select.POLLHUP:
            self._client = True
            self._loop.add_reader(self._usb, self._from_usb)
            return
        if seen & select.POLLIN:  # who typed it has gone already
            with contextlib.suppress(OSError):
                self.typed(os.read(self._usb, 4096))
        self._look = self._loop.call_later(LOOK_FOR_CLIENT_S, self._look_for_client)

    def _client_gone(self) -> None:
        self._client = False
        self._loop.remove_reader(self._usb)
        if self._stuck:
            self._flow()
        self._look = self._loop.call_later(LOOK_FOR_CLIENT_S, self._look_for_client)

    def _from_usb(self) -> None:
        try:
            data = os.read(self._usb, 4096)
        except BlockingIOError:
            return
        except OSError:
            self._client_gone()
            return
        self.typed(data)

    def typed(self, data: bytes) -> None:
        """Characters that arrive at the chip's console."""
        if self._pid is None or not data:
            return
        if self._state == ENTERING or self.interrupt.pending:
            self._held = (self._held + data)[-4096:]
            return
        before, ctrl_c, after = data.partition(b"\x03")
        self._type(before)
        if ctrl_c:
            self._held = after
            self.interrupt.begin(self._pid)

    def _settled(self, interrupted: bool) -> None:
        """Ctrl-C has interrupted code, or is a character as others are; go on with the rest."""
        if not interrupted:
            self._type(b"\x03")
        held, self._held = self._held, b""
        self.typed(held)

    def _type(self, data: bytes) -> None:
        with contextlib.suppress(BlockingIOError):
            os.write(self._chip, data)
        self._sent = (self._sent + data)[-4096:]

    def close(self) -> None:
        self._link.unlink(missing_ok=True)  # the number will be another program's
        self._look.cancel()
        self._give_up.cancel()
        self.interrupt.close()
        self._loop.remove_writer(self._usb)
        for descriptor in (self._usb, self._chip):
            self._loop.remove_reader(descriptor)
            os.close(descriptor)
        os.close(self.slave)
