"""A new list of tags, in parts: each is answered when it has been taken."""

import asyncio
from binascii import a2b_base64

from micropython import const

from ..store import taglist_update
from . import ACCEPTED, FAILED, VERSION_MISMATCH

_NAMES = (ACCEPTED, FAILED, VERSION_MISMATCH)
_REST_MS = const(5)


class TagOrders:
    """tags: drivers/tags.py. answer(status, info) sends the reply; recheck() asks the new list."""

    def __init__(self, tags, answer, recheck):
        self._answer = answer
        self._recheck = recheck
        self._update = taglist_update.Update(tags.tags)
        self._working = False

    def tags_begin(self, given) -> tuple:
        return self._named(self._update.begin(*given))

    def tags_part(self, given):
        try:
            data = a2b_base64(given[1])
        except ValueError:
            return FAILED, "entries: base64"
        return self._go_on(self._update.add(given[0], data))

    def tags_end(self, given):
        return self._go_on(self._update.finish(given[0]))

    def fold(self) -> None:
        """Tags that were blocked one by one go to their places."""
        if self._update.fold() == taglist_update.WORKING:
            self._working = True
            asyncio.create_task(self._work(False))

    def abort(self) -> None:
        """A list whose rest never came; the old one stays."""
        if not self._working:
            self._update.abort()

    @property
    def active(self) -> bool:
        """Whether a list is on its way."""
        return self._working or self._update.active

    def _named(self, outcome: int) -> tuple:
        return _NAMES[outcome], self._update.error

    def _go_on(self, outcome: int):
        """None: the answer comes when the work is done."""
        if outcome > taglist_update.ACCEPTED and outcome != taglist_update.WORKING:
            return self._named(outcome) if self._update.error else (FAILED, "begin anew")
        self._working = True
        asyncio.create_task(self._work(True))
        return None

    async def _work(self, ordered: bool) -> None:
        outcome = taglist_update.WORKING
        while outcome == taglist_update.WORKING:
            await asyncio.sleep_ms(_REST_MS)
            try:
                outcome = self._update.work()
            except MemoryError:
                self._update.abort()
                self._update.error = "no memory for it now: send the list again"
                outcome = taglist_update.FAILED
        self._working = False
        if not self._update.active:
            self._recheck()
        if ordered:
            self._answer(*self._named(outcome))
