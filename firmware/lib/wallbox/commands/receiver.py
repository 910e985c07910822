"""Where messages on the command topic arrive, and what is remembered of them between two.

What it takes to understand and to do a command is imported with the first one, and forgotten once
it has been quiet for a while: between commands that costs no RAM.
"""

from micropython import const

from .. import forget, start

_QUIET_MS = const(5000)
_MINUTE_MS = const(60_000)
_UNHEARD_MOST = const(0xFFFE)
_FOLD_AT = const(4)  # tags blocked one by one, half of what there is room for
_FOLD_MS = const(600_000)  # between two attempts, and as long as a list may be on its way
_MODULES = (
    ("wallbox.commands", "taking"),
    ("wallbox.commands", "envelope"),
    ("wallbox.commands", "tag_orders"),
    ("wallbox.store", "taglist_update"),
    ("wallbox.store", "tagmerge"),
)


class Receiver:
    """box: as box.py. ledger_key: 32 bytes. The rest is for taking.py."""

    def __init__(self, box, ledger_key: bytes):
        self.box = box
        self.ledger_key = ledger_key
        self.lists = None  # who takes lists of tags, while one is on its way
        self.minute_at = 0
        self.refused = 0  # in the minute that began then
        self.unheard = 0  # of them, those that the core was not told of
        self.last_mac = b""  # of the command taken last, and what it was answered
        self.last_reply = b""
        self.doing = (0, "")  # counter and verb of a command that is not answered yet
        self._loaded = False
        self._used_at = 0
        self._folded_at = -_FOLD_MS

    def receive(self, payload, flags: int) -> None:
        """payload: memoryview valid during the call, None if it was too long to be kept."""
        try:
            from . import taking

            self._loaded = True
            taking.receive(self, payload, flags)
        except MemoryError:  # not even for a refusal: whoever orders will order again
            self.unheard = min(self.unheard + 1, _UNHEARD_MOST)

    def used(self) -> None:
        """An authentic message has come: it may have the spare memory, too."""
        start.lend()
        self._used_at = self.box.clock.now()

    def service(self, now: int) -> None:
        """Call now and then."""
        if self.lists is not None and now - self._used_at >= _FOLD_MS:
            self.lists.abort()
        fold = self._may_fold(now)
        if fold or self.unheard and now - self.minute_at >= _MINUTE_MS:
            from . import taking

            self._loaded = True
            taking.service(self, now, fold)
        if self._loaded and now - self._used_at >= _QUIET_MS and not self.busy:
            self._loaded = False
            self.lists = None
            start.keep()
            for package, name in _MODULES:
                forget(package, name)

    def _may_fold(self, now: int) -> bool:
        """Whether tags that were blocked one by one should go to their places now."""
        tags = self.box.tags
        if not tags or tags.tags.blocks < _FOLD_AT or self.busy:
            return False
        if now - self._folded_at < _FOLD_MS:
            return False
        self._folded_at = now
        return True

    @property
    def busy(self) -> bool:
        """Something that was ordered is not done yet, or a list is on its way."""
        return self.doing[1] != "" or self.lists is not None and self.lists.active
