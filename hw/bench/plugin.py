"""pytest: `--box sim` (default) or `--box /dev/ttyUSB0 --bench bench.toml`; the fixture `rig`.

A test says what it needs: `@pytest.mark.needs("car", "seal")`; it is skipped, with the name of the
first capability that the rig lacks. Before each test the rig is brought to its known state. A
failing test leaves console, bus traffic and ledger image in `--evidence`/<name of the test>.
"""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest

from hw.verbs import CAPABILITIES, Rig

if TYPE_CHECKING:
    from hw.bench.states import States

SIMULATION = "sim"
_FAILED: pytest.StashKey[bool] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("hardware in the loop")
    group.addoption("--box", default=SIMULATION, metavar="PORT",
                    help="the box's serial port, or sim: a simulated box (default)")
    group.addoption("--bench", default=None, metavar="FILE",
                    help="bench.toml, the parts of the bench (docs/hil.md)")
    group.addoption("--evidence", default="evidence", metavar="DIRECTORY",
                    help="where a failing test of the rig leaves console, traffic and ledger")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "needs(capability, ...): what the rig must be able to do (hw.verbs.CAPABILITIES)"
    )
    box, bench = config.getoption("--box"), config.getoption("--bench")
    if (box == SIMULATION) != (bench is None):
        raise pytest.UsageError("--box PORT and --bench FILE belong together; give both or none")
    side_by_side = config.getoption("numprocesses", None) or hasattr(config, "workerinput")
    if box != SIMULATION and side_by_side:
        raise pytest.UsageError("a bench serves one test at a time: leave -n out")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for mark in item.iter_markers("needs"):
            unknown = [name for name in mark.args if name not in CAPABILITIES]
            if unknown or not mark.args:
                raise pytest.UsageError(
                    f"{item.nodeid}: needs({', '.join(map(repr, unknown))}) names no capability; "
                    f"there are {', '.join(CAPABILITIES)}"
                )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed:
        item.stash[_FAILED] = True
    return report


class Open:
    """The rig of a run, and the state that was proved of it."""

    def __init__(self, rig: Rig, states: States, lacking: dict[str, str]) -> None:
        self.rig = rig
        self.states = states
        self.lacking = lacking


def _scope(fixture_name: str, config: pytest.Config) -> Literal["module", "session"]:
    """A bench is opened once; a simulation shall not run beside tests that do not use it."""
    return "module" if config.getoption("--box") == SIMULATION else "session"


@pytest.fixture(scope=_scope)
def open_rig(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Open]:
    """The rig, opened; safe again when it is over, also by SIGTERM."""
    from hw.bench.guard import terminated_in_order
    from hw.bench.states import States

    with contextlib.ExitStack() as stack:
        stack.enter_context(terminated_in_order())
        rig, lacking = _make(request.config, tmp_path_factory.mktemp("rig"), stack)
        yield Open(rig, States(rig), lacking)


def _make(
    config: pytest.Config, folder: Path, stack: contextlib.ExitStack
) -> tuple[Rig, dict[str, str]]:
    from host.provisioning.outcome import Stopped

    if config.getoption("--box") == SIMULATION:
        from hw.bench.simulation import Simulation
        from hw.sim.broker import INSTALL_HINT, mosquitto_path

        if mosquitto_path() is None:
            pytest.skip(INSTALL_HINT)
        return stack.enter_context(Simulation(folder)), {}
    from hw.bench.config import read_bench
    from hw.bench.rig import Bench

    try:
        bench = read_bench(Path(config.getoption("--bench")))
        rig = stack.enter_context(Bench(bench, config.getoption("--box")))
    except Stopped as stopped:
        pytest.exit(str(stopped), returncode=stopped.code)
    return rig, bench.lacking()


@pytest.fixture
def rig(open_rig: Open, request: pytest.FixtureRequest) -> Iterator[Rig]:
    """The rig in its known state: no car, seals closed, all delivered, the box available."""
    for mark in request.node.iter_markers("needs"):
        for name in mark.args:
            if name not in open_rig.rig.capabilities:
                why = open_rig.lacking.get(name, "it cannot do that")
                pytest.skip(f"the bench lacks {name}: {why}")
    try:
        open_rig.states.make_ready()
        open_rig.states.begin()
        yield open_rig.rig
    except BaseException:
        request.node.stash[_FAILED] = True
        raise
    finally:
        open_rig.states.end()
        if request.node.stash.get(_FAILED, False):
            _keep(open_rig.rig, request)


def _keep(rig: Rig, request: pytest.FixtureRequest) -> None:
    from hw.bench.evidence import folder_name

    folder = Path(request.config.getoption("--evidence")) / folder_name(request.node.nodeid)
    missing = rig.keep_evidence(folder)
    print(f"evidence: {folder}" + "".join(f"\n  without {line}" for line in missing))
