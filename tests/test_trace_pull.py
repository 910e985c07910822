"""`wallbox trace pull`: from the console, over MQTT, from flash; joined, verified if possible."""

# ruff: noqa: F811 - fixtures are imported by name

import json

import pytest
from typer.testing import CliRunner

from host import image
from host.cli import app
from host.keys import KeyStore
from host.replay.chained import TRACE, Chained, chained
from host.replay.field_log import read_log
from hw.sim.world import LEDGER_KEY, World
from tests.replay_story import TracedBench
from tests.send_fixtures import KEY, SERIAL, box, keys  # noqa: F401
from tests.test_agent import KEY as BENCH_KEY


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Runs `wallbox` in an empty directory."""
    monkeypatch.chdir(tmp_path)

    def run(*words: object, code: int = 0, env: dict | None = None):
        runner = CliRunner(env={"COLUMNS": "250", **(env or {})})
        done = runner.invoke(app, [str(word) for word in words])
        assert done.exit_code == code, done.output + (done.stderr or "")
        return done

    return run


def bench_of(minutes: int) -> TracedBench:
    bench = TracedBench(sectors=256)
    bench.known()
    bench.minutes(minutes)
    return bench


def flash_of(bench: TracedBench) -> bytes:
    """A whole flash with the rings of a bench in it."""
    flash = bytearray(image.build_flash(None, serial="WB-9", ledger_key=BENCH_KEY, vfs=b""))
    part = image.partitions()["trace"]
    flash[part.offset : part.offset + part.size] = bench.trace_image()
    part = image.partitions()["ledger"]
    ledger = bench.flash.image()[: part.size]
    flash[part.offset : part.offset + part.size] = ledger
    return bytes(flash)


def test_from_the_image_of_a_flash_with_the_key_at_hand(run, tmp_path):
    bench = bench_of(5)
    (tmp_path / "flash.bin").write_bytes(flash_of(bench))
    (tmp_path / "keys").mkdir(mode=0o700)
    KeyStore(tmp_path / "keys").create("WB-9", BENCH_KEY)
    told = json.loads(run("trace", "pull", "flash.bin", "-o", "field.zip", "--json").stdout)
    records = bench.agent.trace.next_sequence - 1
    assert told == {
        "file": "field.zip", "serial": "WB-9", "records": records, "ledger_records": 0,
        "verified": {"proved": records, "wrong": 0, "open": 0},
    }  # fmt: skip
    log = read_log(tmp_path / "field.zip")
    assert log.origin.serial == "WB-9" and log.origin.pulled_at and len(log.layouts) == 1
    assert "exists" in run("trace", "pull", "flash.bin", "-o", "field.zip", code=4).stderr
    run("replay", "field.zip")


def test_what_is_pulled_later_is_put_behind_what_is_there(run, tmp_path):
    bench = bench_of(5)
    (tmp_path / "flash.bin").write_bytes(flash_of(bench))
    run("trace", "pull", "flash.bin", "-o", "field.zip", "--join", "--ledger")
    first = read_log(tmp_path / "field.zip")
    bench.minutes(80)
    (tmp_path / "flash.bin").write_bytes(flash_of(bench))
    done = run("trace", "pull", "flash.bin", "-o", "field.zip", "--join", "--ledger")
    both = read_log(tmp_path / "field.zip")
    assert both.trace[: len(first.trace)] == first.trace and len(both.trace) > len(first.trace) + 79
    assert len(both.ledger) > len(first.ledger) > 0
    assert "not verified: its key is not at hand" in done.stdout
    other = bytearray(flash_of(bench))
    part = image.partitions()["nvs"]
    nvs = image.build_nvs({"wallbox": {"serial": b"WB-10"}})
    other[part.offset : part.offset + part.size] = nvs
    (tmp_path / "other.bin").write_bytes(other)
    said = run("trace", "pull", "other.bin", "-o", "field.zip", "--join", code=4).stderr
    assert "WB-9 and WB-10; join logs of one box" in said
    assert read_log(tmp_path / "field.zip") == both


def test_the_image_of_a_partition_with_the_serial_that_it_does_not_tell(run, tmp_path):
    (tmp_path / "ring.bin").write_bytes(bench_of(3).trace_image())
    (tmp_path / "keys").mkdir(mode=0o700)
    KeyStore(tmp_path / "keys").create("WB-9", BENCH_KEY)
    done = run("trace", "pull", "ring.bin", "-o", "field.zip", "--serial", "WB-9")
    assert "records of the trace of WB-9" in done.stdout
    assert "macs are right, 0 wrong" in done.stdout


def test_the_ledger_comes_if_it_is_asked_for_and_is_missed_if_it_is_not_there(run, tmp_path):
    bench = bench_of(3)
    bench.save(tmp_path / "log.zip")
    (tmp_path / "flash.bin").write_bytes(flash_of(bench))
    (tmp_path / "ring.bin").write_bytes(bench.trace_image())
    for source in ("flash.bin", "log.zip"):
        for words, held in (((), 0), (("--ledger",), len(bench.log().ledger))):
            run("trace", "pull", source, "-o", f"{held} of {source}.zip", *words)
            assert len(read_log(tmp_path / f"{held} of {source}.zip").ledger) == held
    run("trace", "pull", "log.zip", "-o", "trace.zip")
    for source in ("ring.bin", "trace.zip"):
        said = run("trace", "pull", source, "-o", "no.zip", "--ledger", code=4).stderr
        assert f"{source}: holds no ledger; name the image of the flash" in said
        assert not (tmp_path / "no.zip").exists()


def test_a_changed_record_is_written_and_said(run, tmp_path):
    bench = bench_of(5)
    log = bench.log()
    wrong = bytearray(log.trace[4])
    wrong[-1] ^= 1
    assert chained(BENCH_KEY, log.trace, TRACE) == Chained(len(log.trace), 0, 0)
    changed = [*log.trace[:4], bytes(wrong), *log.trace[5:]]
    assert chained(BENCH_KEY, changed, TRACE) == Chained(len(log.trace) - 2, 2, 0)
    assert chained(BENCH_KEY, log.trace[3:], TRACE) == Chained(len(log.trace) - 4, 0, 1)
    (tmp_path / "keys").mkdir(mode=0o700)
    KeyStore(tmp_path / "keys").create("WB-9", bytes(32))
    (tmp_path / "flash.bin").write_bytes(flash_of(bench))
    done = run("trace", "pull", "flash.bin", "-o", "field.zip", code=1)
    assert "wrong" in done.stdout and (tmp_path / "field.zip").exists()


def test_a_key_store_that_is_refused_is_said_and_nothing_is_written(run, tmp_path):
    (tmp_path / "flash.bin").write_bytes(flash_of(bench_of(3)))
    said = run("trace", "pull", "flash.bin", "-o", "a.zip", "--keys", "typo", code=4).stderr
    assert "typo: no such key store" in said
    (tmp_path / "keys").mkdir(mode=0o700)
    keys = KeyStore(tmp_path / "keys")
    keys.create("WB-9", BENCH_KEY)
    keys.path("WB-9").chmod(0o644)
    said = run("trace", "pull", "flash.bin", "-o", "a.zip", code=4).stderr
    assert "others may read this key" in said and not (tmp_path / "a.zip").exists()


def test_over_mqtt_with_chunks_that_get_lost(run, tmp_path, mosquitto, keys, box):
    bench = bench_of(70)
    box.trace = bench.trace_image()
    box.lose = {0, 9 * 1024}
    options = ("--port", mosquitto.port, "--keys", keys.directory, "--json")
    done = run("trace", "pull", SERIAL, "-o", "field.zip", *options)
    told = json.loads(done.stdout)
    assert told["serial"] == SERIAL and told["records"] == len(bench.log().trace)
    assert told["verified"]["proved"] == told["records"], "the bench has the same key"
    assert KEY == BENCH_KEY and "trace" in [one["verb"] for one in box.taken]
    run("replay", "field.zip")
    said = run("trace", "pull", SERIAL, "-o", "b.zip", "--ledger", *options, code=2).stderr
    assert "the collector has the ledger" in said
    asked = len(box.taken)
    said = run("trace", "pull", SERIAL, "-o", "field.zip/b.zip", *options, code=4).stderr
    assert "field.zip/b.zip: cannot be written" in said and len(box.taken) == asked, "said at once"
    box.answers["trace"] = ("Rejected", "no memory")
    run("trace", "pull", SERIAL, "-o", "b.zip", *options, code=5)
    assert not list(tmp_path.glob("b.zip*")), "1 would say that it is written"


def test_from_the_console_of_a_box_that_goes_on_working(run, tmp_path):
    """The real firmware: its trace agrees with the rules of the tree that it was built of."""
    (tmp_path / "keys").mkdir(mode=0o700)
    with World(broker=None, meter="sdm630") as world:
        KeyStore(tmp_path / "keys").create(world.serial, LEDGER_KEY)
        world.box.wait_for("console: ready", 30)
        world.car.plug()
        world.car.request_power()
        world.box.wait_until(lambda: world.car.power_w > 0, 30, "charging")
        told = json.loads(
            run("trace", "pull", world.box.usb, "-o", "field.zip", "--ledger", "--json").stdout
        )
        assert world.car.power_w > 0 and world.box.failure is None
        (tmp_path / "others").mkdir(mode=0o700)
        KeyStore(tmp_path / "others").create(world.serial, bytes(32))
        words = ("trace", "pull", world.box.usb, "-o", "b.zip", "--keys", "others")
        assert "the box refuses the login" in run(*words, code=5).stderr
        assert "5: no answer in time, or the box refuses" in run("trace", "pull", "--help").stdout
    assert told["serial"] == world.serial and told["ledger_records"] > 3
    assert told["verified"]["wrong"] == 0 and told["verified"]["proved"] > 10
    found = json.loads(run("replay", "field.zip", "--on", "micropython", "--json").stdout)
    assert found["checked"]["decisions"] >= 2 and found["differences"] == []
    assert list(found["log"]["cores"].values()) == [1], "built into the image by its hash"
    assert found["lanes_differ"] == []


def test_what_is_no_box_is_said(run, tmp_path):
    (tmp_path / "text").write_text("no flash")
    assert "no sectors" in run("trace", "pull", "text", "-o", "a.zip", code=4).stderr
    assert "no serial" in run("trace", "pull", "no/such", "-o", "a.zip", code=2).stderr
    words = ("trace", "pull", "text", "-o", "a.zip", "--serial", "BAD SERIAL")
    assert "'BAD SERIAL' is no serial" in run(*words, code=2).stderr
    (tmp_path / "erased").write_bytes(b"\xff" * 8192)
    assert "no ring" in run("trace", "pull", "erased", "-o", "a.zip", code=4).stderr
    ledger = TracedBench().flash.image()[: 8 * 4096]
    (tmp_path / "ledger").write_bytes(ledger)
    said = run("trace", "pull", "ledger", "-o", "a.zip", code=4).stderr
    assert "ledger: this is the ledger, not the trace; name the trace" in said
    assert not (tmp_path / "a.zip").exists()
    assert run("trace", "pull", "box:/dev/no-port", "-o", "a.zip", code=3)
