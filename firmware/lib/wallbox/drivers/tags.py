"""What a tag at the reader means to the core: who it is by the list, and whether it was copied."""

from micropython import const

from ..core import events
from . import tagreader

_LATEST_MS = const(2000)  # a tag that could not be told by then is not told at all


class Tags:
    """reader as tagreader.py, tags as store/taglist.py, counters as store/tagcounters.py."""

    def __init__(self, reader, tags, counters, inbox):
        self.reader = reader
        self.tags = tags
        self.counters = counters
        self.discarded = 0
        self.taps = 0  # tags that the reader has told
        self.tap_length = 0  # bytes of the last one's number
        self._inbox = inbox
        self._works = -1  # as the core was told
        self._tag = b""  # to be told
        self._tag_at = 0
        self._counter = 0
        self._recheck = b""  # to be told what the list now says of it
        self._said = ""

    @property
    def due(self) -> int:
        return self.reader.due

    @property
    def idle(self) -> bool:
        """Whether there is time to write; no tag is being told."""
        return not self._tag and not self._recheck

    def service(self, now: int) -> None:
        """Lets the reader work; call when `due`."""
        if self.reader.service(now) == tagreader.TAG:
            self._tap(now)
        if self.reader.works != self._works:
            self._tell_reader()
        if self._tag:
            self._tell_tag(now)
        if self._recheck:
            self._tell_status()
        text = self.tags.error or self.counters.error
        if text != self._said:
            self._said = text
            print(text)

    def tell_again(self) -> None:
        """Whether the reader works, for a core that has forgotten it."""
        self._works = -1

    def recheck(self, tag) -> None:
        """What the list says now of this hash, that of a running session, is told; b"" is none."""
        self._recheck = bytes(tag)

    def save(self) -> None:
        """Writes the counters, if they are new; for a moment without hurry."""
        if self.idle:
            self.counters.save()

    def _tap(self, now: int) -> None:
        self.taps += 1
        self.tap_length = self.reader.uid_length
        if self._tag:
            self.discarded += 1
        self._tag = self.tags.hash(self.reader.uid, self.reader.uid_length)
        self._tag_at = now
        self._counter = self.reader.counter

    def _tell_reader(self) -> None:
        works = self.reader.works
        if works < 0:
            return
        event = self._inbox.claim(events.READER)
        if event:
            if not works:
                print("tag reader: no answer; look at its cable and its supply")
            self._works = event[1] = works
            self._inbox.commit()

    def _tell_tag(self, now: int) -> None:
        event = self._inbox.claim(events.TAG)
        if event:
            tags = self.tags
            known = tags.look_up(self._tag)
            event[1] = tags.status
            event[2] = tags.kind
            event[3] = tags.subscription
            event[4] = tags.limit_ma
            event[5] = tags.expires_utc_s
            # strangers must not push the counters of known tags out
            event[6] = self.counters.see(self._tag, self._counter) if known else 0
            event[7] = tags.version
            event[8] = self._tag
            self._inbox.commit()
        elif now - self._tag_at < _LATEST_MS:
            return
        else:
            self.discarded += 1
        self._tag = b""

    def _tell_status(self) -> None:
        event = self._inbox.claim(events.TAG_STATUS)
        if event:
            tags = self.tags
            tags.look_up(self._recheck)
            event[1] = tags.status
            event[2] = tags.limit_ma
            event[3] = tags.expires_utc_s
            event[4] = self._recheck
            self._inbox.commit()
            self._recheck = b""
