"""The list of tags: what is asked of it, how it changes, and what a power cut leaves of it."""

from __future__ import annotations

import hashlib
import hmac
import random
from pathlib import Path

import pytest
from wallbox.store.taglist import BLOCKED, BLOCKS, ENTRIES_MAX, ENTRY_SIZE, TRAILER_SIZE, TagList
from wallbox.store.taglist_update import ACCEPTED, FAILED, VERSION_MISMATCH, WORKING, Update

from tests.interpreter import ROOT
from tests.taglists import Entry, parts, said, send, tag, work

KEY = bytes(range(32))
NEVER_SENT = tag(987_654)


@pytest.fixture
def tags(tmp_path):
    """An empty list in a file of its own."""
    made = TagList(str(tmp_path / "tags"), KEY)
    made.mount()
    yield made
    made.close()


def thousand(count: int = 1000) -> list[Entry]:
    return [Entry(tag(n), n % 4, n % 3, n // 2, 6000 + n, 1_790_000_000 + n) for n in range(count)]


def mounted_again(tags: TagList) -> TagList:
    again = TagList(tags.path, KEY)
    again.mount()
    return again


def test_a_list_of_a_thousand_tags_tells_what_was_sent(tags):
    entries = thousand()
    assert send(tags, entries, 7) == (ACCEPTED, "")
    for one in (tags, mounted_again(tags)):
        assert (one.version, one.count, one.error) == (7, 1000, "")
        assert [said(one, entry.tag) for entry in entries] == entries
        assert said(one, NEVER_SENT) is None


def test_no_list_at_all_knows_nobody(tags):
    assert (tags.version, tags.count, tags.error) == (0, 0, "")
    assert said(tags, tag(1)) is None


def test_a_tag_is_found_with_twelve_reads_at_most_in_the_longest_list(tags):
    assert send(tags, thousand(ENTRIES_MAX), 1) == (ACCEPTED, "")
    for number in range(BLOCKS):
        tags.block(tag(10_000 + number))
    most = 0
    for number in range(0, ENTRIES_MAX, 7):
        before = tags.reads
        assert tags.look_up(tag(number))
        most = max(most, tags.reads - before)
    before = tags.reads
    assert not tags.look_up(NEVER_SENT)
    assert max(most, tags.reads - before) <= 10


def test_a_uid_becomes_a_keyed_hash_that_the_operator_can_make_too(tags):
    key = hmac.new(KEY, b"tags", hashlib.sha256).digest()
    for uid in (b"\x88abc", b"\x04abcdef", b"\x04abcdefghi"):
        right = hmac.new(key, uid, hashlib.sha256).digest()[:8]
        assert tags.hash(bytearray(uid + b"more"), len(uid)) == right


def test_changes_replace_add_and_remove(tags):
    send(tags, [Entry(tag(n), subscription=n) for n in range(100)], 1)
    changed = Entry(tag(5), BLOCKED, 2, 77, 16_000, 9)
    new = Entry(tag(200), 0, 1, 8)
    gone = Entry(tag(6), 255)
    unknown = Entry(tag(300), 255)
    assert send(tags, [changed, new, gone, unknown], 2, full=False, base=1) == (ACCEPTED, "")
    assert (tags.version, tags.count) == (2, 100)
    assert said(tags, tag(5)) == changed
    assert said(tags, tag(200)) == new
    assert said(tags, tag(6)) is None
    assert said(tags, tag(7)) == Entry(tag(7), subscription=7)


def test_changes_made_for_another_version_are_refused(tags):
    send(tags, thousand(10), 5)
    assert send(tags, [], 5, full=False)[0] == VERSION_MISMATCH
    assert send(tags, [], 4, full=False)[0] == VERSION_MISMATCH
    assert send(tags, [], 7, full=False, base=4)[0] == VERSION_MISMATCH
    assert tags.version == 5
    assert send(tags, [], 7, full=False, base=5)[0] == ACCEPTED
    assert (tags.version, tags.count) == (7, 10)
    assert send(tags, thousand(3), 1)[0] == ACCEPTED  # a full list may begin anew
    assert (tags.version, tags.count) == (1, 3)


def test_random_changes_leave_what_a_dictionary_would(tags, seed):
    draw = random.Random(seed)
    model: dict[bytes, Entry] = {}
    for version in range(1, 25):
        full = draw.random() < 0.2
        numbers = draw.sample(range(120), draw.randrange(0, 90))
        drawn = [
            Entry(tag(n), draw.choice([0, 1, 2, 3] + ([] if full else [255])), n % 3, version)
            for n in numbers
        ]
        while draw.random() < 0.4:
            blocked = tag(draw.randrange(130))
            tags.block(blocked)
            known = model.get(blocked, Entry(blocked))
            model[blocked] = Entry(blocked, BLOCKED, known.kind, known.subscription)
        assert send(tags, drawn, version, full) == (ACCEPTED, "")
        if full:
            model.clear()
        for entry in drawn:
            model.pop(entry.tag, None)
            if entry.status != 255:
                model[entry.tag] = entry
        one = tags if draw.random() < 0.5 else mounted_again(tags)
        assert {n: said(one, tag(n)) for n in range(130)} == {
            n: model.get(tag(n)) for n in range(130)
        }


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"".join(parts([Entry(tag(1))])) * 2, "entry 1 is not in order"),
        (Entry(tag(1), status=4).pack(), "entry 0 has no such status or kind"),
        (Entry(tag(1), status=255).pack(), "entry 0 has no such status or kind"),
        (Entry(tag(1), kind=3).pack(), "entry 0 has no such status or kind"),
        (b"x" * 20, "part 0 has 20 bytes"),
        (b"".join(entry.pack() for entry in sorted(thousand(33))), "part 0 has 693 bytes"),
    ],
)
def test_a_bad_part_ends_the_update_and_the_old_list_stays(tags, data, error):
    send(tags, thousand(10), 1)
    update = Update(tags)
    assert update.begin(True, 2) == ACCEPTED
    assert update.add(0, data) == FAILED
    assert update.error == f"tag list: {error}; the old list stays"
    assert update.add(0, b"") == FAILED
    assert [said(mounted_again(tags), entry.tag) for entry in thousand(10)] == thousand(10)


def test_a_part_that_comes_twice_counts_once_and_one_that_is_missing_fails(tags):
    first, second = parts(thousand(64))
    update = Update(tags)
    update.begin(True, 1)
    assert update.add(0, first) == ACCEPTED
    assert update.add(1, second) == WORKING  # not taken: the first is not copied yet
    work(update)
    assert update.add(0, first) == ACCEPTED
    assert update.add(2, second) == FAILED
    assert update.error == "tag list: part 1 is missing; the old list stays"
    assert update.begin(True, 1) == ACCEPTED
    update.add(0, first)
    work(update)
    assert update.finish(64) == FAILED
    assert update.error == "tag list: 32 entries came, 64 were sent; the old list stays"


def test_more_than_the_box_holds_is_refused(tags):
    send(tags, thousand(10), 1)
    outcome, error = send(tags, thousand(ENTRIES_MAX + 1), 2)
    assert (outcome, error) == (FAILED, "tag list: more than 4000 entries; the old list stays")
    assert (tags.version, tags.count) == (1, 10)


def test_the_old_list_is_asked_until_the_new_one_is_whole(tags):
    send(tags, [Entry(tag(1), 0)], 1)
    update = Update(tags)
    update.begin(True, 2)
    update.add(0, parts([Entry(tag(1), 1)])[0])
    update.finish(1)
    assert update.work() == WORKING  # written, not read back yet
    assert said(tags, tag(1)) == Entry(tag(1), 0)
    assert work(update) == ACCEPTED
    assert not update.active
    assert said(tags, tag(1)) == Entry(tag(1), 1)


def test_a_copy_is_made_in_small_steps(tags):
    send(tags, thousand(), 1)
    update = Update(tags)
    update.begin(False, 2)
    update.finish(0)
    steps = 0
    while update.work() == WORKING:
        steps += 1
    assert steps >= 60  # 1,000 entries written and read back, 32 at a time


def test_a_tag_is_blocked_at_once_on_the_list_or_not(tags):
    tags.block(tag(1))
    assert said(tags, tag(1)) == Entry(tag(1), BLOCKED)
    known = Entry(tag(2), 0, 1, 42, 16_000, 5)
    send(tags, [known], 3)
    tags.block(tag(2))
    for one in (tags, mounted_again(tags)):
        assert said(one, tag(2)) == Entry(tag(2), BLOCKED, 1, 42, 16_000, 5)
        assert one.version == 3


def test_blocking_never_runs_out_of_room(tags):
    send(tags, thousand(100), 1)
    for number in range(500, 500 + 3 * BLOCKS):
        tags.block(tag(number))
        assert [said(tags, tag(n)).status for n in range(500, number + 1)].count(BLOCKED) == (
            number - 499
        )
    assert [said(mounted_again(tags), entry.tag) for entry in thousand(100)] == thousand(100)


def test_a_tag_blocked_during_an_update_is_blocked_afterwards_too(tags):
    send(tags, thousand(64), 1)
    tags.block(tag(900))
    update = Update(tags)
    update.begin(True, 2)
    first, second = parts(thousand(64))
    update.add(0, first)
    work(update)
    tags.block(tag(901))  # newer than the new list
    update.add(1, second)
    update.finish(64)
    assert update.work() == WORKING
    assert update.work() == WORKING  # all is written; now it is read back
    tags.block(tag(902))
    tags.block(tag(0))
    assert work(update) == ACCEPTED
    for one in (tags, mounted_again(tags)):
        assert one.error == ""
        assert said(one, tag(900)) is None  # the new list does not have it
        assert [said(one, tag(n)).status for n in (901, 902, 0)] == [BLOCKED] * 3
        assert said(one, tag(5)) == thousand()[5]


def test_a_second_update_takes_the_place_of_one_that_was_left(tags):
    left = Update(tags)
    left.begin(True, 5)
    left.add(0, parts(thousand(3))[0])
    assert send(tags, thousand(4), 6) == (ACCEPTED, "")
    assert left.work() == FAILED
    assert left.add(1, b"") == FAILED
    assert (tags.version, tags.count) == (6, 4)


@pytest.mark.parametrize("at", [0, 9, ENTRY_SIZE * 50, -TRAILER_SIZE + 5, -1])
def test_a_damaged_list_is_told_and_knows_nobody(tags, at):
    send(tags, thousand(100), 1)
    tags.block(tag(1))
    tags.close()
    with open(tags.path, "r+b") as file:
        data = bytearray(file.read())
        data[at] ^= 0x10
        file.seek(0)
        file.write(data)
    tags.mount()
    assert tags.error == f"tag list: {tags.path} is damaged; send the full list"
    assert tags.version == 0
    assert said(tags, tag(5)) is None
    assert send(tags, [], 2, full=False)[0] == VERSION_MISMATCH
    assert send(tags, thousand(5), 2) == (ACCEPTED, "")
    assert tags.error == ""


@pytest.mark.parametrize("length", [1, TRAILER_SIZE - 1, TRAILER_SIZE, 500])
def test_a_list_that_lost_its_end_is_damaged(tags, length):
    send(tags, thousand(100), 1)
    tags.close()
    with open(tags.path, "r+b") as file:
        file.truncate(length)
    tags.mount()
    assert "damaged" in tags.error
    assert said(tags, tag(5)) is None
    tags.block(tag(5))
    assert said(tags, tag(5)) == Entry(tag(5), BLOCKED)


def test_a_file_that_was_made_and_never_written_is_no_list(tags, tmp_path):
    (tmp_path / "tags").write_bytes(b"")
    tags.mount()
    assert (tags.version, tags.error) == (0, "")
    tags.block(tag(5))
    assert said(mounted_again(tags), tag(5)) == Entry(tag(5), BLOCKED)


def test_damage_that_comes_later_is_found_by_the_tag_it_hits(tags):
    send(tags, thousand(100), 1)
    entry = sorted(thousand(100))[30]
    with open(tags.path, "r+b") as file:
        file.seek(30 * ENTRY_SIZE + 8)
        file.write(bytes([entry.status ^ 1]))
    assert said(tags, entry.tag) is None
    assert "damaged" in tags.error
    update = Update(tags)
    assert update.begin(False, 2) == VERSION_MISMATCH


def test_an_update_left_by_a_power_cut_is_removed(tags, tmp_path):
    (tmp_path / "tags.new").write_bytes(b"half")
    tags.mount()
    assert not (tmp_path / "tags.new").exists()


@pytest.mark.parametrize("tear", ["NOTHING", "PREFIX", "SCATTERED", "WHOLE"])
def test_a_power_cut_at_any_instant_leaves_the_old_list_or_the_new_one(micropython, tear):
    """On the interpreter's own LittleFS, a cut in every program and erase of every change."""
    script = (ROOT / "tests" / "taglist_cuts.py").read_text(encoding="utf-8")
    kinds = (("counter", 3), ("first", 2), ("block", 5), ("full", 35), ("part", 35))
    for kind, at_least in kinds:
        printed = micropython.run(script, kind, tear, heap="4M", path=[ROOT])
        cuts, old, new = map(int, printed.splitlines()[-1].split())
        assert cuts >= at_least
        assert old + new == cuts
        assert old > 0
        # the last operation is what makes it new; a torn one may have written all that matters
        if tear in ("NOTHING", "WHOLE"):
            assert (new > 0) == (tear == "WHOLE")
        assert new <= 1 or kind == "fold"


def test_a_power_cut_while_nine_tags_are_blocked_loses_none_that_was(micropython):
    script = (ROOT / "tests" / "taglist_cuts.py").read_text(encoding="utf-8")
    printed = micropython.run(script, "fold", "PREFIX", heap="4M", path=[ROOT])
    cuts, old, new = map(int, printed.splitlines()[-1].split())
    assert cuts == old + new >= 80


def test_a_look_up_needs_little_heap(micropython, tmp_path):
    """Views and numbers; the list is never read into memory."""
    printed = micropython.run(
        """
import gc, sys
from wallbox.store.taglist import TagList
from tests.taglist_cuts import send, tag
tags = TagList(sys.argv[1], bytes(32))
tags.mount()
send(tags, True, 1, range(1000))
tags.look_up(tag(1))
known, unknown = tag(500), tag(2000)
gc.collect()
before = gc.mem_alloc()
gc.disable()
found = tags.look_up(known)
first = gc.mem_alloc()
none = tags.look_up(unknown)
print(first - before, gc.mem_alloc() - first)
assert found and not none
""",
        str(tmp_path / "tags"),
        path=[ROOT],
        heap="1M",
    )
    assert max(map(int, printed.split())) <= 128


def test_a_tag_that_is_blocked_on_a_damaged_list_does_not_hide_the_damage(tmp_path):
    tags = TagList(str(tmp_path / "tags"), bytes(32))
    tags.mount()
    send(tags, [Entry(tag(number)) for number in range(50)], 5)
    tags.close()
    data = bytearray(Path(tags.path).read_bytes())
    data[-3] ^= 1
    Path(tags.path).write_bytes(data)
    tags.mount()
    assert tags.error
    tags.block(tag(3))
    assert "send the full list" in tags.error
    assert Update(tags).begin(False, 6, 0) == VERSION_MISMATCH
