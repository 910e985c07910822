"""The broker's address: when its name is looked up, and when the one that is known serves."""

import errno
import socket

import pytest
from wallbox.link import NO_ADDRESS, LinkError
from wallbox.link.address import Address

MINUTE_MS = 60_000


class Play:
    """A name server that counts; `answer` None: it knows nothing."""

    def __init__(self, monkeypatch):
        self.asked = 0
        self.answer = "192.0.2.1"
        self.charging = False
        self.now = 0
        monkeypatch.setattr(socket, "getaddrinfo", self.look_up)
        self.address = Address("broker", 8883, lambda: self.now, lambda: not self.charging)

    def look_up(self, host, port, family, kind):
        assert (host, port) == ("broker", 8883)
        self.asked += 1
        if self.answer is None:
            raise OSError(errno.ENOENT, "no such name")
        return [(family, kind, 0, "", (self.answer, port))]

    def find(self):
        return self.address.find()[-1][0]


@pytest.fixture
def play(monkeypatch):
    return Play(monkeypatch)


def test_a_reconnection_asks_nobody(play):
    assert [play.find() for _ in range(5)] == ["192.0.2.1"] * 5
    assert play.asked == 1


def test_after_a_failure_the_name_is_looked_up_anew(play):
    play.find()
    play.answer = "192.0.2.2"
    play.address.failed()
    assert play.find() == play.find() == "192.0.2.2"
    assert play.asked == 2


def test_while_somebody_charges_the_known_address_serves(play):
    play.find()
    play.charging = True
    play.address.failed()
    play.answer = "192.0.2.2"
    assert play.find() == "192.0.2.1"
    assert play.asked == 1
    play.charging = False
    assert play.find() == "192.0.2.2"


def test_a_name_server_that_fails_takes_nothing_away(play):
    play.find()
    play.address.failed()
    play.answer = None
    assert play.find() == "192.0.2.1"
    play.answer = "192.0.2.2"
    assert play.find() == "192.0.2.2"


def test_no_address_at_all(play):
    play.answer = None
    for _ in range(3):
        with pytest.raises(LinkError) as caught:
            play.find()
        assert caught.value.args[0] == NO_ADDRESS
    assert play.asked == 3


def test_none_known_while_somebody_charges_is_asked_for_every_ten_minutes(play):
    play.charging = True
    play.answer = None
    for _ in range(30):
        with pytest.raises(LinkError):
            play.find()
        play.now += MINUTE_MS
    assert play.asked == 3
    play.answer = "192.0.2.1"
    assert play.find() == "192.0.2.1"
