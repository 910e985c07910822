"""Wi-Fi, supervised: connects, watches, starts the radio anew, and looks around when it is lost.

Nothing waits but a scan, which blocks for about two seconds on the ESP32.
"""

from micropython import const

_ATTEMPT_MS = const(20_000)  # a connect() that took longer is given up
_ATTEMPTS = const(5)  # then the radio is switched off and on
_POLL_MS = const(500)
_PAUSE_MS = const(5000)  # after an error of the radio
_LOOK_MS = const(300_000)  # between two scans
_COUNT_MAX = const(255)


class Wifi:
    """wlan: network.WLAN in station mode. `up` tells the state; call service() when due.

    may_look() -> bool: a scan is wanted, and its two seconds harm nobody. What it found is in
    `known` (1: our network is in range) and `others`, how many else; `looked` counts them.
    """

    def __init__(self, wlan, ssid: str, password: str, may_look=None):
        self._wlan = wlan
        self._ssid = ssid
        self._password = password
        self._may_look = may_look
        self._attempts = 0
        self._attempt_until = 0
        self._connecting = False
        self._tried = False
        self._looking = False
        self._unwanted = False
        self._look_at = 0
        self.up = False
        self.due = 0
        self.restarts = 0
        self.known = 0
        self.others = 0
        self.looked = 0

    def restart(self) -> None:
        """The radio is switched off and on, though it says that it is connected."""
        self._unwanted = True

    def service(self, now: int) -> bool:
        """True if `up` has changed."""
        self.due = now + _POLL_MS
        was_up = self.up
        self.up = self._wlan.isconnected() and not self._unwanted
        if self.up:
            self._connecting = self._looking = False
            self._attempts = self._attempt_until = 0
            if not was_up:
                self.known, self.others = 1, 0
                self.looked += 1
        elif self._unwanted:
            self._unwanted = self._connecting = self._looking = False
            self._attempts = _ATTEMPTS
            self._connect(now)
        elif self._looking:
            self._looking = False
            self._look()
        elif now >= self._attempt_until:
            if self._tried and now >= self._look_at and self._may_look and self._may_look():
                self._look_at = now + _LOOK_MS
                self._prepare_to_look()
            else:
                self._connect(now)
        return self.up != was_up

    def signal_dbm(self) -> int:
        """Signal strength, 0 when not connected."""
        return self._wlan.status("rssi") if self.up else 0

    def _connect(self, now: int) -> None:
        self._attempt_until = now + _ATTEMPT_MS
        self._tried = True
        try:
            if self._attempts >= _ATTEMPTS:
                self._attempts = 0
                self.restarts += 1
                self._wlan.active(False)
            self._wlan.active(True)
            if self._connecting:
                # a second connect() while one is under way is an error on the ESP32
                self._wlan.disconnect()
            self._wlan.connect(self._ssid, self._password)
            self._attempts += 1
            self._connecting = True
        except (OSError, RuntimeError):  # the ESP32 has both, after trouble with its radio
            self._connecting = False
            self._attempts = _ATTEMPTS
            self._attempt_until = now + _PAUSE_MS

    def _prepare_to_look(self) -> None:
        """While it connects, the ESP32 scans nothing and tells nobody; leaving takes a while."""
        try:
            self._wlan.active(True)
            self._wlan.disconnect()
            self._connecting = False
            self._looking = True
        except (OSError, RuntimeError):
            pass

    def _look(self) -> None:
        try:
            found = self._wlan.scan()
        except (OSError, RuntimeError):
            return
        ssid = self._ssid.encode()
        self.known, others = 0, 0
        for network in found:
            if network[0] == ssid:
                self.known = 1
            else:
                others += 1
        self.others = min(others, _COUNT_MAX)
        self.looked += 1
