"""What each meter's registers hold, from one physical state; no wire, no time.

The tables are written from the makers' maps, on purpose not from the firmware's: the driver is
tested against them. Arithmetic is exact (fractions); only a float32 register rounds, as the
meter's own does.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction

ZERO = Fraction(0)


@dataclass
class State:
    """Voltages and currents of three phases (V, A), power (W, + = import), energies (Wh)."""

    voltage_v: list[Fraction] = field(default_factory=lambda: [Fraction(230)] * 3)
    power_w: list[Fraction] = field(default_factory=lambda: [ZERO] * 3)
    frequency_hz: Fraction = Fraction(50)
    import_wh: Fraction = ZERO
    export_wh: Fraction = ZERO
    serial: str = "0"
    code: int | str = 0

    def current_a(self, phase: int) -> Fraction:
        """Current of a load without reactive power."""
        voltage_v = self.voltage_v[phase]
        return abs(self.power_w[phase]) / voltage_v if voltage_v else ZERO


Source = Callable[[State], Fraction]
Entry = tuple[int, str, Source]


def _v(phase: int) -> Source:
    return lambda state: state.voltage_v[phase]


def _a(phase: int) -> Source:
    return lambda state: state.current_a(phase)


def _w(phase: int) -> Source:
    return lambda state: state.power_w[phase]


def _w_total(state: State) -> Fraction:
    return sum(state.power_w, ZERO)


def _import_kwh(state: State) -> Fraction:
    return state.import_wh / 1000


def _export_kwh(state: State) -> Fraction:
    return state.export_wh / 1000


def _hz(state: State) -> Fraction:
    return state.frequency_hz


def _in_kw(source: Source) -> Source:
    return lambda state: source(state) / 1000


def _phases(first: int, step: int, form: str, of: Callable[[int], Source]) -> list[Entry]:
    return [(first + step * phase, form, of(phase)) for phase in range(3)]


_EASTRON: list[Entry] = [
    *_phases(0x0000, 2, "f32", _v),
    *_phases(0x0006, 2, "f32", _a),
    *_phases(0x000C, 2, "f32", _w),
    (0x0034, "f32", _w_total),
    (0x0046, "f32", _hz),
    (0x0048, "f32", _import_kwh),
    (0x004A, "f32", _export_kwh),
]
_GAVAZZI: list[Entry] = [
    *_phases(0x0000, 2, "i32l 10", _v),
    *_phases(0x000C, 2, "i32l 1000", _a),
    *_phases(0x0012, 2, "i32l 10", _w),
    (0x0028, "i32l 10", _w_total),
    (0x0033, "u16 10", _hz),
    (0x0034, "i32l 10 floor", _import_kwh),
    (0x004E, "i32l 10 floor", _export_kwh),
    (0x0112, "i32l 10 floor", _import_kwh),
    (0x0116, "i32l 10 floor", _export_kwh),
    *_phases(0x0120, 14, "i32l 10", _v),
    *_phases(0x0122, 14, "i32l 1000", _a),
    *_phases(0x0124, 14, "i32l 10", _w),
]
_INEPRO: list[Entry] = [
    *_phases(0x5002, 2, "f32", _v),
    (0x5008, "f32", _hz),
    *_phases(0x500C, 2, "f32", _a),
    (0x5012, "f32", _in_kw(_w_total)),
    *_phases(0x5014, 2, "f32", lambda phase: _in_kw(_w(phase))),
    (0x600C, "f32", _import_kwh),
    (0x6018, "f32", _export_kwh),
]
_ABB: list[Entry] = [
    (0x5000, "u64 100 floor", _import_kwh),
    (0x5004, "u64 100 floor", _export_kwh),
    *_phases(0x5B00, 2, "u32 10", _v),
    *_phases(0x5B0C, 2, "u32 100", _a),
    (0x5B14, "i32 100", _w_total),
    *_phases(0x5B16, 2, "i32 100", _w),
    (0x5B2C, "u16 100", _hz),
]


@dataclass(frozen=True)
class Model:
    """readable: what may be read, by function; everything else there is 0, all the rest illegal."""

    name: str
    vendor: str
    code: int | str
    serial: str
    parity: str
    entries: list[Entry]
    readable: dict[int, list[range]]
    register: int  # address of the import register

    def words(self, state: State, function: int, address: int, count: int) -> list[int] | None:
        """The registers asked for, or None: illegal data address."""
        spans = self.readable.get(function, [])
        if not any(address in span and address + count - 1 in span for span in spans):
            return None
        if self.vendor == "Carlo Gavazzi" and (address, count) == (0x000B, 1):
            return [int(state.code)]
        held: dict[int, int] = {}
        for first, words in self._held(state):
            held.update({first + i: word for i, word in enumerate(words)})
        return [held.get(address + i, 0) for i in range(count)]

    def register_wh(self, state: State) -> int:
        """The import register as it can be read, in Wh, halves rounded up."""
        for address, form, source in self.entries:
            if address == self.register:
                return _wh(encode(form, source(state)), form)
        raise AssertionError(self.name)

    def _held(self, state: State) -> Iterator[tuple[int, list[int]]]:
        for address, form, source in self.entries:
            yield address, encode(form, source(state))
        if self.vendor == "Eastron":
            yield 0xFC00, _split(int(state.serial), 2)
            yield 0xFC02, [int(state.code)]
        elif self.vendor == "Carlo Gavazzi":
            yield 0x5000, [ord(letter) for letter in state.serial[:7]]
        elif self.vendor == "Inepro":
            yield 0x4000, _split(int(state.serial, 16), 2)
        elif self.vendor == "ABB":
            yield 0x8900, _split(int(state.serial), 2)
            text = str(state.code).encode().ljust(12, b"\0")
            yield 0x8960, list(struct.unpack(">6H", text))


def encode(form: str, quantity: Fraction) -> list[int]:
    """A quantity as the words of a register: "f32", or an integer type, its scale, and how cut."""
    kind, *rest = form.split()
    if kind == "f32":
        return list(struct.unpack(">2H", struct.pack(">f", float(quantity))))
    scaled = quantity * int(rest[0])
    raw = math.floor(scaled) if "floor" in rest else math.floor(scaled + Fraction(1, 2))
    words = _split(raw, {"u16": 1, "u32": 2, "i32": 2, "i32l": 2, "u64": 4}[kind])
    return words[::-1] if kind == "i32l" else words


def _split(raw: int, count: int) -> list[int]:
    """An integer as words, high word first; two's complement."""
    return [raw >> 16 * i & 0xFFFF for i in reversed(range(count))]


def _wh(words: list[int], form: str) -> int:
    kind, *rest = form.split()
    if kind == "f32":
        (number,) = struct.unpack(">f", struct.pack(">2H", *words))
        return math.floor(Fraction(number) * 1000 + Fraction(1, 2))
    raw = 0
    for word in words[::-1] if kind == "i32l" else words:
        raw = raw << 16 | word
    return raw * 1000 // int(rest[0])


def _span(first: int, last: int) -> range:
    return range(first, last + 1)


_EASTRON_READABLE = {4: [_span(0x0000, 0x0181)], 3: [_span(0x0000, 0x0060), _span(0xFC00, 0xFC84)]}
_GAVAZZI_SPANS = [
    _span(0x0000, 0x0053),
    _span(0x00F6, 0x01B5),
    _span(0x0302, 0x0303),
    _span(0x1002, 0x1103),
    _span(0x5000, 0x5006),
]
_GAVAZZI_READABLE = {3: _GAVAZZI_SPANS, 4: _GAVAZZI_SPANS}
_INEPRO_READABLE = {
    3: [_span(0x4000, 0x4030), _span(0x5000, 0x5031), _span(0x6000, 0x6049)],
}
_ABB_READABLE = {
    3: [
        _span(0x5000, 0x5470),
        _span(0x5B00, 0x5B40),
        _span(0x8900, 0x8910),
        _span(0x8960, 0x8965),
    ],
}

MODELS = {
    model.name: model
    for model in (
        Model("sdm630", "Eastron", 112, "21630001", "N", _EASTRON, _EASTRON_READABLE, 0x0048),
        Model("sdm72d-m-v2", "Eastron", 137, "22720002", "N", _EASTRON, _EASTRON_READABLE, 0x0048),
        Model("em330", "Carlo Gavazzi", 332, "BX33003", "N", _GAVAZZI, _GAVAZZI_READABLE, 0x0112),
        Model("em340", "Carlo Gavazzi", 340, "KW34004", "N", _GAVAZZI, _GAVAZZI_READABLE, 0x0112),
        Model("pro380", "Inepro", 0, "15060001", "E", _INEPRO, _INEPRO_READABLE, 0x600C),
        Model("b23", "ABB", "B23 112-100", "1802345", "E", _ABB, _ABB_READABLE, 0x5000),
    )
}
