"""Which key a ledger is verified with: that of its box, found by name or by trying."""

from __future__ import annotations

from wallbox.store.record import MAC_SIZE

from host.keys import KeyStore, UnknownBox
from host.ledger.verify.chain import tag, wrong_bits
from host.ledger.verify.findings import Contents, Finding
from host.records import chain_genesis

_NEAR_BITS = 8  # a mac that differs by so few bits is no chance: the key is right
_SAMPLES = 8  # records at either end


def choose_key(store: KeyStore | None, contents: Contents, by_name: bool) -> bytes | None:
    """The key to verify with, None if there is none; what that means becomes a note or finding.

    A box that is not known by name gets the name of the one whose key fits. `by_name`: the
    operator has named it, so its key must be there. Raises KeyStoreError.
    """
    if store is None:
        _note(contents, "no key was given")
        return None
    if contents.box:
        try:
            return _fitting(store.load(contents.box), contents)
        except UnknownBox as unknown:
            if by_name:
                raise
            _note(contents, str(unknown))
            return None
    known = store.serials()
    for serial in known:
        key = store.load(serial)
        if fits(key, contents):
            contents.box = serial
            return key
    if known:
        text = f"none of the {len(known)} keys in {store.directory} fits any record"
        contents.findings.append(Finding("key", text))
    _note(contents, f"there is no key for it in {store.directory}")
    return None


def _fitting(key: bytes, contents: Contents) -> bytes | None:
    if not contents.stored or fits(key, contents):
        return key
    text = f"no record fits the key of {contents.box}: wrong key, or not this box's ledger"
    contents.findings.append(Finding("key", text))
    return None


def _note(contents: Contents, why: str) -> None:
    text = f"{why}: whoever can compute a check could have changed any record"
    contents.notes.append(Finding("no-key", text))


def fits(key: bytes, contents: Contents) -> bool:
    """True if any record follows from the one before it under the key, but for a flipped bit."""
    stored = contents.stored
    last = len(stored)
    for index in {*range(min(_SAMPLES, last)), *range(max(0, last - _SAMPLES), last)}:
        one = stored[index]
        bases = [contents.anchors.get(one.sequence)]
        if one.sequence == 1:
            bases.append(chain_genesis(key))
        if index and stored[index - 1].sequence == one.sequence - 1:
            bases.append(stored[index - 1].data[-MAC_SIZE:])
        for base in bases:
            if base is not None and wrong_bits(tag(key, base, one.data), one.data) <= _NEAR_BITS:
                return True
    return False
