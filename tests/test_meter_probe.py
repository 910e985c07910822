"""Finding a meter whose settings nobody wrote down."""

import pytest
from wallbox.drivers import meter_maps
from wallbox.drivers.meter_probe import FOUND, NOT_FOUND, NOTHING, Probe

from tests.meterline import Line

PARITIES = {None: "N", 0: "E", 1: "O"}


class Settable(Line):
    """A line whose meter understands one baud rate and parity only."""

    def __init__(self, model: str, address: int = 1, baud: int = 9600, parity: str = ""):
        super().__init__(model, address)
        self.setting = (baud, parity or self.model.parity)
        self.answer = lambda request, honest: honest if self.set == self.setting else b""

    def init(self, baudrate: int, bits: int, parity: int | None, stop: int) -> None:
        assert (bits, stop) == (8, 1)
        self.set = (baudrate, PARITIES[parity])


def search(line: Line, **options) -> tuple[int, Probe]:
    probe = Probe(line, **options)
    code = NOTHING
    while code == NOTHING:
        code = probe.service(line.now)
        line.now = max(line.now + 1, probe.due)
        assert line.now < 600_000
    return code, probe


@pytest.mark.parametrize("name", meter_maps.NAMES)
def test_each_model_is_found(name):
    line = Settable(name)
    code, probe = search(line)
    assert code == FOUND
    assert (probe.name, probe.baud, probe.address) == (name, 9600, 1)
    assert probe.parity == line.model.parity
    assert line.now < 10_000


def test_other_settings_than_the_makers():
    line = Settable("em340", address=7, baud=19200, parity="E")
    code, probe = search(line, addresses=(1, 2, 7), bauds=(9600, 19200))
    assert code == FOUND
    assert (probe.name, probe.baud, probe.parity, probe.address) == ("em340", 19200, "E", 7)
    assert probe.identity.model == "EM340"


def test_nothing_is_there():
    line = Settable("em340", address=9)
    code, probe = search(line)
    assert (code, probe.heard) == (NOT_FOUND, False)


def test_an_unknown_model_is_heard():
    line = Settable("em340")
    line.state.code = 1744
    code, probe = search(line)
    assert (code, probe.heard) == (NOT_FOUND, True)
