"""The codecs of fields and records under any value; what the record's check is bound to find."""

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wallbox.core import decisions, events, fields, state
from wallbox.store import LedgerFull, record

from hw.sim.flash import NorFlash
from tests.test_ring import mounted

SECTOR = 4096
BURST = 7  # bits in a row that the check is bound to see

SPECIFICATIONS = (
    [row for _, row in fields.table(events.KINDS)]
    + [row for _, row in decisions.facts().values()]
    + [state.LASTING]
)


# fields: the codec of events, facts and state


def values_of(widths):
    """A strategy of lists that fit the layout."""
    limits = [
        st.binary(max_size=60) if width == 0 else st.integers(*limit(width)) for width in widths
    ]
    return st.tuples(*limits).map(list)


def limit(width):
    bits = 8 * (width & 0x7F)
    return (-1 << bits - 1, (1 << bits - 1) - 1) if width & 0x80 else (0, (1 << bits) - 1)


layouts = st.lists(
    st.sampled_from([1, 2, 3, 4, 5, 6, *(0x80 | n for n in range(1, 7))]), max_size=8
)
any_layout = st.one_of(
    st.sampled_from([fields.layout(row) for row in SPECIFICATIONS]),
    st.tuples(layouts, st.sampled_from([b"", b"\0"])).map(lambda parts: bytes(parts[0]) + parts[1]),
)


@given(any_layout.flatmap(lambda widths: st.tuples(st.just(widths), values_of(widths))))
def test_fields_come_back_as_they_were(drawn):
    widths, values = drawn
    buf = bytearray(300)
    end = fields.pack_into(buf, 3, widths, values)
    assert end == 3 + fields.size(widths) + sum(
        len(value) for value in values if isinstance(value, bytes)
    )
    back = [None] * len(values)
    fields.unpack_into(back, 0, widths, buf, 3, end)
    assert back == values
    assert not any(buf[end:])


@pytest.mark.parametrize("width", [1, 2, 3, 4, 5, 6, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86])
def test_each_width_holds_its_limits_and_no_more(width):
    low, high = limit(width)
    buf = bytearray(10)
    for value in (low, low + 1, 0, high - 1, high):
        end = fields.pack_into(buf, 0, bytes([width]), [value])
        back = [None]
        fields.unpack_into(back, 0, bytes([width]), buf, 0, end)
        assert back == [value]
    for value in (low - 1, high + 1, low - 2**70, high + 2**70):
        with pytest.raises(ValueError, match="^field 2: "):
            fields.pack_into(buf, 0, bytes([1, 1, width]), [0, 0, value])


@given(any_layout, st.binary(max_size=120))
def test_any_bytes_are_fields_or_a_value_error(widths, data):
    """One sentence for what is too short, one for what is too long; else it packs to the same."""
    back = [None] * len(widths)
    try:
        fields.unpack_into(back, 0, widths, data, 0, len(data))
    except ValueError as error:
        assert str(error) in ("too short", "too long")
        assert len(data) != fields.size(widths)
    else:
        again = bytearray(len(data))
        assert fields.pack_into(again, 0, widths, back) == len(data)
        assert again == data


@given(st.binary(min_size=1, max_size=120))
def test_any_bytes_are_an_event_or_a_value_error(data):
    event = [0] * events.MAX_FIELDS
    try:
        events.unpack_into(event, data, 0, len(data))
    except ValueError:
        return
    again = bytearray(200)
    assert again[: events.pack_into(again, 0, event)] == data


# the record


def limits_of_a_record():
    """The numbers of a record, one of them at its lowest or highest."""
    highest = {
        "kind": 62,
        "quality": 3,
        "boot": 2**16 - 1,
        "uptime_ms": 2**40 - 1,
        "utc_s": 2**32 - 1,
    }
    middle = {"kind": 4, "quality": 2, "boot": 7, "uptime_ms": 123_456, "utc_s": 1_760_000_000}
    for name, high in highest.items():
        yield from ({**middle, name: value} for value in (0, 1, high - 1, high))


@pytest.mark.parametrize("values", list(limits_of_a_record()))
def test_each_number_of_a_record_keeps_its_limits(values):
    flash = NorFlash(size=4 * SECTOR)
    mounted(flash).append(**values, payload=b"payload")
    (found,) = mounted(flash).records()
    assert found == (
        *(1, values["kind"], values["quality"], values["boot"]),
        *(values["uptime_ms"], values["utc_s"], b"payload"),
    )


@pytest.mark.parametrize("bad", [{"kind": 63}, {"kind": -1}, {"quality": 4}, {"boot": 2**16}])
def test_a_number_beyond_is_refused_and_nothing_is_written(bad):
    flash = NorFlash(size=4 * SECTOR)
    ring = mounted(flash)
    good = {"kind": 4, "quality": 3, "boot": 1, "uptime_ms": 5, "utc_s": 6, "payload": b"1"}
    assert ring.append(**good) == 1
    with pytest.raises(AssertionError):
        ring.append(**{**good, **bad})
    with pytest.raises(ValueError, match="payload of 200 bytes is too long"):
        ring.append(**{**good, "payload": bytes(200)})
    assert ring.append(**good) == 2
    assert [one[0] for one in mounted(flash).records()] == [1, 2]


@given(st.lists(st.binary(max_size=101), max_size=60), st.binary(min_size=1, max_size=80))
def test_any_payloads_under_any_key_come_back(payloads, key):
    flash = NorFlash(size=4 * SECTOR)
    ring = mounted(flash, key=key)
    kept = []
    for payload in payloads:
        try:
            ring.append(4, 3, 1, 1, 1, payload)
        except LedgerFull:
            break
        kept.append(payload)
    assert [one[6] for one in mounted(flash, key=key).records()] == kept


def test_the_check_finds_every_short_burst():
    """By arithmetic, as for single bits in test_record.py: a burst changes the check by the sum
    of what its bits change, so it goes unseen only if these depend on each other. What a bit
    changes depends on its distance from the end alone; so the longest record proves the others.
    The length is excepted: where it changes, the check is looked for at another place."""
    checked = record.LENGTH_MAX - record.TAIL
    nothing = zlib.crc32(bytes(checked))
    changes = []
    for bit in range(8 * checked):
        data = bytearray(checked)
        data[bit >> 3] = 1 << (bit & 7)
        changes.append(record.fold(zlib.crc32(data) ^ nothing))
    changes += [1 << bit for bit in range(16)]  # of the check itself
    windows = range(len(changes) - BURST + 1)
    assert all(independent(changes[at : at + BURST]) for at in windows)
    assert not all(independent(changes[at : at + BURST + 1]) for at in windows)  # no more is bound


def independent(vectors):
    """True if no sum of some of them, as bits, is 0."""
    basis = []
    for vector in vectors:
        for known in basis:
            vector = min(vector, vector ^ known)
        if not vector:
            return False
        basis.append(vector)
    return True
