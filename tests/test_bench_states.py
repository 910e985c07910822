"""How a rig comes to its known state: only by the table, each way proved, bounded in time."""

import dataclasses

import pytest

from host.provisioning.outcome import Stopped
from hw.bench import states
from hw.bench.evidence import Capture, folder_name, keep
from hw.bench.states import AT_REST, IN_USE, POWERED, READY, UNKNOWN, WAYS, States

HEALTHY = {"agent": "runs", "configuration": "", "state": "Available", "why": "Available",
           "refusals": [], "link": True, "clock": "S", "ledger": {"sequence": 9, "acknowledged": 9}}


class Told:
    """A rig that answers what the test says."""

    capabilities = frozenset({"operator"})

    def __init__(self, **health):
        self.done = []
        self.box = self
        self._health = {**HEALTHY, **health}

    def health(self):
        return self._health

    def rest(self):
        self.done.append("rest")

    def settle(self):
        self.done.append("settle")


@pytest.fixture
def impatient(monkeypatch):
    ways = tuple(dataclasses.replace(way, within_s=0.2) for way in WAYS)
    monkeypatch.setattr(states, "WAYS", ways)


def test_a_rig_goes_from_unknown_to_ready_and_back():
    rig = Told()
    known = States(rig)
    assert known.state == UNKNOWN
    known.make_ready()
    assert known.state == READY and rig.done == ["rest", "settle"]
    known.begin()
    assert known.state == IN_USE
    known.end()
    assert known.state == UNKNOWN


@pytest.mark.parametrize(("source", "target"), [
    (UNKNOWN, READY), (UNKNOWN, POWERED), (AT_REST, READY), (READY, AT_REST), (IN_USE, READY),
])
def test_a_way_that_is_none_changes_nothing(source, target):
    rig = Told()
    known = States(rig)
    known.state = source
    with pytest.raises(Stopped, match="no way leads from there"):
        known.go(target)
    assert known.state == source and rig.done == []


@pytest.mark.parametrize(
    ("health", "says"),
    [
        ({"agent": "failed"}, "does not become powered: its agent: failed"),
        ({"configuration": "meter.model"}, "does not become powered: its configuration"),
        ({"state": "Faulted", "why": "LedgerFull"}, "the box is Faulted: LedgerFull"),
        ({"refusals": ["Offline"]}, "the box would refuse: Offline"),
        ({"link": False}, "does not reach the broker"),
        ({"clock": "U"}, "the box has no time"),
        ({"ledger": {"sequence": 9, "acknowledged": 7}}, "2 records are not acknowledged"),
        ({"ledger": None}, "does not answer on its USB socket"),
    ],
)
def test_what_is_not_proved_in_time_is_said_and_leaves_it_unknown(impatient, health, says):
    known = States(Told(**health))
    with pytest.raises(Stopped, match=says) as caught:
        known.make_ready()
    assert known.state == UNKNOWN and caught.value.action


def test_the_folder_of_a_test_has_its_name():
    named = {folder_name(f"tests/test_hil.py::test_a[b{sign}c]") for sign in "/- "}
    assert len(named) == 3 and all(name.startswith("test_hil.test_a-b-c-") for name in named)
    assert folder_name("tests/test_hil.py::test_a") == "test_hil.test_a"
    assert len(folder_name("t.py::" + "x" * 500)) <= 110


def test_what_cannot_be_had_is_told_and_the_rest_is_kept(tmp_path):
    def fail() -> bytes:
        raise TimeoutError("the box does not answer")

    capture = Capture()
    capture.add("box", b"\x01\x04")
    missing = keep(tmp_path / "x", {"ledger.bin": fail, "bus.txt": capture.text})
    assert missing == ["ledger.bin: the box does not answer"]
    assert (tmp_path / "x" / "missing.txt").read_text() == missing[0] + "\n"
    assert (tmp_path / "x" / "bus.txt").read_text().split()[1:] == ["box", "01", "04"]
    capture.clear()
    assert capture.text() == ""


def test_evidence_of_an_earlier_run_is_replaced(tmp_path):
    def fail() -> bytes:
        raise RuntimeError("no box")

    keep(tmp_path / "x", {"ledger.bin": lambda: b"old", "bus.txt": fail})
    assert (tmp_path / "x" / "missing.txt").read_text() == "bus.txt: no box\n"
    assert keep(tmp_path / "x", {"ledger.bin": fail, "bus.txt": lambda: "new"}) == [
        "ledger.bin: no box"
    ]
    assert sorted(path.name for path in (tmp_path / "x").iterdir()) == ["bus.txt", "missing.txt"]
    assert not keep(tmp_path / "x", {"bus.txt": lambda: "newer"})
    assert not (tmp_path / "x" / "missing.txt").exists()


def test_evidence_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "bus.txt").mkdir()
    assert keep(tmp_path / "x", {"bus.txt": lambda: "new"})[0].startswith("anything: ")
    (tmp_path / "file").write_text("")
    assert keep(tmp_path / "file" / "x", {"bus.txt": lambda: "new"})[0].startswith("anything: ")
