"""The Modbus master: what it sends when, and which bytes it believes."""

import random

import pytest
from wallbox.drivers import meter_reasons as reasons
from wallbox.drivers import modbus
from wallbox.drivers.modbus import ANSWER, FAILED, SEND, WAIT, Master, crc16

from tests.meterline import frame

UNIT, FUNCTION, ADDRESS, COUNT = 1, 4, 0x0046, 6
PAYLOAD = bytes(range(1, 13))
GOOD = frame(UNIT, FUNCTION, 2 * COUNT, *PAYLOAD)


def asked(at: int = 0, **options) -> Master:
    """A master whose request has just been sent."""
    master = Master(9600, **options)
    master.ask(UNIT, FUNCTION, ADDRESS, COUNT, at)
    assert master.service(at) == SEND
    master.sent(at)
    return master


def run(master: Master, now: int, coming: list[tuple[int, bytes]], until: int = 20_000):
    """Serves the master when it is due; sends again when told. Returns (time, code, sent at)."""
    coming = sorted(coming)
    sent = []
    while now < until:
        while coming and coming[0][0] <= now:
            _, data = coming.pop(0)
            master.feed(data, len(data), now)
        code = master.service(now)
        if code == SEND:
            master.sent(now)
            sent.append(now)
        elif code != WAIT:
            return now, code, sent
        now = max(now + 1, min(master.due, coming[0][0] if coming else until))
    raise AssertionError("never done")


def payload(master: Master) -> bytes:
    return bytes(master.buf[master.at : master.at + 2 * COUNT])


def test_crc():
    """The example of Modbus over Serial Line V1.02, appendix B: 02 07 has the CRC 41 12."""
    assert frame(2, 7) == bytes.fromhex("0207 4112")
    assert crc16(frame(2, 7), 0, 4) == 0
    assert crc16(b"123456789", 0, 9) == 0x4B37


def test_request():
    """The example of Eastron's protocol papers: input registers 0 and 1 of unit 1."""
    master = Master(9600)
    master.ask(1, 4, 0, 2, 0)
    assert bytes(master.request) == bytes.fromhex("010400000002 71cb")


def test_answer():
    master = asked()
    assert run(master, 0, [(60, GOOD)])[:2] == (60, ANSWER)
    assert payload(master) == PAYLOAD
    assert (master.bad, master.stray, master.retries) == (0, 0, 0)


def test_answer_in_pieces_with_pauses():
    parts = [(60 + 45 * i, GOOD[2 * i : 2 * i + 2]) for i in range(9)]
    master = asked()
    assert run(master, 0, parts)[1] == ANSWER
    assert payload(master) == PAYLOAD


@pytest.mark.parametrize("baud", [9600, 19200, 38400, 115200])
def test_silence_of_three_and_a_half_characters_before_a_request(baud):
    """At least 3.5 x 11 bits, above 19,200 baud 1.75 ms (Modbus over Serial Line 2.5.1.1)."""
    master = Master(baud)
    master.feed(b"\x00", 1, 1000)  # the bus is not silent
    master.ask(UNIT, FUNCTION, ADDRESS, COUNT, 1000)
    now = 1000
    while master.service(now) != SEND:
        now += 1
    # ms are cut: 1000 may have been 1000.999, so one ms must be given away
    assert now - 1 - 1000 >= max(3.5 * 11_000 / baud, 1.75)
    assert now - 1000 <= 7


def test_pause_between_requests_as_the_map_says():
    master = asked(pause_ms=100)
    now, code, _ = run(master, 0, [(60, GOOD)])
    assert code == ANSWER
    master.ask(UNIT, FUNCTION, ADDRESS, COUNT, now)
    assert master.service(now) == WAIT
    assert master.due == 160
    assert master.service(159) == WAIT
    assert master.service(160) == SEND


def test_no_answer():
    """Three attempts of at least 600 ms each, then it is told."""
    master = asked()
    now, code, sent = run(master, 0, [])
    assert (code, master.reason) == (FAILED, reasons.SILENT)
    assert len(sent) == 2
    assert all(b - a > 600 for a, b in zip([0, *sent], [*sent, now], strict=True))
    assert now < 2000


@pytest.mark.parametrize("answer_ms", [5, 40, 250, 500])
def test_slow_answers_are_waited_for(answer_ms):
    master = asked()
    assert run(master, 0, [(10 + answer_ms, GOOD)])[1] == ANSWER
    assert master.retries == 0


def test_own_echo_is_not_an_answer():
    """A two-wire transceiver with its receiver on hears the request first."""
    master = asked()
    echo = bytes(master.request)
    assert run(master, 0, [(9, echo), (80, GOOD)])[:2] == (80, ANSWER)
    assert payload(master) == PAYLOAD
    master = asked()
    assert run(master, 0, [(9, echo + GOOD)])[1] == ANSWER
    assert payload(master) == PAYLOAD
    assert master.retries == 0


def test_late_answer_is_not_taken_for_the_present_one():
    """The answer to the first request comes while the second is out: it is asked a third time."""
    old = frame(UNIT, FUNCTION, 2 * COUNT, *bytes(12))
    master = asked()
    now, code, sent = run(master, 0, [(640, old), (700, GOOD), (900, GOOD)], until=3000)
    assert code == ANSWER
    assert payload(master) == PAYLOAD
    assert master.late == 1
    assert len(sent) == 2


def test_late_answer_in_the_next_request_is_drained():
    master = asked()
    now, _, _ = run(master, 0, [(60, GOOD)])
    master.feed(GOOD, len(GOOD), now + 5)  # comes twice
    assert master.stray == len(GOOD)
    master.ask(UNIT, FUNCTION, ADDRESS, COUNT, now + 6)
    assert master.service(now + 6) == WAIT
    assert master.service(now + 11) == SEND


def test_spoiled_answer_is_asked_for_again_at_once():
    bad = GOOD[:-1] + b"\x00"
    master = asked()
    now, code, sent = run(master, 0, [(60, bad), (200, GOOD)])
    assert (code, len(sent), master.retries) == (ANSWER, 1, 1)
    assert sent[0] < 130


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (GOOD[:-2] + b"\x12\x34", reasons.BAD_CRC),
        (GOOD[:9], reasons.BAD_CRC),
        (frame(2, FUNCTION, 2 * COUNT, *PAYLOAD), reasons.UNIT_MISMATCH),
        (frame(UNIT, 3, 2 * COUNT, *PAYLOAD), reasons.WRONG_ANSWER),
        (frame(UNIT, FUNCTION, 10, *PAYLOAD[:10]), reasons.WRONG_ANSWER),
        (frame(UNIT, FUNCTION, 14, *PAYLOAD, 1, 2), reasons.WRONG_ANSWER),
        (frame(UNIT, FUNCTION, 14, *PAYLOAD), reasons.WRONG_ANSWER),
        (b"\x00\xff", reasons.BUS_NOISE),
    ],
)
def test_reasons(wrong, reason):
    master = asked()
    times = range(60, 6000, 150)
    _, code, _ = run(master, 0, [(at, wrong) for at in times], until=6000)
    assert (code, master.reason) == (FAILED, reason)
    assert master.bad > 0


def test_exception_answers():
    """The meter says no: asked three times, for it may only have been busy."""
    no = frame(UNIT, FUNCTION | 0x80, 2)
    master = asked()
    now, code, sent = run(master, 0, [(60, no), (130, no), (200, no)])
    assert (code, master.reason, master.exception) == (FAILED, reasons.EXCEPTION, 2)
    assert (now, len(sent)) == (200, 2)
    master = asked()
    _, code, sent = run(master, 0, [(60, no), (150, GOOD)])
    assert (code, len(sent)) == (ANSWER, 1)


def test_bus_that_is_never_silent():
    master = Master(9600)
    master.ask(UNIT, FUNCTION, ADDRESS, COUNT, 0)
    chatter = [(at, b"\x55\xaa") for at in range(0, 5000, 3)]
    now, code, sent = run(master, 0, chatter, until=5000)
    assert (code, master.reason) == (FAILED, reasons.BUS_NOISE)
    assert now < 1100
    master = asked()
    now, code, _ = run(master, 0, chatter, until=5000)
    assert (code, master.reason) == (FAILED, reasons.BUS_NOISE)
    assert now < 3500


def test_uart_that_refuses_to_send():
    master = Master(9600)
    master.ask(UNIT, FUNCTION, ADDRESS, COUNT, 0)
    now = 0
    code = WAIT
    while code != FAILED:
        code = master.service(now)
        if code == SEND:
            code = master.not_sent(now)
        now += 1
    assert master.reason == reasons.BUS_ERROR
    assert master.service(now) == WAIT


def mutated(dice: random.Random) -> bytes:
    """A frame that is not the answer: spoiled by up to three bits, or sound but not ours."""
    kind = dice.randrange(10)
    if kind == 0:  # up to three bits turned: a CRC-16 finds them all
        spoiled = bytearray(GOOD)
        for bit in dice.sample(range(8 * len(GOOD)), dice.randint(1, 3)):
            spoiled[bit // 8] ^= 1 << bit % 8
        return bytes(spoiled)
    if kind == 1:  # a burst of up to 16 bits
        at, burst = dice.randrange(len(GOOD) - 1), dice.randrange(1, 0x10000)
        spoiled = bytearray(GOOD)
        spoiled[at] ^= burst >> 8
        spoiled[at + 1] ^= burst & 0xFF
        return bytes(spoiled)
    body = dice.randbytes(2 * COUNT)
    if kind == 2:  # another unit
        return frame(dice.randrange(2, 248), FUNCTION, 2 * COUNT, *body)
    if kind == 3:  # another function
        other = dice.choice([f for f in range(1, 128) if f != FUNCTION])
        return frame(UNIT, other, 2 * COUNT, *body)
    if kind == 4:  # another length
        count = dice.choice([n for n in range(61) if n != COUNT])
        return frame(UNIT, FUNCTION, 2 * count, *dice.randbytes(2 * count))
    if kind == 5:  # a byte count that is not that of the bytes
        long = frame(UNIT, FUNCTION, 2 * COUNT, *dice.randbytes(dice.choice([0, 4, 11, 13, 24])))
        # a CRC that ends in 0 makes one byte less a sound answer too
        return GOOD[:5] if long[: len(GOOD)] == frame(*long[: len(GOOD) - 2]) else long
    if kind == 6:  # cut
        return GOOD[: dice.randrange(len(GOOD))]
    if kind == 7:  # noise
        return dice.randbytes(dice.randrange(1, 200))
    if kind == 8:  # the answer inside of another unit's
        inner = frame(UNIT, FUNCTION, 2 * COUNT, *body)
        return frame(dice.randrange(2, 248), FUNCTION, len(inner) + 2, 9, 9, *inner)
    return GOOD[dice.randrange(1, len(GOOD)) :] + dice.randbytes(dice.randrange(8))


def test_a_hundred_thousand_wrong_frames_are_refused():
    dice = random.Random(485)
    for _ in range(100_000):
        wrong = mutated(dice)
        master = Master(9600, attempts=1)
        master.ask(UNIT, FUNCTION, ADDRESS, COUNT, 0)
        master.sent(0)
        master.feed(wrong, len(wrong), 50)
        code = master.service(50)
        if code == WAIT:
            code = master.service(700)
        assert code == FAILED, wrong.hex()


def test_the_answer_is_found_behind_line_noise():
    """A driver that is switched on often makes a byte or two of nonsense."""
    for noise in (b"\x00", b"\xff\x00", b"\x80\x00\xff"):
        for behind in (b"", b"\x00"):
            master = asked()
            assert run(master, 0, [(60, noise + GOOD + behind)])[1] == ANSWER
            assert payload(master) == PAYLOAD


def test_wire_time():
    assert modbus.wire_ms(8, 9600) == 10
    assert modbus.wire_ms(113, 9600) == 130
