"""The Wi-Fi station's connection as the access point sees it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

JOIN_S = 0.05  # a real station takes one to three seconds
REJOIN_S = 0.5  # a real one about 2.5 s

IDLE, CONNECTING, GOT_IP = 1000, 1001, 1010
NO_AP_FOUND, WRONG_PASSWORD = 201, 202
WPA2_PSK = 3


class Radio:
    """Joins, fails, tries again; `changed(status, dBm)` tells the chip.

    `access_points` maps names to keys; None: every name and key is right.  As on the chip, a
    failure shows only when no attempt is left, and by default there is always one.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, changed: Callable[[int, int], None]
    ) -> None:
        self._loop = loop
        self._changed = changed
        self.status = 0
        self.rssi_dbm = -60
        self.on = True
        self.access_points: dict[str, str] | None = None
        self._wanted: bytes | None = None
        self._attempts = 0
        self._own = ""
        self._others: tuple[str, ...] = ()

    def want(self, network: bytes) -> None:
        """Name and key, a zero byte between them, of the network to be joined next."""
        self._wanted = network
        self._own = network.decode().partition("\0")[0]

    def surround(self, others: tuple[str, ...]) -> None:
        """The names of other networks in range; an empty one hides its name."""
        self._others = others

    def scan(self) -> bytes:
        """What a scan finds, for the chip; see wire.NETWORKS."""
        own = tuple(self.access_points or (self._own,)) if self.on else ()
        found = b""
        for number, name in enumerate(own + self._others):
            ssid = name.encode()[:32]
            bssid = bytes((0x02, 0, 0, 0, number >> 8, number & 0xFF))
            dbm = self.rssi_dbm if number < len(own) else -75
            found += bytes((len(ssid),)) + ssid + bssid + bytes((1 + number % 13, -dbm, WPA2_PSK))
        return found

    def verb(self, verb: int, attempts: int) -> None:
        """1 join the wanted network (for ever when `attempts` is 0), 2 leave."""
        self._attempts = attempts
        if verb == 1:
            self.status = CONNECTING
            self._loop.call_later(JOIN_S, self._join, self._wanted)
        else:
            self._wanted = None
            self.status = IDLE

    def switch(self, on: bool, rssi_dbm: int) -> None:
        """The access point goes on or off, or further away."""
        self.on = on
        self.rssi_dbm = rssi_dbm
        if not on and self.status == GOT_IP:
            self.status = CONNECTING
            self._loop.call_later(REJOIN_S, self._join, self._wanted)
        self._changed(self.status, rssi_dbm)

    def reset(self) -> None:
        """The chip has been reset."""
        self._wanted = None
        self.status = 0

    def _join(self, wanted: bytes | None) -> None:
        if wanted is None or wanted is not self._wanted:
            return
        reason = self._refusal(*wanted.decode().split("\0", 1))
        if not reason:
            self.status = GOT_IP
        else:
            self._attempts -= 1
            if self._attempts == 0:
                self.status = reason
            else:
                self._loop.call_later(REJOIN_S, self._join, wanted)
                return
        self._changed(self.status, self.rssi_dbm)

    def _refusal(self, name: str, key: str) -> int:
        points = self.access_points
        if not self.on or (points is not None and name not in points):
            return NO_AP_FOUND
        return WRONG_PASSWORD if points is not None and points[name] != key else 0
