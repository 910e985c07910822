"""`network` of an ESP32: a Wi-Fi station whose access point is played by the world."""

import utime
from micropython import const

import _wire

STA_IF = const(0)
AP_IF = const(1)
STAT_IDLE = const(1000)
STAT_CONNECTING = const(1001)
STAT_GOT_IP = const(1010)
STAT_NO_AP_FOUND = const(201)
STAT_WRONG_PASSWORD = const(202)
STAT_BEACON_TIMEOUT = const(200)
STAT_ASSOC_FAIL = const(203)
STAT_HANDSHAKE_TIMEOUT = const(204)

_JOIN = const(1)
_LEAVE = const(2)
_SCAN = const(3)
_NETWORKS = const(3)
_SCAN_MS = const(2100)  # 13 channels

_hostname = "mpy-esp32"
_reconnects = 0  # for ever


def hostname(name=None):
    global _hostname
    if name is None:
        return _hostname
    if len(name) > 32:
        raise ValueError("name")
    _hostname = name


def country(code=None):
    return "XX"


class WLAN:
    IF_STA = const(0)
    IF_AP = const(1)
    PM_NONE = const(0)
    PM_PERFORMANCE = const(1)
    PM_POWERSAVE = const(2)

    def __init__(self, interface=0):
        if interface != 0:
            raise ValueError("only the station interface is simulated")

    def active(self, on=None):
        if on is not None:
            on = 1 if on else 0
            if on != _wire.wlan[0]:
                _wire.wlan[0] = on
                if not on:
                    _wire.wlan[1] = STAT_IDLE
                    _wire.tell(_wire.JOIN, _LEAVE, 0, 0)
        return bool(_wire.wlan[0])

    def connect(self, ssid=None, key=None, *, bssid=None):
        if not _wire.wlan[0]:
            raise OSError("Wifi Not Started")
        _wire.pump()
        if _wire.wlan[1] == STAT_CONNECTING:
            raise OSError("Wifi Internal State Error")
        if ssid is None:
            raise OSError("Wifi SSID Invalid")
        _wire.tell_bytes(_wire.JOIN, ssid.encode() + b"\0" + (key or "").encode())
        _wire.wlan[1] = STAT_CONNECTING
        _wire.tell(_wire.JOIN, _JOIN, _reconnects, 0)

    def disconnect(self):
        if not _wire.wlan[0]:
            raise OSError("Wifi Not Started")
        _wire.wlan[1] = STAT_IDLE
        _wire.tell(_wire.JOIN, _LEAVE, 0, 0)

    def isconnected(self):
        _wire.pump()
        return _wire.wlan[1] == STAT_GOT_IP

    def status(self, param=None):
        _wire.pump()
        if param is None:
            return _wire.wlan[1] or STAT_IDLE
        if param == "rssi":
            if _wire.wlan[1] != STAT_GOT_IP:
                raise OSError("Wifi Not Connected")
            return _wire.wlan[2]
        raise ValueError("unknown status param")

    def ifconfig(self, *args):
        if self.isconnected():
            return ("192.168.4.2", "255.255.255.0", "192.168.4.1", "192.168.4.1")
        return ("0.0.0.0", "0.0.0.0", "0.0.0.0", "0.0.0.0")

    def ipconfig(self, *args, **kwargs):
        if args and args[0] == "addr4":
            address = self.ifconfig()
            return address[0], address[1]
        if kwargs:
            return None
        raise ValueError("unknown config param")

    def config(self, *args, **kwargs):
        global _reconnects
        if args:
            if args[0] == "mac":
                import machine

                return machine.unique_id()
            if args[0] == "reconnects":
                return _reconnects - 1
            if args[0] == "pm":
                return 1
            raise ValueError("unknown config param")
        for name, value in kwargs.items():
            if name == "reconnects":
                _reconnects = 0 if value == -1 else value + 1
            elif name not in ("pm", "txpower", "hostname", "dhcp_hostname"):
                raise ValueError("unknown config param")

    def scan(self):
        if not _wire.wlan[0]:
            raise OSError("STA must be active")
        _wire.pump()
        if _wire.wlan[1] == STAT_CONNECTING:
            return []  # the chip refuses, and the port does not say so
        _wire.payloads.pop(_NETWORKS, None)
        _wire.tell(_wire.JOIN, _SCAN, 0, 0)
        utime.sleep_ms(_SCAN_MS // _wire.speed)  # nothing else runs, no interrupt either
        data = _wire.answer(_NETWORKS)
        found = []
        at = 0
        while at < len(data):
            end = at + 1 + data[at]
            channel, weakness, security = data[end + 6 : end + 9]
            found.append(
                (data[at + 1 : end], data[end : end + 6], channel, -weakness, security, False)
            )
            at = end + 9
        return found
