"""A log that can be shown to others: who it was is gone, what happened is not.

Tags, subscriptions, meters, seals, the configuration's digest and the box's serial get other names
(rekey.py), the macs another key. Times, energies, limits and all that the rules decide by stay, so
the new log replays as the old one did: a sum of decisions that agreed is replaced by the one
that agrees now, and one that differed by one that differs in the same bits.
"""

from __future__ import annotations

from binascii import crc32
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from wallbox.core import decisions
from wallbox.store.record import BATCH, MAC_SIZE, PAYLOAD_AT, STATE, TAIL, WATERMARK

from host.replay.chained import LEDGER, TRACE, mac
from host.replay.field_log import FieldLog, Origin
from host.replay.lane import DECIDED, FORMAT, MARKS, NONE, SNAPSHOT, WATCHED
from host.replay.play import Lanes
from host.replay.rekey import Rekey
from host.replay.segments import Entry, Segment, read_segments

_ENTRY = 3
_LAST = 0x80
_HEAD = 2 + 8  # format, loss and core, which stay
Fields = dict[str, Any]


@dataclass(frozen=True)
class Rules:
    """Of a core: it itself, the rows of its events, and the fields of its state."""

    core: ModuleType
    layout: str

    def state_widths(self) -> tuple[list[str], bytes]:
        fields = self.core.fields
        return fields.names(self.layout), fields.layout(self.layout)


def anonymise(log: FieldLog, rules: Mapping[bytes, Rules], secret: bytes, key: bytes) -> FieldLog:
    """rules: by the hash of the cores in the log, each of which must be there.

    key: what the macs of the new log are made with. A box that the log does not name is known by
    the first record alone: another log of it has another name, unless it begins there too.
    """
    anonymiser = _Anonymiser(log, rules, Rekey(secret))
    trace = anonymiser.trace()
    ledger = [anonymiser.fact(record) for record in log.ledger]
    who = log.origin.serial.encode() or (log.trace or log.ledger or [b""])[0]
    serial = f"ANON-{Rekey(secret).name('serial', who)}"
    origin = Origin(serial, "anonymised", "", log.origin.firmware, True)
    return FieldLog(
        origin, rechained(trace, key, TRACE), rechained(ledger, key, LEDGER), dict(log.layouts)
    )


def rechained(records: Sequence[bytes], key: bytes, name: bytes) -> list[bytes]:
    """The records with checks and macs of their own."""
    found: list[bytes] = []
    last, base = 0, mac(key, name)
    for record in records:
        sequence = int.from_bytes(record[2:6], "little")
        if sequence != last + 1:
            base = mac(key, b"unknown" + record[2:6])
        body = record[:-TAIL]
        crc = crc32(body)
        body += ((crc ^ crc >> 16) & 0xFFFF).to_bytes(2, "little")
        base = mac(key, base + body)
        last = sequence
        found.append(body + base)
        assert len(base) == MAC_SIZE
    return found


class _Anonymiser:
    def __init__(self, log: FieldLog, rules: Mapping[bytes, Rules], rekey: Rekey) -> None:
        self._log = log
        self._rules = rules
        self._rekey = rekey
        self._names = next(iter(rules.values())).core  # of events; one log, one lay-out of them
        self._pieces: list[tuple[int, int, int]] = []  # record, begin, end
        self._records = [bytearray(record) for record in log.trace]
        self._map: dict[str, Callable[[Any], Any]] = {
            "meter_id": rekey.meter, "next_meter_id": rekey.meter, "meter_next": rekey.meter,
            "meter_seen": rekey.meter, "identity": rekey.identity, "tag": rekey.tag,
            "subscription": rekey.subscription, "session_subscription": rekey.subscription,
            "grant_subscription": rekey.subscription, "charged_a": self._charged,
            "charged_b": self._charged, "digest": self._digest, "numbers": self._seals,
        }  # fmt: skip

    def trace(self) -> list[bytes]:
        self._learn()
        for number, record in enumerate(self._records):
            if record[1] & 0x3F == BATCH:
                for begin, end in _entries(record):
                    self._entry(number, begin, end)
            else:
                record[PAYLOAD_AT:-TAIL] = bytes(len(record) - PAYLOAD_AT - TAIL)
        self._forget_pieces()
        self._seal()
        return [bytes(record) for record in self._records]

    def fact(self, record: bytes) -> bytes:
        """A record of the ledger."""
        kind = record[1] & 0x3F
        payload = record[PAYLOAD_AT:-TAIL]
        if kind == STATE:
            payload = self._lasting(payload)
        elif kind != WATERMARK:
            known = decisions.facts().get(kind)
            specification = known[1] if known else ""
            payload = self._packed(decisions, specification, payload) or bytes(len(payload))
        return record[:PAYLOAD_AT] + payload + record[-TAIL:]

    # values

    def _charged(self, value: int) -> int:
        return self._rekey.subscription(value - 1) + 1 if value > 0 else 0

    def _digest(self, value: bytes) -> bytes:
        return self._rekey.data("configuration", value)

    def _seals(self, value: bytes) -> bytes:
        return self._rekey.text("seals", value)

    def _mapped(self, values: Fields) -> Fields:
        new = {
            name: self._map[name](value) if name in self._map and value is not None else value
            for name, value in values.items()
        }
        for sort in ("session_tag", "grant_tag", "tap"):
            a, b = f"{sort}_a", f"{sort}_b"
            if a in values and b in values:
                halves = values[a].to_bytes(4, "little") + values[b].to_bytes(4, "little")
                tag = self._rekey.tag(halves)
                new[a] = int.from_bytes(tag[:4], "little")
                new[b] = int.from_bytes(tag[4:], "little")
        return new

    def _packed(self, module: Any, specification: str, data: bytes) -> bytes | None:
        """Fields of a specification with other names; None if it does not fit."""
        fields = module.fields
        names, widths = fields.names(specification), fields.layout(specification)
        values: list[Any] = [0] * len(names)
        try:
            fields.unpack_into(values, 0, widths, data, 0, len(data))
        except (ValueError, IndexError):
            return None
        new = self._mapped(dict(zip(names, values, strict=True)))
        packed = bytearray(len(data))
        fields.pack_into(packed, 0, widths, list(new.values()))
        return bytes(packed)

    def _lasting(self, payload: bytes) -> bytes:
        """A STATE of any firmware: so many of the fields as it has."""
        state = self._names.state
        rows = state.LASTING.split(",")
        size = self._names.fields.size
        while rows and size(self._names.fields.layout(",".join(rows))) > len(payload):
            rows.pop()
        known = ",".join(rows)
        length = size(self._names.fields.layout(known))
        packed = self._packed(self._names, known, payload[:length])
        return (packed or bytes(length)) + bytes(len(payload) - length)

    # the trace

    def _learn(self) -> None:
        """Which meters there are."""
        rows = self._names.fields.table(self._names.events.KINDS)
        _, layout = rows[self._names.events.METER_IDENTITY]
        for record in self._records:
            if record[1] & 0x3F != BATCH:
                continue
            for begin, end in _entries(record):
                if record[begin] == self._names.events.METER_IDENTITY and end - begin > 5:
                    number = int.from_bytes(record[begin + 1 : begin + 5], "little")
                    self._rekey.learn_meter(number, bytes(record[begin + 5 : end]))
        assert layout.startswith("meter_id 4,identity")
        for fact in self._log.ledger:
            if fact[1] & 0x3F == decisions.METER:
                payload = fact[PAYLOAD_AT:-TAIL]
                self._rekey.learn_meter(int.from_bytes(payload[5:9], "little"), payload[9:])

    def _entry(self, number: int, begin: int, end: int) -> None:
        record = self._records[number]
        kind = record[begin]
        if kind == SNAPSHOT:
            self._piece(number, begin, end)
        elif kind != DECIDED:
            rows = self._names.fields.table(self._names.events.KINDS)
            data = bytes(record[begin + 1 : end])
            new = self._packed(self._names, rows[kind][1], data) if kind < len(rows) else None
            record[begin + 1 : end] = bytes(len(data)) if new is None else new

    def _piece(self, number: int, begin: int, end: int) -> None:
        piece = self._records[number][begin + 1] if end - begin > 1 else NONE
        if piece & ~_LAST == 0:
            self._forget_pieces()
        self._pieces.append((number, begin, end))
        if piece & ~_LAST != len(self._pieces) - 1:
            self._forget_pieces()
        elif piece & _LAST:
            parts = [bytes(self._records[n][a + 2 : b]) for n, a, b in self._pieces]
            new = self._snapshot(b"".join(parts))
            at = 0
            for (n, a, b), part in zip(self._pieces, parts, strict=True):
                self._records[n][a + 2 : b] = new[at : at + len(part)]
                at += len(part)
            self._pieces = []

    def _forget_pieces(self) -> None:
        """Of a snapshot that is not whole nothing can be told apart."""
        for number, begin, end in self._pieces:
            self._records[number][begin + 2 : end] = bytes(max(0, end - begin - 2))
        self._pieces = []

    def _snapshot(self, data: bytes) -> bytes:
        """Other names in a snapshot; of one that no rules can read, zeros."""
        rules = self._rules.get(data[2:_HEAD])
        if rules is None or data[:1] != bytes([FORMAT]):
            return data[:_HEAD] + bytes(len(data) - _HEAD)
        names, widths = rules.state_widths()
        at = 2 + MARKS + WATCHED
        new = data[:_HEAD] + self._digest(data[_HEAD : 2 + MARKS]) + data[2 + MARKS : at]
        for change in (self._rekey.identity, self._digest):
            length = 0 if data[at] == NONE else data[at]
            new += data[at : at + 1] + change(data[at + 1 : at + 1 + length])
            at += 1 + length
        state_at = len(data) - rules.core.fields.size(widths)
        state = self._packed(rules.core, rules.layout, data[state_at:]) if state_at > at else None
        new += data[at:state_at] + (state or b"")
        return new if len(new) == len(data) else data[:_HEAD] + bytes(len(data) - _HEAD)

    def _seal(self) -> None:
        """The sums of decisions that the new events lead to."""
        new_records = [bytes(record) for record in self._records]
        sums: dict[int, list[int]] = {}
        lanes = {
            core: tuple(Lanes(rules.core, {core: rules.layout}) for _ in range(2))
            for core, rules in self._rules.items()
        }
        old, new = read_segments(self._log.trace), read_segments(new_records)
        for before, after in zip(old, new, strict=True):
            if before.core in lanes:
                _sums(before, after, lanes[before.core], sums)
        for record in self._records:
            if record[1] & 0x3F != BATCH:
                continue
            waiting = sums.get(int.from_bytes(record[2:6], "little"), [])
            sealed = [at for at, _ in _entries(record) if record[at] == DECIDED]
            for at in reversed(sealed):  # those before a first snapshot have none
                value = waiting.pop() if waiting else 0
                record[at + 1 : at + 5] = value.to_bytes(4, "little")


def _sums(
    before: Segment, after: Segment, lanes: tuple[Lanes, ...], sums: dict[int, list[int]]
) -> None:
    first, second = (one.of(before) for one in lanes)
    try:
        first.restore(before.snapshot)
        second.restore(after.snapshot)
    except ValueError:
        return
    pairs: Iterable[tuple[Entry, Entry]] = zip(before.entries, after.entries, strict=True)
    for was, now in pairs:
        if was.data[0] != DECIDED:
            first.take(was.now, was.data)
            second.take(now.now, now.data)
        else:
            recorded = int.from_bytes(was.data[1:5], "little")
            sums.setdefault(was.sequence, []).append(second.decided ^ recorded ^ first.decided)


def _entries(record: bytes | bytearray) -> list[tuple[int, int]]:
    """(begin, end) of each entry in a record."""
    found = []
    at, end = PAYLOAD_AT, len(record) - TAIL
    while at + _ENTRY <= end:
        begin = at + _ENTRY
        at = begin + record[at + 2]
        if at > end:
            break
        if at > begin:
            found.append((begin, at))
    return found
