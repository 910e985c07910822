"""Commands and replies as bytes: the worked example of the page, and what is not believed."""

import json
import re
from pathlib import Path

import pytest

from host.send.message import (
    COUNTER_MAX,
    MessageWrong,
    NotBelieved,
    Reply,
    command_key,
    read_reply,
    sign_command,
)
from tests import answering_box

PAGE = (Path(__file__).resolve().parent.parent / "docs" / "commands.md").read_text()
KEY = bytes(range(32))
AT = 1_793_600_000


def example(begin):
    """The message of the page that begins with these digits, its lines put together."""
    (block,) = re.findall(rf"^    {begin}.*\n(?:    .*\n)*", PAGE, re.MULTILINE)
    digits, *rest = (line.strip() for line in block.splitlines())
    return f"{digits} {''.join(rest)}".encode()


def test_the_key_of_the_page():
    assert f"`{command_key(KEY).hex()}`" in PAGE


def test_the_command_of_the_page():
    signed = sign_command(KEY, AT, AT - 60, AT + 600, "stop", {"session": 7})
    assert signed == example("bcd55c60")


def test_the_reply_of_the_page():
    assert read_reply(KEY, example("1abebc21")) == Reply(AT, "stop", "Accepted", "")


def test_the_arguments_are_left_out_if_there_are_none():
    signed = sign_command(KEY, 1, 0, 1, "status", {})
    assert json.loads(signed[65:]) == {
        "counter": 1, "from_utc_s": 0, "until_utc_s": 1, "verb": "status",
    }


def test_a_full_plan_and_a_full_part_of_tags_fit():
    periods = [[AT, AT + 3600, 16_000]] * 24
    assert sign_command(KEY, AT, AT, AT + 1, "plan", {"lease": AT, "periods": periods})
    part = {"part": 166, "entries": "A" * 672}
    assert sign_command(KEY, AT, AT, AT + 1, "tags-part", part)
    with pytest.raises(MessageWrong, match="a command has 1152"):
        sign_command(KEY, AT, AT, AT + 1, "tags-part", {"part": 1, "entries": "A" * 1100})


@pytest.mark.parametrize("counter", [0, -1, COUNTER_MAX + 1])
def test_a_counter_that_no_box_takes(counter):
    with pytest.raises(MessageWrong, match="counter"):
        sign_command(KEY, counter, 0, 1, "stop", {})


@pytest.mark.parametrize(
    "window", [(5, 5), (6, 5), (-1, 5), (0, 31 * 86_400 + 1), (COUNTER_MAX, COUNTER_MAX + 1)]
)
def test_a_window_that_no_box_takes(window):
    with pytest.raises(MessageWrong, match="31 days"):
        sign_command(KEY, 1, *window, "stop", {})
    assert sign_command(KEY, 1, 0, 31 * 86_400, "stop", {})


def test_a_command_is_no_reply():
    """Directions have MACs of their own: what we sent cannot come back as an answer."""
    body = json.dumps({"counter": 1, "verb": "stop", "status": "Accepted", "info": ""}).encode()
    with pytest.raises(NotBelieved, match="MAC"):
        read_reply(KEY, answering_box.mac(KEY, b"command", body) + b" " + body)


def test_no_bit_of_a_reply_can_be_changed():
    right = answering_box.reply(KEY, AT, "stop", "Rejected", "why")
    for bit in range(8 * len(right)):
        wrong = bytearray(right)
        wrong[bit // 8] ^= 1 << bit % 8
        with pytest.raises(NotBelieved):
            read_reply(KEY, bytes(wrong))
    with pytest.raises(NotBelieved):
        read_reply(KEY, right.upper())


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"\xff",
        b"null",
        b"[" * 1000,
        b'{"counter":1}',
        b'{"counter":true,"verb":"","status":"Accepted","info":""}',
        b'{"counter":"1","verb":"","status":"Accepted","info":""}',
        b'{"counter":1,"verb":[],"status":"Accepted","info":""}',
        b'{"counter":1,"verb":"stop","status":"Done","info":""}',
        b'{"counter":1,"verb":"stop","status":null,"info":""}',
    ],
)
def test_what_is_signed_and_makes_no_sense(body):
    with pytest.raises(NotBelieved):
        read_reply(KEY, answering_box.mac(KEY, b"reply", body) + b" " + body)


@pytest.mark.parametrize("payload", [b"", b" ", b"0" * 64, b"0" * 64 + b" ", b"x" * 5000, b"\xff"])
def test_what_has_no_form(payload):
    with pytest.raises(NotBelieved):
        read_reply(KEY, payload)
