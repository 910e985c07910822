"""Wi-Fi, supervised: connects, watches, starts the radio anew; never waits."""

from micropython import const

_ATTEMPT_MS = const(20_000)  # a connect() that took longer is given up
_ATTEMPTS = const(5)  # then the radio is switched off and on
_POLL_MS = const(500)
_PAUSE_MS = const(5000)  # after an error of the radio


class Wifi:
    """wlan: network.WLAN in station mode. `up` tells the state; call service() when due."""

    def __init__(self, wlan, ssid: str, password: str):
        self._wlan = wlan
        self._ssid = ssid
        self._password = password
        self._attempts = 0
        self._attempt_until = 0
        self._connecting = False
        self.up = False
        self.due = 0
        self.restarts = 0

    def service(self, now: int) -> bool:
        """True if `up` has changed."""
        self.due = now + _POLL_MS
        was_up = self.up
        self.up = self._wlan.isconnected()
        if self.up:
            self._connecting = False
            self._attempts = self._attempt_until = 0
        elif now >= self._attempt_until:
            self._connect(now)
        return self.up != was_up

    def signal_dbm(self) -> int:
        """Signal strength, 0 when not connected."""
        return self._wlan.status("rssi") if self.up else 0

    def _connect(self, now: int) -> None:
        self._attempt_until = now + _ATTEMPT_MS
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
