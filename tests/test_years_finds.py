"""What the simulated years have found in the firmware, each as the short story that shows it."""

import pytest
from wallbox.core import decisions, events, power
from wallbox.store import ring as rings

from host.years.job import Job, Lane, play
from host.years.on_box import plan
from host.years.on_box.rules_model import SEALED, Model
from hw.sim.flash import NorFlash, Partition
from tests.player import UTC_S, Player

RESTART_S = power.RESTART_MS // 1000
SECTOR = 4096
SEED = 2027


def at_home(**config: int) -> Player:
    box = Player(**config)
    box.boot()
    box.clock(UTC_S)
    box.identity()
    box.read()
    return box


@pytest.mark.parametrize("sealed", [True, False])
def test_new_seals_that_were_written_hold_though_the_power_went_off_in_that_very_step(sealed):
    """An error of the onlooker, not of the rules: it then said that a seal had healed by itself."""
    model = Model()
    model.broken = 1
    if sealed:
        model.fact((decisions.SEAL, 407_060, 22_813_558, SEALED, 0, b"1016 1017"), 0)
    model.power_off()
    assert model.broken == (0 if sealed else 1)


@pytest.mark.parametrize("lane", Lane)
def test_a_sensor_that_speaks_while_the_ledger_takes_nothing_tells_its_limit_again(lane):
    """The core hears nothing then. An error of the simulated sensor, which told it once."""
    minute_ms, limit_ma = 60_000, 6000
    happens = [
        [120 * minute_ms, "sensor", "sensor", 5, limit_ma, 60 * minute_ms],
        [150 * minute_ms, "flash", "flash_dies", 1, 90 * minute_ms],
    ]
    span_ms = 6 * 60 * minute_ms
    settings = plan.make(SEED, 0, span_ms)[0]
    told = play(Job(SEED, 0, span_ms, lane=lane, made=(settings, happens))).told
    assert told["counts"]["recoveries without a boot"] > 0
    assert told["wrong"] is None


def test_a_ledger_that_is_full_at_the_boot_is_told_before_the_boot_is():
    """An interval ran when the power went off, and idle ones have no room any more."""
    before = at_home()
    before.read()
    box = Player(before)
    assert box.state.gap_open == 0, "as the ledger has it"
    assert box.send(events.LEDGER, 978, 1, 0) == [], "no register is known yet: nothing is closed"
    facts = [fact[0] for fact in box.boot(2)]
    assert decisions.GAP_BEGIN in facts


@pytest.mark.parametrize("interval_s", [300, 900, 3600])
def test_the_interval_that_a_power_cut_ends_tells_its_length(interval_s):
    before = at_home(interval_s=interval_s)
    box = Player(before)
    heartbeat = (before.register_wh, UTC_S + 100, 3)
    cut = [fact for fact in box.boot(2, heartbeat) if fact[0] == decisions.INTERVAL]
    assert [fact[6] for fact in cut] == [interval_s]


def test_a_heartbeat_from_before_the_clock_was_put_back_ends_no_interval():
    """It is older than the last record, though its time looks younger."""
    before = at_home()
    box = Player(before)
    (gap,) = [fact for fact in box.boot(2, (before.register_wh, UTC_S + 3147, 1)) if fact[0] in
              (decisions.INTERVAL, decisions.GAP_BEGIN)]
    assert gap[0] == decisions.GAP_BEGIN and gap[3] == UTC_S


def test_a_car_without_a_diode_is_offered_current_each_ten_seconds_and_not_each_sixty_ms():
    """It is wrong only while it is offered current; then the letter is B again."""
    box = at_home()
    box.pilot("B")
    box.read()
    assert box.state.duty_permille < power.STEADY
    offers = 0
    for _ in range(1000):
        box.now += 60
        offered = box.state.duty_permille < power.STEADY
        offers += offered
        box.pilot("E" if offered else "B")
        if box.now >= box.state.due:
            box.send(events.TICK)
    assert 60 // RESTART_S - 1 <= offers <= 60 // RESTART_S + 1


def test_reading_the_newest_record_again_and_again_does_not_search_its_sector():
    """The link reads each record once, when it has just been written."""
    flash = NorFlash(None, 8 * SECTOR)
    ring = rings.Ring(Partition(flash, 0, 8 * SECTOR), b"ring", b"key", False)
    ring.mount()
    buf = bytearray(254)
    sequence = 0
    for number in range(60):
        sequence = ring.append(1, 0, 1, number, 0, b"twenty bytes of fact")
        assert ring.read_into(sequence, buf)[1:] == (sequence, sequence)
    before = flash.bytes_read
    ring.append(1, 0, 1, 61, 0, b"twenty bytes of fact")
    ring.read_into(sequence + 1, buf)
    assert flash.bytes_read - before < 1500
