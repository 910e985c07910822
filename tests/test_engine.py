"""What the core decides, told as stories."""


import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wallbox.core import decisions, engine, events, power, refusals, status
from wallbox.core.rules import access

from tests.player import PARTS, UTC_S, Player, accounted_wh


def test_plugging_in_starts_a_session_and_the_car_gets_power():
    box = Player()
    box.ready()
    assert box.pilot("B") == [(decisions.LAMP, status.PREPARING), (decisions.METER_WANTED, 1)]
    begun = box.read()
    assert begun[:2] == [
        (decisions.SESSION_BEGIN, 1_000_000, 42, 1, access.ANYBODY, 0, 0, b""),
        (decisions.PILOT_DUTY, 266),
    ]
    assert (decisions.CONTACTOR, 1) in box.pilot("C")


def test_the_fact_that_grants_comes_before_the_grant_and_a_denial_before_all():
    box = Player()
    box.ready()
    box.pilot("C")
    kinds = [decision[0] for decision in box.read()]
    assert kinds.index(decisions.SESSION_BEGIN) < kinds.index(decisions.CONTACTOR)
    assert box.send(events.METER_REFUSED, 3)[:3] == [
        (decisions.CONTACTOR, 0),
        (decisions.PILOT_DUTY, 1000),
        (decisions.FAULT, refusals.METER_REFUSED, 3),
    ]


def test_unplugging_opens_at_once_and_ends_the_session_with_a_fresh_register():
    box = Player()
    box.ready()
    box.charge()
    box.run(60, power_w=11_000)
    assert box.pilot("A")[0] == (decisions.CONTACTOR, 0)
    box.follow()
    ended = next(fact for fact in box.read(add_wh=1) if fact[0] == decisions.SESSION_END)
    begin_wh, end_wh, energy_wh = 1_000_000, ended[1], ended[4]
    assert energy_wh == end_wh - begin_wh == 184
    assert decisions.REASONS[ended[7]] == "EVDisconnected"


def test_a_session_ends_without_a_meter_too_and_says_so():
    box = Player()
    box.ready()
    box.charge()
    box.read(add_wh=5)
    box.send(events.METER_SILENT, 0)
    box.pilot("A")
    box.now += 10_000
    ended = next(fact for fact in box.tick() if fact[0] == decisions.SESSION_END)
    assert ended[4] == 5 and ended[8] == 1


@pytest.mark.parametrize("gone", [(events.METER_SILENT, 0), (events.METER_REFUSED, 1)])
def test_no_meter_no_charge_and_power_returns_with_the_meter(gone):
    box = Player()
    box.ready()
    box.charge()
    assert box.send(*gone)[0] == (decisions.CONTACTOR, 0)
    box.follow()
    assert box.state.refusals
    assert (decisions.CONTACTOR, 1) not in box.read(), "contactors and cars want a rest"
    box.now += power.RESTART_MS
    assert (decisions.CONTACTOR, 1) in box.tick()


def test_an_invalid_configuration_never_charges():
    box = Player(valid=0, installation_limit_ma=0)
    box.ready()
    box.charge()
    assert refusals.names(box.state.refusals) == ["ConfigurationInvalid"]
    assert not [d for _, d in box.log if d == (decisions.CONTACTOR, 1)]


def test_a_contactor_that_does_not_follow_is_a_latched_fault():
    box = Player()
    box.ready()
    box.pilot("C")
    box.read()
    box.now += 500
    assert box.tick()[0] == (decisions.CONTACTOR, 0)
    box.send(events.CONTACTOR, 1)
    box.send(events.CONTACTOR, 0)
    box.read()
    assert "PowerSwitchFailure" in refusals.names(box.state.refusals)


@pytest.mark.parametrize("letter", "DEF")
def test_power_flows_in_c_alone(letter):
    box = Player()
    box.ready()
    box.charge()
    assert box.pilot(letter)[0] == (decisions.CONTACTOR, 0)


def test_quarters_end_at_utc_multiples_with_the_register_read_there():
    box = Player()
    box.ready()
    box.charge()
    box.run(3600, power_w=11_000)
    intervals = box.of_kind(decisions.INTERVAL)
    assert [fact[4] % 900 for fact in intervals] == [0, 0, 0, 0]
    assert [fact[7] for fact in intervals] == [decisions.PARTIAL, 0, 0, 0]
    assert intervals[1][3] == 2750
    assert accounted_wh(box.facts) == intervals[-1][1] - 1_000_000


def test_a_silent_meter_at_a_boundary_makes_a_gap_with_both_registers():
    box = Player()
    box.ready()
    box.charge()
    box.run(600, power_w=11_000)
    last_wh = box.register_wh
    box.send(events.METER_SILENT, 0)
    while box.now < 1_000_000:
        box.now = max(box.now + 1, min(box.state.due, 1_000_000))
        box.tick()
    begin = box.of_kind(decisions.GAP_BEGIN)[-1]
    assert begin[1] == last_wh and begin[5] == decisions.GAP_METER
    box.read(add_wh=7)
    end = box.of_kind(decisions.GAP_END)[-1]
    assert end[1] - end[3] == last_wh and end[3] == 7
    assert accounted_wh(box.facts) == box.register_wh - 1_000_000


def test_a_power_cut_in_mid_session_keeps_its_kwh_and_the_session_goes_on():
    box = Player()
    box.ready()
    box.charge()
    box.run(1000, power_w=11_000)
    heartbeat = (box.register_wh, UTC_S + 1000, events.SYNCHRONISED)
    after = box.survivor()
    after.facts, after.register_wh = list(box.facts), box.register_wh + 3
    after.boot(2, heartbeat)
    begin = after.of_kind(decisions.GAP_BEGIN)[-1]
    assert begin[1] == heartbeat[0] and begin[3] == heartbeat[1]
    after.pilot("C")
    after.identity()
    after.read()
    assert after.state.contactor == 1, "charging does not wait for the clock"
    after.clock(UTC_S + 1200)
    after.read(add_wh=2)
    after.pilot("A")
    after.read()
    ended = after.of_kind(decisions.SESSION_END)[-1]
    assert ended[3] == 1 and ended[4] == after.register_wh - 1_000_000
    gap = after.of_kind(decisions.GAP_END)[-1]
    assert gap[3] == 5 and gap[6] == decisions.GAP_POWER | decisions.GAP_CLOCK
    assert accounted_wh(after.facts) == gap[1] - 1_000_000


def test_a_car_that_left_during_the_power_cut_ends_its_session_with_power_loss():
    box = Player()
    box.ready()
    box.charge()
    after = box.survivor()
    after.boot(2)
    after.pilot("A")
    after.identity()
    after.read(add_wh=1)
    ended = after.of_kind(decisions.SESSION_END)[-1]
    assert decisions.REASONS[ended[7]] == "PowerLoss" and ended[4] == 1


def test_a_session_whose_begin_nothing_but_the_ledger_knows_never_ends_below_it():
    """Power cut right after SESSION_BEGIN, the car gone, the meter dead ever after."""
    box = Player()
    box.ready()
    box.pilot("B")
    box.read(add_wh=8)
    after = box.survivor()
    after.boot(2)
    after.pilot("A")
    after.now += 10_000
    ended = next(fact for fact in after.tick() if fact[0] == decisions.SESSION_END)
    assert ended[1] == 1_000_008 and ended[4] == 0 and ended[8] == 1


@pytest.mark.parametrize(("cause", "reason"), [(1, "PowerLoss"), (3, "Reboot"), (5, "Reboot")])
def test_what_ended_the_box_is_what_ends_the_session_of_a_car_that_left(cause, reason):
    box = Player()
    box.ready()
    box.charge()
    after = box.survivor()
    after.boot(2, cause=cause)
    after.pilot("A")
    after.identity()
    after.read()
    assert decisions.REASONS[after.of_kind(decisions.SESSION_END)[-1][7]] == reason
    lost = decisions.GAP_POWER if cause == 1 else decisions.GAP_RESTART
    assert after.of_kind(decisions.GAP_BEGIN)[-1][5] == lost


@pytest.mark.parametrize("jump_s", [7200, -7200, 400 * 86400])
def test_a_jump_of_the_clock_is_a_fact_and_a_gap_and_loses_no_energy(jump_s):
    box = Player()
    box.ready()
    box.charge()
    box.run(2000, power_w=11_000)
    box.clock(UTC_S + 2000 + jump_s)
    assert box.of_kind(decisions.CLOCK)[-1][2] == UTC_S + 2000
    assert box.of_kind(decisions.GAP_BEGIN)[-1][5] == decisions.GAP_CLOCK
    box.run(2000, power_w=11_000)
    last = [f for f in box.facts if f[0] in (decisions.INTERVAL, decisions.GAP_END)][-1]
    assert accounted_wh(box.facts) == last[1] - 1_000_000


def test_nothing_ends_at_a_quarter_before_the_clock_is_known():
    box = Player()
    box.boot()
    box.identity()
    box.read()
    box.charge()
    box.clock(UTC_S, events.INFORMATIVE)
    box.run(3000, power_w=11_000)
    assert not box.of_kind(decisions.INTERVAL)
    assert box.of_kind(decisions.GAP_BEGIN)[0][5] == decisions.GAP_CLOCK
    box.clock(UTC_S)
    box.read()
    assert accounted_wh(box.facts) == box.register_wh - 1_000_000


def test_another_meter_than_the_known_one_is_refused():
    box = Player()
    box.ready()
    box.identity(43)
    box.read(add_wh=1000)
    box.charge()
    assert refusals.names(box.state.refusals) == ["MeterExchanged"]
    assert box.state.register_wh == 1_000_000


def test_a_full_ledger_lets_the_running_session_end_and_begins_none():
    box = Player()
    box.ready()
    box.charge()
    box.send(events.LEDGER, 1000, 1, 0)
    assert box.state.contactor == 1
    box.pilot("A")
    box.follow()
    box.read()
    assert box.of_kind(decisions.SESSION_END)
    box.charge()
    assert box.state.contactor == 0
    assert refusals.names(box.state.refusals) == ["LedgerFull"]


def test_a_snapshot_restores_what_the_facts_would():
    box = Player()
    box.ready()
    box.charge()
    box.run(1000, power_w=11_000)
    snapshot = bytearray(engine.SNAPSHOT_SIZE)
    engine.snapshot(box.state, snapshot)
    by_snapshot = engine.State()
    engine.recall(by_snapshot, (decisions.STATE, bytes(snapshot)), 0, 0)
    again = bytearray(engine.SNAPSHOT_SIZE)
    engine.snapshot(by_snapshot, again)
    assert again == snapshot
    engine.snapshot(box.survivor().state, again)
    assert again == snapshot


EVENTS = st.one_of(
    st.tuples(st.just("wait"), st.integers(0, 400)),
    st.tuples(st.just("pilot"), st.sampled_from("AABBCCCDEF")),
    st.tuples(st.just("read"), st.integers(0, 3000)),
    st.tuples(st.just("silent"), st.just(0)),
    st.tuples(st.just("refused"), st.integers(0, 5)),
    st.tuples(st.just("clock"), st.integers(-10_000, 10_000)),
    st.tuples(st.just("ledger"), st.booleans()),
    st.tuples(st.just("follow"), st.just(0)),
    st.tuples(st.just("cut"), st.integers(0, 2)),
    st.tuples(st.just("identity"), st.sampled_from([42, 42, 43])),
    st.tuples(st.just("approve"), st.sampled_from([42, 43])),
    st.tuples(st.just("register"), st.sampled_from([99_999_999, 5, 999_999])),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(EVENTS, max_size=60))
def test_whatever_happens_no_energy_is_lost_and_power_never_flows_against_a_refusal(story):
    box = Player()
    box.ready()
    for verb, value in story:
        box = _play(box, verb, value)
        if box.state.contactor:
            assert box.state.refusals == 0 and box.state.letter == events.C
            assert box.state.session_phase == 2
            assert box.state.duty_permille * 60 <= box.state.installation_limit_ma
        else:
            assert box.state.letter == events.C or box.state.duty_permille in (266, 1000)
        assert accounted_wh(box.facts) == counted_wh(box.facts, box.state.accounted_wh)
    box.follow()
    box.clock(UTC_S + box.now // 1000)
    for _ in range(2):
        box.identity()
        box.read()
        box.approve_meter(42)
    box.send(events.LEDGER, 0, 0, 0)
    box.pilot("A")
    box.read()
    box.now += 901_000
    box.tick()
    box.read()
    assert accounted_wh(box.facts) == counted_wh(box.facts, box.register_wh)
    begun = [fact[3] for fact in box.of_kind(decisions.SESSION_BEGIN)]
    assert begun == [fact[3] for fact in box.of_kind(decisions.SESSION_END)]
    assert begun == list(range(1, len(begun) + 1))


def counted_wh(facts: list[tuple], register_wh: int) -> int:
    """What all meters have counted up to this register of the last one."""
    counted, begin_wh, last_wh = 0, 0, 0
    for fact in facts:
        if fact[0] == decisions.METER:
            counted += last_wh - begin_wh
            begin_wh = last_wh = fact[1]
        elif fact[0] in PARTS:
            last_wh = fact[1]
        if fact[0] == decisions.METER_ROLLOVER:
            counted += fact[4]
    return counted + register_wh - begin_wh


def _play(box: Player, verb: str, value) -> Player:
    if verb == "wait":
        for _ in range(20):
            step_s = value // 20
            box.now += step_s * 1000
            if box.now >= box.state.due:
                box.tick()
    elif verb == "pilot":
        box.pilot(value)
    elif verb == "read":
        box.read(value)
    elif verb == "silent":
        box.send(events.METER_SILENT, 0)
    elif verb == "refused":
        box.send(events.METER_REFUSED, value)
    elif verb == "clock":
        box.clock(UTC_S + box.now // 1000 + value)
    elif verb == "ledger":
        box.send(events.LEDGER, 500, value, 0)
    elif verb == "follow":
        box.follow()
    elif verb == "identity":
        box.identity(value)
    elif verb == "approve":
        box.approve_meter(value)
    elif verb == "register":
        box.register_wh = value
    elif verb == "cut":
        after = box.survivor()
        after.facts, after.fact_times = box.facts, box.fact_times
        heartbeat = (box.state.register_wh, box.state.reading_utc_s, box.state.reading_quality)
        after.boot(2, heartbeat if value and box.state.reading else None)
        if value == 2:
            after.clock(UTC_S + box.now // 1000)
        after.identity()
        return after
    return box
