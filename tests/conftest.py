"""What tests share: the real broker, the real interpreter, seeds, and the rule against skipping."""

from __future__ import annotations

import os
import shutil
import signal

import hypothesis
import pytest

from host.demo.scene import Scene
from tests.interpreter import Interpreter
from tests.mosquitto import Mosquitto, mosquitto_path

hypothesis.settings.register_profile(
    "wallbox", derandomize=True, deadline=None, print_blob=True, max_examples=100
)
hypothesis.settings.load_profile("wallbox")

# Output looks as in a pipe, wherever the tests are started: COLUMNS is a parallel worker's, the
# others switch colour on or off, or make a terminal of what is none.
for name in ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE", "PY_COLORS",
             "TTY_COMPATIBLE", "TTY_INTERACTIVE", "GITHUB_ACTIONS", "CI"):  # fmt: skip
    os.environ.pop(name, None)

# What is started behind a shell's "&" inherits that Ctrl-C is ignored, and its children with it.
signal.signal(signal.SIGINT, signal.default_int_handler)

pytest_plugins = ["hw.bench.plugin"]

NO_MOSQUITTO = "mosquitto is not installed: apt-get install mosquitto"
SEED_VARIABLE = "WALLBOX_SEED"
NO_SKIPS_VARIABLE = "WALLBOX_NO_SKIPS"
LONG = (  # begun first, those that reckon between those that wait, so that no core is idle
    "test_whole_box", "test_years", "test_provisioning_recovery", "test_bad_input", "test_demo",
    "test_torture", "test_whole_box_send", "test_whole_box_commands", "test_mutants",
    "test_whole_box_rules", "test_provisioning_people", "test_record_mutants", "test_bench",
    "test_returning", "test_ledger_verify", "test_provisioning", "test_provisioning_refusals",
    "test_leasefile", "test_provisioning_terminal", "test_rules_machine", "test_console",
    "test_fleet", "test_lanes", "test_collect", "test_provisioning_image", "test_replay_lanes",
)  # fmt: skip


@pytest.fixture
def mosquitto(tmp_path):
    """A real broker on a free port of this machine, started, without passwords; a test that
    needs users, an ACL or more lines of configuration calls `mosquitto.reconfigure(...)`."""
    if mosquitto_path() is None:
        pytest.skip(NO_MOSQUITTO)
    broker = Mosquitto(tmp_path / "mosquitto")
    broker.start()
    yield broker
    broker.stop()


@pytest.fixture
def scene(tmp_path):
    """Box, world, mosquitto and collector; the mains are off, intervals last 2 s."""
    if mosquitto_path() is None:
        pytest.skip(NO_MOSQUITTO)
    with Scene(tmp_path, "mosquitto", interval_s=2, meter="sdm630") as scene:
        yield scene


@pytest.fixture(scope="session")
def micropython():
    """The real interpreter: `micropython.run(code)`, `.path`."""
    path = shutil.which("micropython") or ""
    return Interpreter(path)


@pytest.fixture
def seed(request) -> int:
    """The seed of a test that draws at random: WALLBOX_SEED, or one fixed by the test's name."""
    text = os.environ.get(SEED_VARIABLE)
    value = int(text) if text else sum(request.node.name.encode()) * 2654435761 % 2**32
    print(f"seed {value} (repeat with {SEED_VARIABLE}={value})")
    return value


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    rank = {name: number for number, name in enumerate(LONG)}
    items.sort(key=lambda item: rank.get(item.path.stem, len(LONG)))


def pytest_terminal_summary(terminalreporter, exitstatus, config):
    """Under WALLBOX_NO_SKIPS=1 a skipped test is a failure; this lists them."""
    skipped = terminalreporter.stats.get("skipped", [])
    if skipped and os.environ.get(NO_SKIPS_VARIABLE):
        terminalreporter.write_line(f"{NO_SKIPS_VARIABLE} is set and these tests were skipped:")
        for report in skipped:
            reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
            terminalreporter.write_line(f"  {report.nodeid}: {reason}")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session, exitstatus):
    if not os.environ.get(NO_SKIPS_VARIABLE) or exitstatus != pytest.ExitCode.OK:
        return
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
