"""A file of tags becomes the entries that a box takes; a mistake is named to line and column."""

import hashlib
import hmac
import random

import pytest
from wallbox.store.taglist import TagList

from host.send.rows import FileWrong
from host.send.taglist import Entry, parse_hash, parse_uid, parts, read_tag_list, tag_hash
from tests import taglists

KEY = bytes(range(32))
UID = "04a1b2c3d4e5f6"


@pytest.fixture
def read(tmp_path):
    def read(text, changes=False):
        path = tmp_path / "tags.csv"
        path.write_text(text, encoding="utf-8")
        return read_tag_list(path, KEY, changes)

    return read


def test_the_hash_is_that_of_the_page():
    tag_key = hmac.new(KEY, b"tags", hashlib.sha256).digest()
    tag = hmac.new(tag_key, bytes.fromhex(UID), hashlib.sha256).digest()[:8]
    assert tag_hash(KEY, bytes.fromhex(UID)) == tag


def test_every_column(read):
    (entry,) = read(
        "uid,status,kind,subscription,limit_a,expires\n"
        f"{UID},Blocked,pay-per-use,1201,7.5,2027-06-30\n"
    )
    tag = tag_hash(KEY, bytes.fromhex(UID))
    # the end of 30 June in Denmark: 22:00 UTC
    assert entry == Entry(tag, 1, 1, 1201, 7500, 1_814_392_800)
    assert entry.pack() == tag + bytes.fromhex("0101 b1040000 4c1d00 e06f256c")


def test_what_is_left_out_has_a_meaning(read):
    (entry,) = read("hash\n0123456789abcdef\n")
    assert entry == Entry(bytes.fromhex("0123456789abcdef"))


def test_a_time_with_its_zone_is_that_instant(read):
    (entry,) = read("hash,expires\n0123456789abcdef,2027-06-30T12:00Z\n")
    assert entry.expires_utc_s == 1_814_356_800


def test_entries_are_sorted_and_packed_as_the_box_packs_them(read, seed):
    chance = random.Random(seed)
    entries = [
        Entry(
            chance.randbytes(8),
            chance.randrange(4),
            chance.randrange(3),
            chance.getrandbits(32),
            chance.randrange(80_001),
        )
        for _ in range(100)
    ]
    statuses = ("Accepted", "Blocked", "Expired", "Invalid")
    kinds = ("subscription", "pay-per-use", "guest")
    rows = [
        f"{one.tag.hex()},{statuses[one.status]},{kinds[one.kind]},{one.subscription},"
        f"{one.limit_ma / 1000}"
        for one in entries
    ]
    found = read("\n".join(["hash,status,kind,subscription,limit_a", *rows]))
    assert found == sorted(entries)
    theirs = [
        taglists.Entry(e.tag, e.status, e.kind, e.subscription, e.limit_ma, e.expires_utc_s)
        for e in found
    ]
    assert [one.pack() for one in found] == [one.pack() for one in theirs]
    packed = parts(found)
    assert [len(part) // 21 for part in packed] == [24, 24, 24, 24, 4]
    assert b"".join(packed) == b"".join(one.pack() for one in found)


def test_the_box_takes_the_list_and_knows_the_uid(read, tmp_path):
    found = read(f"uid,limit_a\n{UID},10\n01020304,0\n")
    tags = TagList(str(tmp_path / "tags.bin"), KEY)
    tags.mount()
    taglists.send(tags, [taglists.Entry(e.tag, limit_ma=e.limit_ma) for e in found], version=1)
    uid = bytes.fromhex(UID)
    said = taglists.said(tags, bytes(tags.hash(uid, len(uid))))
    assert said is not None and said.limit_ma == 10_000


def test_a_list_of_no_tags_has_a_header(read):
    assert read("hash\n") == [] and parts([]) == []


def test_only_changes_remove(read):
    text = "hash,status\n0123456789abcdef,Remove\n"
    assert read(text, changes=True)[0].status == 255
    with pytest.raises(FileWrong, match="one of Accepted, Blocked, Expired, Invalid$"):
        read(text)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "line 1: it names no columns"),
        ("uid,colour\n", "line 1, column 'colour' is not known or twice; right are uid, hash"),
        ("uid,uid\n", "line 1, column 'uid' is not known or twice"),
        ("status\nAccepted\n", "line 2, column uid or hash: nothing; right is one of the two"),
        (f"uid,hash\n{UID},0123456789abcdef\n", "line 2, column uid or hash"),
        ("hash\n0123\n", "line 2, column hash: '0123'; right are 16 hex digits"),
        ("hash\n\n0123456789abcdeg\n", "line 3, column hash"),
        ("uid\n04a1b2\n", "line 2, column uid: 3 bytes; right are 4, 7 or 10 bytes in hex"),
        ("hash,kind\n0123456789abcdef,vip\n", "column kind: 'vip'; right is one of subscription"),
        ("hash,status\n0123456789abcdef,accepted\n", "column status: 'accepted'"),
        ("hash,limit_a\n0123456789abcdef,16A\n", "column limit_a: '16A'; right is a current in A"),
        ("hash,limit_a\n0123456789abcdef,81\n", "column limit_a: '81'; right is 0 to 80 A"),
        ("hash,limit_a\n0123456789abcdef,-1\n", "column limit_a: '-1'"),
        ("hash,limit_a\n0123456789abcdef,6.0001\n", "to the mA"),
        ("hash,subscription\n0123456789abcdef,4294967296\n", "whole number from 0 to 4294967295"),
        ("hash,subscription\n0123456789abcdef,²\n", "column subscription: '²'"),
        ("hash,expires\n0123456789abcdef,30.06.2027\n", "column expires: '30.06.2027'; right is"),
        ("hash,expires\n0123456789abcdef,2027-06-30T12:00\n", "a time with its zone"),
        ("hash,status\n0123456789abcdef\n", "line 2: 1 values for 2 columns"),
        ("hash\n0123456789abcdef\n0123456789ABCDEF\n", "line 3: the same tag as in line 2"),
        (f"uid\n{UID}\n04:A1:B2:C3:D4:E5:F6\n", "line 3: the same tag as in line 2"),
        ("hash\n" + "0" * 2000, "line 2: more than 1000 characters"),
        ("hash\n\0\n", "line 2: a NUL"),
    ],
)
def test_a_mistake_is_named(read, text, told):
    with pytest.raises(FileWrong) as raised:
        read(text, changes=False)
    assert told in str(raised.value) and "tags.csv" in str(raised.value)
    assert "\n" not in str(raised.value) and UID not in str(raised.value)


def test_more_tags_than_a_box_takes(read):
    rows = [f"{number:016x}" for number in range(4001)]
    assert len(read("\n".join(["hash", *rows[:4000]]))) == 4000
    with pytest.raises(FileWrong, match="line 4002: more than 4000 rows"):
        read("\n".join(["hash", *rows]))


def test_a_file_that_is_no_text(tmp_path):
    path = tmp_path / "tags.csv"
    path.write_bytes(b"hash\n\xff\xfe\n")
    with pytest.raises(FileWrong, match="UTF-8"):
        read_tag_list(path, KEY)
    with pytest.raises(FileWrong, match="cannot be read"):
        read_tag_list(tmp_path, KEY)


def test_uids_as_people_write_them():
    uid = bytes.fromhex(UID)
    assert parse_uid("04:A1:B2:C3:D4:E5:F6\n") == parse_uid(" 04-a1-b2-c3-d4-e5-f6") == uid
    for wrong in ("", "04a1b2", "04a1b2c3d4e5f", "Anna", UID + UID):
        with pytest.raises(ValueError, match="right are 4, 7 or 10 bytes") as raised:
            parse_uid(wrong)
        assert not wrong or wrong not in str(raised.value)
    for wrong in ("", "0123", "01 23 45 67 89 ab", "0123456789abcdeg"):
        with pytest.raises(ValueError, match="16 hex digits"):
            parse_hash(wrong)
