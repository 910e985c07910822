"""The table of leases outlives power cuts: in its file, in the ledger, and between the two."""

import random
from pathlib import Path

import pytest
from wallbox.core import decisions, engine, events, leases
from wallbox.store import StoreError
from wallbox.store.leasefile import LeaseFile

from hw.sim.flash_faults import NOTHING, PREFIX, SCATTERED, WHOLE, PowerCut
from tests.player import UTC_S
from tests.test_agent import Bench

SMART = 3
TEARS = (NOTHING, PREFIX, SCATTERED, WHOLE)
SIZE = leases.SLOTS * leases.SIZE


def table(seed: int) -> bytearray:
    return bytearray(random.Random(seed).randbytes(SIZE))


def loaded(path: Path) -> bytearray:
    found = bytearray(SIZE)
    LeaseFile(str(path)).load(found)
    return found


def test_what_was_saved_is_loaded(tmp_path):
    path = tmp_path / "leases.bin"
    file = LeaseFile(str(path))
    kept = bytearray(b"kept" * (SIZE // 4))
    assert file.load(kept) == 0 and kept[:4] == b"kept"
    for seed in (1, 2):
        file.save(table(seed), 70_000 * seed)
        assert loaded(path) == table(seed)
        assert file.load(kept) == 70_000 * seed
    assert [one.name for one in tmp_path.iterdir()] == ["leases.bin"]


def test_damage_is_named_and_changes_no_table(tmp_path):
    path = tmp_path / "leases.bin"
    LeaseFile(str(path)).save(table(1), 1)
    whole = path.read_bytes()
    spoilt = [whole[:-1], whole + b"x", b"", b"XXXX" + whole[4:]]
    spoilt += [whole[:at] + bytes((whole[at] ^ 4,)) + whole[at + 1 :] for at in (4, 300, 619)]
    for data in spoilt:
        path.write_bytes(data)
        kept = bytearray(SIZE)
        with pytest.raises(StoreError, match=r"leases\.bin: damaged; .* send them again"):
            LeaseFile(str(path)).load(kept)
        assert kept == bytearray(SIZE)


def test_a_file_system_that_takes_nothing_is_named(tmp_path):
    with pytest.raises(StoreError, match="cannot be written"):
        LeaseFile(str(tmp_path / "missing" / "leases.bin")).save(table(1), 1)
    with pytest.raises(StoreError, match="cannot be read"):
        LeaseFile(str(tmp_path)).load(bytearray(SIZE))


ON_LITTLEFS = """
import gc
import vfs
from hw.sim.flash import Partition
from hw.sim.flash_faults import NOTHING, PREFIX, SCATTERED, WHOLE, FaultyFlash, PowerCut
from wallbox.store.leasefile import LeaseFile

SIZE = 608
file = LeaseFile("/lfs/leases.bin")
flash = FaultyFlash(32 * 4096, 1)
device = Partition(flash, 0, flash.size)
vfs.VfsLfs2.mkfs(device)

def mount():
    flash.power_on()
    vfs.mount(vfs.VfsLfs2(device), "/lfs")

def table(number):
    return bytearray([(number * 7 + index) & 0xFF for index in range(SIZE)])

mount()
file.save(table(0), 1)
began = flash.operations
modelled_us = flash.modelled_us
file.save(table(0), 1)
operations = flash.operations - began
modelled_us = flash.modelled_us - modelled_us
saved, cuts, old, new = 0, 0, 0, 0
found = bytearray(SIZE)
tears = (NOTHING, PREFIX, SCATTERED, WHOLE)
after_cuts = operations + 7  # a file system that was cut has to tidy up first
for number in range(1, 8 * after_cuts):
    flash.cut_in(1 + number % after_cuts, tears[number // after_cuts % 4])
    try:
        file.save(table(number), number)
        saved = number
    except (PowerCut, OSError):
        pass
    if flash.cuts != cuts:
        cuts = flash.cuts
        vfs.umount("/lfs")
        gc.collect()  # what the dead file system still wants to write meets a flash without power
        mount()
    flash.cut_in(0)
    assert file.load(found), "the file is gone"
    if found == table(number):
        saved = number
        new += 1
    else:
        assert found == table(saved), "neither the old table nor the new one"
        old += 1
print(operations, modelled_us, cuts, old, new)
"""


def test_a_power_cut_in_any_operation_of_a_real_littlefs_leaves_the_old_table_or_the_new(
    micropython,
):
    root = Path(__file__).resolve().parent.parent
    told = micropython.run(ON_LITTLEFS, path=[root], heap="2M").split()
    operations, modelled_us, cuts, old, new = map(int, told[-5:])
    print(f"{operations} operations, {modelled_us} us; {cuts} cuts: {old} old, {new} new")
    assert cuts > 6 * operations and old > operations and new > operations


class CutFile(LeaseFile):
    """The power goes before the file, between its two steps, or behind them."""

    def __init__(self, path: str, bench: "LeaseBench") -> None:
        super().__init__(path)
        self.bench = bench

    def save(self, table, sequence: int) -> None:
        if self.bench.cut_at == "before":
            raise PowerCut
        if self.bench.cut_at == "between":
            Path(self._path + ".new").write_bytes(b"half of it")
            raise PowerCut
        super().save(table, sequence)
        self.bench.saves += 1
        if self.bench.cut_at == "behind":
            raise PowerCut


class LeaseBench(Bench):
    """An agent whose leases lie in a real file; the power goes where `cut_at` says."""

    def __init__(self, path: Path, **options: int) -> None:
        self.path = path
        self.cut_at = ""
        self.saves = 0
        self.number = 0
        super().__init__(**options)

    def make_lease_file(self) -> LeaseFile:
        return CutFile(str(self.path), self)

    def lease(self, number: int, limit_ma: int = 10_000) -> None:
        start = UTC_S + 10_000 * self.boots
        self.send(events.LEASE, SMART, number, limit_ma, start, start + 900_000, 0xFFFFFF)

    def told(self) -> bytearray:
        """The table as all of the ledger's facts make it."""
        state = engine.State()
        for fact in self.facts():
            if fact[0] == decisions.LIMIT:
                engine.recall(state, fact, 0, 0)
        return state.leases

    def remembered(self) -> set[tuple]:
        return rows(self.agent.state.leases)


def rows(table: bytearray) -> set[tuple]:
    """The leases of a table, wherever they lie in it."""
    found, lease = set(), [0] * 6
    for slot in range(leases.SLOTS):
        if leases.get(table, slot, lease):
            found.add(tuple(lease))
    return found


def test_leases_outlive_power_cuts_though_no_snapshot_holds_them(tmp_path):
    bench = LeaseBench(tmp_path / "leases.bin", sectors=16)
    bench.ready()
    bench.lease(7)
    assert bench.saves == 0, "the ledger alone holds it"
    bench.boot()
    assert {lease[1] for lease in bench.remembered()} == {7}
    bench.ready()
    for number in range(100, 120):
        bench.lease(number)
    before = bench.agent.ledger.head
    while bench.agent.ledger.head == before:
        bench.quarter()
    assert bench.saves == 1, "once, before the snapshot that made its facts old"
    bench.boot()
    assert {lease[1] for lease in bench.remembered()} == {7, *range(100, 120)}


def test_a_damaged_file_is_said_once_and_written_anew(tmp_path, capsys):
    bench = LeaseBench(tmp_path / "leases.bin", sectors=16)
    bench.path.write_bytes(b"no table")
    bench.boot()
    assert capsys.readouterr().out.count("leases.bin: damaged") == 1
    bench.ready()
    before = bench.agent.ledger.head
    while bench.agent.ledger.head == before:
        bench.quarter()
    assert loaded(bench.path) == bytes(SIZE)
    bench.lease(7)
    bench.boot()
    assert {lease[1] for lease in bench.remembered()} == {7}
    assert "leases.bin" not in capsys.readouterr().out


def test_a_file_of_another_ledger_is_not_believed(tmp_path):
    other = LeaseBench(tmp_path / "leases.bin", sectors=16)
    other.ready()
    for number in range(100, 120):
        other.lease(number)
    other.lease_file.save(other.agent.state.leases, other.agent.ledger.next_sequence - 1)
    bench = LeaseBench(tmp_path / "leases.bin", sectors=16)
    assert not bench.remembered()
    bench.ready()
    bench.lease(7)
    bench.boot()
    assert {lease[1] for lease in bench.remembered()} == {7}


@pytest.mark.parametrize("story", range(3))
def test_a_power_cut_anywhere_loses_no_lease_that_the_ledger_tells(tmp_path, story, seed):
    chance = random.Random(seed + story)
    bench = LeaseBench(tmp_path / "leases.bin", sectors=64, seed=story + 1)
    bench.ready()
    cuts = 0
    while cuts < 40:
        bench.cut_at = chance.choice(("", "", "before", "between", "behind"))
        # no tear that reads differently each time: then nobody can say what the ledger tells
        bench.flash.cut_in(chance.choice((0, chance.randrange(1, 40))), chance.choice(TEARS))
        try:
            for _ in range(60):
                number = chance.randrange(1, 60)
                if chance.random() < 0.6:
                    bench.lease(number, chance.randrange(6000, 32_000))
                else:
                    bench.send(events.LEASE_END, number)
            continue
        except PowerCut:
            cuts += 1
        bench.cut_at = ""
        bench.flash.cut_in(0)
        bench.flash.power_on()
        bench.boot()
        assert bench.remembered() == rows(bench.told())
        bench.ready()
    assert bench.saves > 5 and len(bench.remembered()) > 5
