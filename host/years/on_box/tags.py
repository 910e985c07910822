# Who comes with which tag, and what the operator's list says of it; the reader's chip and the
# list's file have simulations of their own (tests/taglist_cuts.py, hw/sim/tagchip.py).

from hashlib import sha256

# status, kind, subscription, limit_ma
PEOPLE = (
    (0, 0, 7, 0),
    (0, 0, 7, 16_000),
    (0, 1, 9, 10_000),
    (2, 0, 11, 0),
    (1, 0, 12, 0),
)
_TAG = 1


class Reader:
    """As drivers/tagreader.py."""

    def __init__(self):
        self.works = 1
        self.due = 0
        self.uid = b""
        self.uid_length = 0
        self.counter = -1
        self.waiting = []  # uids

    def service(self, now):
        self.due = now + 3_600_000
        if not self.works or not self.waiting:
            return 0
        self.uid = self.waiting.pop(0)
        self.uid_length = len(self.uid)
        self.due = now + 100
        return _TAG


class List:
    """As store/taglist.py."""

    def __init__(self):
        self.error = ""
        self.version = 1
        self.blocked = []
        self.status = self.kind = self.subscription = self.limit_ma = self.expires_utc_s = 0

    @property
    def blocks(self):
        return 0

    def hash(self, uid, length):
        return sha256(uid[:length]).digest()[:8]

    def look_up(self, tag):
        self.expires_utc_s = 0
        for number in range(len(PEOPLE)):
            if tag == hash_of(number):
                self.status, self.kind, self.subscription, self.limit_ma = PEOPLE[number]
                if tag in self.blocked:
                    self.status = 1
                return True
        self.status, self.kind, self.subscription, self.limit_ma = 3, 0, 0, 0
        return False

    def block(self, tag):
        if tag not in self.blocked:
            self.blocked.append(tag)


class Counters:
    """As store/tagcounters.py."""

    error = ""

    def see(self, tag, counter):
        return 0

    def forget(self, tag):
        pass

    def save(self):
        return False


def uid_of(number):
    return b"tag%04d" % number


def hash_of(number):
    return sha256(uid_of(number)).digest()[:8]
