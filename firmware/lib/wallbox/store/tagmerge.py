"""Three sorted sources of tags made one: the list, what was blocked one by one, and what is new."""

from micropython import const

from .taglist import BLOCKS, DATA_SIZE, ENTRY_SIZE, WINDOW, compare, seal, sound

REMOVE = const(255)
PART_MAX = const(32)

# what take() answers
TAKEN = const(0)
REMOVED = const(1)
DAMAGED = const(2)
EMPTY = const(3)

# where the next entry may come from; of equal hashes the last one wins
_OLD = const(0)
_BLOCKED = const(1)
_NEW = const(2)


class Merge:
    """tags: the list as taglist.py. Unless `full`, its entries are taken, too."""

    def __init__(self, tags, full: bool):
        self.entry = bytearray(ENTRY_SIZE)
        self.window = memoryview(bytearray(WINDOW * ENTRY_SIZE))
        self._tags = tags
        blocked = bytearray(BLOCKS * ENTRY_SIZE)
        self._bufs = (self.window, blocked, bytearray(PART_MAX * DATA_SIZE))
        self._first = -1  # what the window holds
        self._at = [0, 0, 0]
        self._ends = [0, 0, 0]
        if not full:
            self._ends[_OLD] = tags.count
            if tags.blocks:
                self._take_blocked(blocked)

    def _take_blocked(self, buf) -> None:
        tags = self._tags
        tags.read(tags.count, tags.blocks, memoryview(buf)[: tags.blocks * ENTRY_SIZE])
        ordered = sorted(
            [bytes(buf[n * ENTRY_SIZE : (n + 1) * ENTRY_SIZE]) for n in range(tags.blocks)]
        )
        for index in range(len(ordered)):
            buf[index * ENTRY_SIZE : (index + 1) * ENTRY_SIZE] = ordered[index]
        self._ends[_BLOCKED] = tags.blocks

    def wants(self) -> bool:
        """Whether all new entries have been taken."""
        return self._at[_NEW] == self._ends[_NEW]

    def feed(self, data) -> None:
        """More new entries, DATA_SIZE bytes each, at most PART_MAX."""
        self._bufs[_NEW][: len(data)] = data
        self._at[_NEW] = 0
        self._ends[_NEW] = len(data) // DATA_SIZE

    def take(self) -> int:
        """The lowest entry of all into `entry`, with its check."""
        source = self._next()
        if source < 0:
            return EMPTY
        at = self._offset(source)
        buf = self._bufs[source]
        self._at[source] += 1
        entry = self.entry
        if source == _NEW:
            if buf[at + 8] == REMOVE:
                return REMOVED
            entry[:DATA_SIZE] = buf[at : at + DATA_SIZE]
            seal(entry, 0, DATA_SIZE)
            return TAKEN
        entry[:] = buf[at : at + ENTRY_SIZE]
        return TAKEN if sound(entry, 0, DATA_SIZE) else DAMAGED

    def _next(self) -> int:
        """Which source has the entry with the lowest hash, -1 if none has one."""
        best = -1
        for source in (_OLD, _BLOCKED, _NEW):
            if self._at[source] == self._ends[source]:
                continue
            if best >= 0:
                order = compare(
                    self._bufs[source], self._offset(source), self._bufs[best], self._offset(best)
                )
                if order > 0:
                    continue
                if order == 0:
                    self._at[best] += 1
            best = source
        return best

    def _offset(self, source: int) -> int:
        at = self._at[source]
        if source == _NEW:
            return at * DATA_SIZE
        if source == _BLOCKED:
            return at * ENTRY_SIZE
        first = at - at % WINDOW
        if first != self._first:
            count = min(WINDOW, self._ends[_OLD] - first)
            self._tags.read(first, count, self.window[: count * ENTRY_SIZE])
            self._first = first
        return at % WINDOW * ENTRY_SIZE
