"""The relay board over Modbus RTU: switched, read back, bounded when it does not answer."""

import time

import pytest

from host.provisioning.outcome import EXIT_UNREACHABLE, Stopped
from hw.bench.config import Relays
from hw.bench.relays import RETRIES, TIMEOUT_S, RelayBoard, put_to_rest
from hw.bench.simulated_board import SimulatedBoard
from hw.sim.meter_wire import crc16
from tests.benches import COILS, bench_config


@pytest.fixture
def simulated():
    with SimulatedBoard(inputs=lambda: [False, True]) as board:
        yield board


@pytest.fixture
def relays(simulated):
    board = RelayBoard(Relays(port=simulated.path, coils=COILS, inputs={"contactor": 1}))
    yield board
    board.close()


def test_a_relay_switches_and_is_read_back(simulated, relays):
    relays.switch("pilot_b", True)
    assert simulated.coils[COILS["pilot_b"]] and relays.known == {"pilot_b": True}
    assert relays.read() == {name: name == "pilot_b" for name in COILS}
    relays.switch("pilot_b", False)
    assert not any(simulated.coils)


def test_a_contact_that_is_closed_at_rest_opens_with_its_coil(simulated, relays):
    relays.conducts("seal_lid", False)
    assert simulated.coils[COILS["seal_lid"]]
    relays.conducts("seal_lid", True)
    assert not simulated.coils[COILS["seal_lid"]]


def test_inputs_are_read(relays):
    assert relays.inputs() == {"contactor": True}


def test_a_relay_that_does_not_switch_is_named(simulated, relays):
    simulated.stuck.add(COILS["pilot_c"])
    with pytest.raises(Stopped, match=r"pilot_c \(coil 2\) did not switch on") as caught:
        relays.switch("pilot_c", True)
    assert caught.value.field == "relays.coils.pilot_c" and "pilot_c" not in relays.known


def test_a_board_that_tells_nothing_useful_is_believed_if_the_file_says_so(simulated):
    simulated.stuck.add(2)
    simulated.tells = False
    board = RelayBoard(Relays(port=simulated.path, coils=COILS, read_back=False))
    assert board.read() == {}, "nothing is known yet"
    board.switch("pilot_c", True)
    board.switch("mains", True)
    assert board.read() == {"pilot_c": True, "mains": True}
    board.rest(mains_on=board.read()["mains"])
    assert simulated.coils[COILS["mains"]] and board.read()["pilot_c"] is False
    board.close()


def test_a_silent_board_is_said_in_bounded_time(simulated, relays):
    relays.switch("mains", True)
    simulated.silent = True
    began = time.monotonic()
    with pytest.raises(Stopped, match="no answer from the relay board") as caught:
        relays.switch("mains", False)
    assert caught.value.code == EXIT_UNREACHABLE and "address 1, 9600 baud" in str(caught.value)
    assert time.monotonic() - began < (RETRIES + 1) * TIMEOUT_S + 5
    assert "mains" not in relays.known
    simulated.silent = False
    relays.switch("mains", False)
    assert not simulated.coils[0]


def test_a_late_answer_is_not_taken_for_the_one_that_is_due(simulated, relays):
    late = b"\x01\x05\x00\x02\xff\x00"  # pilot_c is on
    late += crc16(late)
    for ask in (relays.read, relays.inputs, lambda: relays.switch("pilot_b", False)):
        expected = ask()
        simulated.late = late
        assert ask() == expected and not simulated.late


def test_no_port(tmp_path):
    board = RelayBoard(Relays(port=str(tmp_path / "none"), coils=COILS))
    with pytest.raises(Stopped, match="cannot be opened"):
        board.read()


def test_a_coil_that_the_board_does_not_have(simulated):
    board = RelayBoard(Relays(port=simulated.path, coils={"mains": 40}))
    with pytest.raises(Stopped, match="refuses 40: Modbus exception 2"):
        board.switch("mains", True)
    board.close()


def test_a_relay_that_the_bench_does_not_have(relays):
    with pytest.raises(Stopped, match=r"no relay pilot_d: relays.coils.pilot_d is missing"):
        relays.switch("pilot_d", True)


@pytest.mark.parametrize("at_rest", ["off", "on"])
def test_rest_opens_the_pilot_before_the_mains_go(tmp_path, at_rest):
    order = []
    with SimulatedBoard(switched=lambda number, on: order.append((number, on))) as simulated:
        config = bench_config(tmp_path, simulated.path, f'[mains]\nat_rest = "{at_rest}"\n')
        board = RelayBoard(config.relays)
        for name in COILS:
            board.switch(name, True)
        board.close()
        order.clear()
        put_to_rest(config)
        assert simulated.coils[0] == (at_rest == "on") and not any(simulated.coils[1:])
        assert order[:2] == [(COILS["pilot_c"], False), (COILS["pilot_b"], False)]
        assert ((0, False) == order[-1]) == (at_rest == "off")


def test_traffic_can_be_listened_to(simulated):
    heard = []
    board = RelayBoard(Relays(port=simulated.path, coils=COILS),
                       lambda who, data: heard.append((who, data[:2].hex())))
    board.switch("mains", True)
    board.close()
    assert heard[:2] == [("bench", "0105"), ("board", "0105")] and ("board", "0101") in heard
