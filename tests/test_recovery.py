"""Recovery of the link in stages: when each comes, when it comes again, what it waits for."""

import pytest
from wallbox.link.recovery import REBOOT, WIFI, Recovery

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS


class Play:
    """Failed attempts, one a minute."""

    def __init__(self) -> None:
        self.done: list[tuple[int, int]] = []  # minute, stage
        self.harmful: set[int] = set()
        self.asked = 0
        self.now = 0
        self.recovery = Recovery(self.perform)

    def perform(self, stage: int) -> bool:
        self.asked += 1
        if stage in self.harmful:
            return False
        self.done.append((self.now // MINUTE_MS, stage))
        return True

    def fail(self, minutes: int) -> None:
        for _ in range(minutes):
            self.now += MINUTE_MS
            self.recovery.failed(self.now)

    def stages(self, stage: int) -> list[int]:
        return [minute for minute, done in self.done if done == stage]


def test_the_radio_after_ten_minutes_and_then_each_hour():
    play = Play()
    play.fail(9)
    assert play.done == []
    play.fail(180)
    assert play.done == [(10, WIFI), (70, WIFI), (130, WIFI)]


def test_many_failures_in_a_short_time_restart_nothing():
    play = Play()
    for _ in range(100):
        play.now += 1000
        play.recovery.failed(play.now)
    assert play.done == []


def test_few_attempts_in_a_long_time_restart_nothing():
    """As when there was no network most of the time: then there was no attempt."""
    play = Play()
    for _ in range(7):
        play.now += 2 * HOUR_MS
        play.recovery.failed(play.now)
    assert play.done == []


def test_a_reboot_not_before_a_day_and_then_once_a_day():
    play = Play()
    play.fail(60 * 60)
    assert play.stages(REBOOT) == [24 * 60, 48 * 60]


def test_a_reboot_after_six_hours_in_a_box_that_runs_for_long():
    play = Play()
    play.now = 100 * HOUR_MS
    play.recovery.reached(play.now)
    play.fail(6 * 60 + 5)
    assert play.stages(REBOOT) == [106 * 60]


def test_what_would_do_harm_is_asked_again_and_the_stage_below_goes_on():
    play = Play()
    play.now = 100 * HOUR_MS
    play.recovery.reached(play.now)
    play.harmful = {REBOOT}
    play.fail(8 * 60)
    assert play.stages(REBOOT) == []
    assert len(play.stages(WIFI)) == 8
    play.harmful = set()
    play.fail(1)
    assert play.stages(REBOOT) == [108 * 60 + 1]


@pytest.mark.parametrize("minutes", [9, 70, 350])
def test_an_answer_of_the_broker_begins_it_anew(minutes):
    play = Play()
    play.now = 30 * HOUR_MS
    play.recovery.reached(play.now)
    play.fail(minutes)
    play.recovery.reached(play.now)
    play.done.clear()
    play.fail(9)
    assert play.done == []
