"""The numbers of commands: each above all before it, whatever happens in between."""

import multiprocessing
import stat
import time

import pytest

from host.keys import KeyStore, KeyStoreError
from host.send.counter import Counter
from host.send.message import COUNTER_MAX


@pytest.fixture
def key_path(tmp_path):
    (tmp_path / "keys").mkdir(mode=0o700)
    store = KeyStore(tmp_path / "keys")
    store.create("WB-000001")
    return store.path("WB-000001")


def take(key_path, count=1, above=0):
    with Counter(key_path).taken(count, above) as number:
        return number


def test_it_begins_with_the_time_and_rises_by_one_at_least(key_path):
    began = int(time.time())
    numbers = [take(key_path) for _ in range(50)]
    assert began <= numbers[0] <= time.time()
    assert numbers == sorted(set(numbers))
    path = key_path.with_suffix(".counter")
    assert path.read_text() == f"{numbers[-1]}\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_some_may_be_reserved_and_a_higher_one_told(key_path):
    first = take(key_path, count=24)
    assert take(key_path) >= first + 24
    assert take(key_path, above=4_000_000_000) == 4_000_000_001
    assert take(key_path) == 4_000_000_002


def test_the_number_is_used_up_before_it_is_used(key_path):
    with Counter(key_path).taken() as number:
        assert key_path.with_suffix(".counter").read_text() == f"{number}\n"


def test_what_a_crash_leaves_behind_does_no_harm(key_path):
    number = take(key_path)
    key_path.with_suffix(".counter.new").write_text("17")
    assert take(key_path) > number


def test_only_one_at_a_time(key_path):
    with Counter(key_path).taken():
        with pytest.raises(KeyStoreError, match="another command holds it"):
            with Counter(key_path, lock_timeout_s=0.1).taken():
                pass
    take(key_path)


def _take_many(key_path, numbers):
    for _ in range(20):
        numbers.put(take(key_path))


def test_several_programs_never_get_the_same(key_path):
    context = multiprocessing.get_context("spawn")
    numbers = context.Queue()
    programs = [context.Process(target=_take_many, args=(key_path, numbers)) for _ in range(3)]
    for program in programs:
        program.start()
    taken = [numbers.get(timeout=30) for _ in range(60)]
    for program in programs:
        program.join(30)
    assert len(set(taken)) == 60


@pytest.mark.parametrize("text", ["", "x", "-5", "4294967296", "1 2", "9" * 100])
def test_a_file_that_is_no_counter_is_not_guessed_at(key_path, text):
    key_path.with_suffix(".counter").write_text(text)
    with pytest.raises(KeyStoreError, match="not a counter; delete it"):
        take(key_path)


def test_the_last_number_is_the_last(key_path):
    assert take(key_path, above=COUNTER_MAX - 1) == COUNTER_MAX
    with pytest.raises(KeyStoreError, match="no number is left"):
        take(key_path)


def test_a_key_that_is_gone(key_path):
    key_path.unlink()
    with pytest.raises(KeyStoreError, match="cannot be read"):
        take(key_path)
