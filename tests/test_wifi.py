"""Wi-Fi: joins, tries again, and looks around when its network is lost and it may."""

import pytest
from wallbox.drivers.wifi import Wifi

OURS, THEIRS = b"home", b"cafe"


class Wlan:
    """A station as the ESP32's: it scans nothing while it connects, and tells nobody."""

    def __init__(self) -> None:
        self.in_range = [OURS]
        self.connected = False
        self.connecting = False
        self.is_active = False
        self.scans = 0
        self.calls: list[str] = []
        self.broken = False

    def active(self, on: bool) -> None:
        if self.broken:
            raise RuntimeError("Wifi Unknown Error 0x0101")
        self.is_active = on

    def isconnected(self) -> bool:
        if self.connecting and OURS in self.in_range:
            self.connecting, self.connected = False, True
        if OURS not in self.in_range:
            self.connecting, self.connected = self.connecting or self.connected, False
        return self.connected

    def connect(self, ssid: str, password: str) -> None:
        if self.connecting:
            raise OSError("Wifi Internal State Error")
        self.calls.append("connect")
        self.connecting = True

    def disconnect(self) -> None:
        self.calls.append("disconnect")
        self.connecting = False

    def scan(self) -> list[tuple]:
        if not self.is_active:
            raise OSError("STA must be active")
        self.scans += 1
        self.calls.append("scan")
        if self.connecting:
            return []
        return [(name, bytes(6), 1, -60, 3, False) for name in self.in_range]


class Box:
    def __init__(self) -> None:
        self.wlan = Wlan()
        self.may = True
        self.wifi = Wifi(self.wlan, "home", "password", lambda: self.may)
        self.now = 0
        self.looks: list[tuple[int, int, int]] = []

    def run(self, seconds: int) -> None:
        end = self.now + seconds * 1000
        while self.now < end:
            if self.now >= self.wifi.due:
                looked = self.wifi.looked
                self.wifi.service(self.now)
                if self.wifi.looked != looked:
                    self.looks.append((self.now // 1000, self.wifi.known, self.wifi.others))
            self.now += 100


@pytest.fixture
def box():
    return Box()


def test_it_joins_and_says_that_its_network_is_there(box):
    box.run(5)
    assert box.wifi.up and box.looks == [(0, 1, 0)]
    assert box.wlan.scans == 0, "no scan was needed for that"


def test_a_network_that_is_lost_is_looked_for_every_five_minutes(box):
    box.wlan.in_range = [THEIRS, b"", b"neighbour"]
    box.run(1000)
    times = [at for at, _, _ in box.looks]
    assert times[0] in range(20, 23), "after the first attempt in vain"
    between_s = [b - a for a, b in zip(times, times[1:], strict=False)]
    assert between_s == pytest.approx([300] * 3, abs=25)
    assert {look[1:] for look in box.looks} == {(0, 3)}
    assert box.wlan.calls.count("connect") > 40, "and joining goes on in between"


def test_before_a_scan_it_gives_up_connecting_and_afterwards_it_tries_again(box):
    box.wlan.in_range = [THEIRS]
    box.run(30)
    assert box.wlan.calls == ["connect", "disconnect", "scan", "connect"]
    box.wlan.in_range = [OURS, THEIRS]
    box.run(30)
    assert box.wifi.up and box.looks[-1][1:] == (1, 0)


def test_a_network_in_range_that_cannot_be_joined_is_known(box):
    box.wlan.isconnected = lambda: False  # a wrong password
    box.wlan.in_range = [OURS, THEIRS]
    box.run(30)
    assert [look[1:] for look in box.looks] == [(1, 1)]


def test_nobody_is_made_to_wait_for_a_scan_that_is_not_wanted(box):
    box.may = False
    box.wlan.in_range = [THEIRS]
    box.run(700)
    assert box.wlan.scans == 0 and box.wlan.calls.count("connect") > 30


def test_more_networks_than_the_event_can_count(box):
    box.wlan.in_range = [b"net%d" % number for number in range(300)]
    box.run(30)
    assert box.looks[0][1:] == (0, 255)


def test_a_radio_in_trouble_ends_nobody(box):
    box.wlan.in_range = [THEIRS]
    box.run(10)
    box.wlan.broken = True
    box.run(60)
    assert not box.looks
    box.wlan.broken = False
    box.run(400)
    assert box.looks


def test_the_radio_starts_anew_when_asked_though_it_is_connected(box):
    box.run(5)
    assert box.wifi.up
    restarts = box.wifi.restarts
    box.wlan.calls.clear()
    box.wifi.restart()
    box.wifi.service(box.now)
    assert not box.wifi.up
    assert (box.wifi.restarts, box.wlan.calls) == (restarts + 1, ["connect"])
    box.run(5)
    assert box.wifi.up
    assert box.wifi.restarts == restarts + 1
