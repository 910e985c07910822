"""The form of commands: nothing is believed before its MAC, nothing is guessed, nothing escapes."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wallbox.commands import envelope, orders, verbs
from wallbox.commands.envelope import Refused
from wallbox.core import codes
from wallbox.core.rules import commands, limits
from wallbox.store import taglist_update, tagmerge

from tests.orders import command_key, signed

LEDGER_KEY = bytes(range(32))
KEY = command_key(LEDGER_KEY)
PLAIN = {"counter": 7, "from_utc_s": 100, "until_utc_s": 200, "verb": "status"}
LIMIT = {"source": "grid", "lease": 1, "limit_ma": 0, "from_utc_s": 5, "until_utc_s": 9}


def opened(message: bytes) -> dict:
    return envelope.parsed(envelope.opened(envelope.key_of(LEDGER_KEY), memoryview(message)))


def refused(call, *arguments) -> tuple[int, str]:
    with pytest.raises(Refused) as error:
        call(*arguments)
    return error.value.args


def test_what_the_operator_signed_is_opened_to_the_byte():
    assert envelope.key_of(LEDGER_KEY) == KEY
    assert opened(signed(KEY, PLAIN)) == PLAIN


def test_a_reply_is_signed_for_the_other_direction():
    reply = envelope.closed(KEY, {"counter": 7})
    assert reply == signed(KEY, json.loads(reply[65:]), b"reply") or reply[65:] == b'{"counter": 7}'
    assert refused(opened, reply)[0] == envelope.WRONG_KEY, "a box's reply is no command"


@given(st.binary(max_size=200))
def test_anything_else_is_refused_in_words(message):
    reason, info = refused(opened, message)
    assert reason in range(1, 8) and info


@given(st.integers(0, 8 * 150 - 1))
def test_not_one_bit_may_change(bit):
    message = bytearray(signed(KEY, PLAIN))
    at = bit // 8 % len(message)
    message[at] ^= 1 << bit % 8
    try:
        opened(bytes(message))
    except Refused:
        return
    # letters of the MAC may be upper or lower case: nothing else
    assert bytes(message).lower() == signed(KEY, PLAIN)


def test_longer_than_the_longest_is_not_even_hashed():
    tree = PLAIN | {"with": {"text": "x" * envelope.LONGEST}}
    assert refused(opened, signed(KEY, tree))[0] == envelope.TOO_LONG


@pytest.mark.parametrize(
    "text",
    [b"", b"[]", b"7", b"{", b'{"a":}', b"\xff\xfe", b'{"a":' * 5 + b"1" + b"}" * 5, b"[" * 900],
)
def test_json_is_one_object_and_not_deep(text):
    assert refused(envelope.parsed, text)[0] == envelope.NO_JSON


def test_brackets_in_a_text_are_no_depth():
    text = json.dumps({"a": '[[[[[["{\\'}).encode()
    assert envelope.parsed(text) == json.loads(text)


def test_every_verb_has_a_row_a_function_and_a_number():
    names = [line.split(";")[0] for line in verbs.TABLE.split("\n")]
    for row in [line.split(";") for line in verbs.TABLE.split("\n")]:
        number = int(row[1])
        assert number >= commands.LIGHT or codes.COMMAND_VERBS[number] == row[0]
    assert len(names) == len(codes.COMMAND_VERBS) - 1 + 4, "and four that leave no fact"
    columns = [column.split(":") for column in verbs.TABLE.split(";") if ":c:" in column]
    words = {column[0]: column[2].split("|") for column in columns}
    assert words["mode"] == list(codes.READER_MODES)
    assert words["after"] == list(codes.LIFECYCLES)
    assert words["reason"] == list(codes.LIFECYCLE_REASONS)
    assert words["source"] == list(codes.LIMIT_SOURCES[limits.GRID :][:2])
    assert orders._VERDICTS.split(",") == list(codes.TAG_VERDICTS)
    for name in names:
        assert name.startswith("tags-") or hasattr(orders, name.replace("-", "_")), name


def test_arguments_come_in_the_tables_order_with_their_defaults():
    tree = PLAIN | {"verb": "limit", "with": LIMIT}
    assert verbs.checked(tree) == ([7, 100, 200, 6], "limit", [0, 1, 0, 5, 9, 0xFFFFFF])
    assert verbs.checked(PLAIN) == ([7, 100, 200, commands.LIGHT], "status", [])
    start = PLAIN | {"verb": "start", "with": {"tag": "0102030405060708"}}
    assert verbs.checked(start)[2] == [0, 0, bytes(range(1, 9))]


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"counter": 0}, "counter"),
        ({"counter": 1 << 32}, "counter"),
        ({"counter": True}, "counter"),
        ({"counter": 1.5}, "counter"),
        ({"until_utc_s": 100}, "until_utc_s"),
        ({"until_utc_s": 100 + 32 * 86400}, "31 days"),
        ({"verb": "explode"}, "verb"),
        ({"verb": None}, "verb"),
        ({"with": []}, "with"),
        ({"with": {"more": 1}}, "has not"),
        ({"verb": "limit"}, "source: missing"),
        ({"verb": "limit", "with": LIMIT | {"lease": "1"}}, "lease"),
        ({"verb": "limit", "with": LIMIT | {"limit_ma": -1}}, "limit_ma"),
        ({"verb": "block-tag", "with": {"tag": "01"}}, "tag"),
        ({"verb": "block-tag", "with": {"tag": "x" * 16}}, "hex"),
        ({"verb": "opt-out", "with": {"on": 1}}, "true or false"),
        ({"verb": "seal", "with": {"numbers": "æ" * 25}}, "numbers"),
    ],
)
def test_what_is_not_in_the_table_is_refused_by_name(changed, named):
    assert named in refused(verbs.checked, PLAIN | changed)[1]


def test_who_is_refused_hears_of_which_command():
    assert verbs.named(PLAIN) == (7, "status")
    assert verbs.named({}) == (0, "")
    assert verbs.named({"counter": 1 << 40, "verb": "x" * 200}) == (0, "")


Values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
NAMES = sorted({c.split(":")[0] for c in verbs.TABLE.replace("\n", ";").split(";") if ":" in c})


@given(
    st.dictionaries(st.sampled_from(sorted(PLAIN)), Values),
    st.sampled_from([line.split(";")[0] for line in verbs.TABLE.split("\n")]),
    st.dictionaries(st.sampled_from(NAMES), Values),
)
def test_no_value_escapes_the_check(changed, verb, given_values):
    tree = PLAIN | {"verb": verb, "with": given_values} | changed
    try:
        (counter, from_utc_s, until_utc_s, _), _, values = verbs.checked(tree)
    except Refused:
        return
    assert 0 < counter < 1 << 32 and from_utc_s < until_utc_s
    for value in values:
        assert isinstance(value, (int, str, bytes, list))


def test_the_longest_part_of_a_list_fits_a_message():
    assert 24 <= tagmerge.PART_MAX and taglist_update.DATA_SIZE == 21
    part = PLAIN | {"counter": 0xFFFFFFFF, "from_utc_s": 0xFFFFFFF0, "until_utc_s": 0xFFFFFFFF}
    part |= {"verb": "tags-part", "with": {"part": 4000, "entries": "A" * 672}}
    assert len(signed(KEY, part)) <= envelope.LONGEST
    periods = [[4_000_000_000, 4_000_000_000, 16_777_215]] * 24
    plan = part | {"verb": "plan", "with": {"lease": 4_000_000_000, "periods": periods}}
    assert len(signed(KEY, plan)) <= envelope.LONGEST
