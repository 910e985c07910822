"""One-way counters: which tag has a copy."""

from __future__ import annotations

import random

import pytest
from wallbox.drivers import tagreader
from wallbox.store.tagcounters import ENTRIES_MAX, Counters

from hw.sim.tagcards import Card
from tests.tagline import Line
from tests.taglists import tag

A, B = tag(1), tag(2)
FULL = 0xFFFFFF


@pytest.fixture(params=["at once", "saved", "after a boot"])
def see(request, tmp_path):
    """see(tag, counter): what is told, with and without a write or a boot in between."""
    counters = [Counters(str(tmp_path / "counters"))]

    def ask(hashed: bytes, counter: int) -> int:
        if request.param != "at once":
            counters[0].save()
        if request.param == "after a boot":
            counters[0] = Counters(counters[0].path)
        return counters[0].see(hashed, counter)

    return ask


@pytest.mark.parametrize(
    "shown",
    [
        (7, 6),  # back
        (7, 0),
        (7, 9, 8),
        (7, 8, 8),  # stands still after it had grown
        (7, 8, -1),  # is missing after it had grown
        (7, FULL, 5),
    ],
)
def test_a_copy_is_told_and_stays_told(see, shown):
    for counter in shown[:-1]:
        assert see(A, counter) == 0
    assert see(A, shown[-1]) == 1
    assert see(A, max(shown) + 1) == 1
    assert see(A, -1) == 1
    assert see(B, 1) == 0


@pytest.mark.parametrize(
    "shown",
    [
        (7, 8, 9, 100),
        (0, 0, 0),  # a counter that is switched off
        (0, 0, -1, 0),
        (-1, -1, 5, 6),  # the tag's counter was switched on
        (FULL - 1, FULL, FULL),  # at its end it stands still
    ],
)
def test_a_genuine_tag_is_no_copy(see, shown):
    for counter in shown:
        assert see(A, counter) == 0


def test_a_copy_on_a_real_reader_is_told_whenever_its_counter_goes_back(tmp_path, seed):
    """A tag and its copy with the same UID and counter, tapped in any order on a real reader."""
    draw = random.Random(seed)
    for trial in range(60):
        counters = Counters(str(tmp_path / f"counters{trial}"))
        line = Line().ready()
        counter = draw.randrange(FULL - 100)
        genuine, copy = (Card(b"\x04abcdef", counter) for _ in range(2))
        if draw.random() < 0.3:
            copy.counts = False
        order = [genuine] * draw.randrange(1, 5) + [copy] * draw.randrange(0, 3)
        draw.shuffle(order)
        order += [genuine, genuine, copy] if order[0] is genuine else [copy, copy, genuine]
        highest, told, due = -1, False, False
        for card in order:
            line.read(card)
            shown = line.reader.counter
            due = due or 0 <= shown < highest  # it went back: this must be told, always
            told = bool(counters.see(A, shown)) or told
            assert told or not due
            highest = max(highest, shown)
            line.leave()


def test_a_genuine_tag_on_a_real_reader_is_never_called_a_copy(tmp_path, seed):
    """With noise, tags in twos, readers that fail, and a hand that trembles."""
    draw = random.Random(seed)
    counters = Counters(str(tmp_path / "counters"))
    line = Line().ready()
    card, other = Card(b"\x04abcdef", 5), Card(b"\x04uvwxyz", 9)
    taps = 0
    for _ in range(800):
        line.hold(*draw.choice([(), (card,), (card,), (other,), (card, other)]))
        if draw.random() < 0.3:
            line.chip.spoil(draw.randrange(4), draw.randrange(6), draw.choice([1, 3, 0x18]))
        if draw.random() < 0.05:
            card.deaf = draw.randrange(2)
        if draw.random() < 0.01:
            line.chip.hang()
        for _ in range(draw.randrange(1, 60)):
            if line.step() == tagreader.TAG:
                taps += 1
                assert line.uid in (card.uid, other.uid)
                assert counters.see(tag(line.uid[1]), line.reader.counter) == 0
    assert taps > 80


def test_regressions_are_told_without_exception(tmp_path, seed):
    draw = random.Random(seed)
    counters = Counters(str(tmp_path / "counters"))
    last: dict[bytes, int] = {}
    copied: set[bytes] = set()
    told = 0
    for _ in range(500):
        hashed = tag(draw.randrange(ENTRIES_MAX))
        counter = max(0, last.get(hashed, 100) + draw.choice([1, 1, 1, 2, 5, -1, -7]))
        regress = hashed in last and counter < last[hashed]
        outcome = counters.see(hashed, counter)
        assert outcome == (1 if regress or hashed in copied else 0)
        told += regress
        if outcome:
            copied.add(hashed)
            counters.forget(hashed)
            copied.discard(hashed)
            del last[hashed]
        else:
            last[hashed] = counter
    assert told > 50


def test_the_most_recent_tags_are_kept_and_marked_ones_longest(tmp_path):
    counters = Counters(str(tmp_path / "counters"))
    counters.see(A, 7)
    assert counters.see(A, 6) == 1
    for number in range(100, 100 + 2 * ENTRIES_MAX):
        counters.see(tag(number), 5)
    counters.save()
    assert (tmp_path / "counters").stat().st_size == 8 + 12 * ENTRIES_MAX
    assert counters.see(A, 8) == 1
    assert counters.see(tag(100 + 2 * ENTRIES_MAX - 1), 4) == 1  # is still known
    assert counters.see(tag(100), 4) == 0  # is not


def test_marks_alone_give_way_to_newer_ones(tmp_path):
    counters = Counters(str(tmp_path / "counters"))
    for number in range(ENTRIES_MAX + 1):
        counters.see(tag(number), 7)
        assert counters.see(tag(number), 6) == 1
    counters.save()
    assert counters.see(tag(1), 8) == 1
    assert counters.see(tag(0), 8) == 0


def test_forgotten_a_tag_begins_anew(tmp_path):
    counters = Counters(str(tmp_path / "counters"))
    counters.see(A, 7)
    counters.see(A, 6)
    counters.see(B, 3)
    counters.forget(A)
    counters.forget(tag(99))
    assert counters.see(A, 2) == 0
    assert counters.see(B, 2) == 1


def test_nothing_new_is_nothing_written(tmp_path):
    counters = Counters(str(tmp_path / "counters"))
    assert counters.see(A, -1) == 0
    assert counters.save()
    assert not (tmp_path / "counters").exists()


@pytest.mark.parametrize("damage", [lambda data: data[:-1], lambda data: b"x" + data[1:], bytes])
def test_a_damaged_file_is_told_and_begun_anew(tmp_path, damage):
    path = tmp_path / "counters"
    counters = Counters(str(path))
    counters.see(A, 7)
    counters.save()
    data = path.read_bytes()
    path.write_bytes(damage(data) if damage is not bytes else data + data)
    counters = Counters(str(path))
    assert counters.see(A, 6) == 0
    assert "is damaged" in counters.error
    assert counters.save()
    assert Counters(str(path)).see(A, 5) == 1


def test_a_file_that_cannot_be_written_is_told(tmp_path):
    counters = Counters(str(tmp_path / "none" / "counters"))
    assert counters.see(A, 7) == 0
    assert not counters.save()
    assert "cannot be written" in counters.error
    assert counters.see(B, 9) == 0
    assert counters.see(B, 8) == 1
