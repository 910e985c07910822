"""The box's configuration: one JSON file, checked before anything believes it."""

import hashlib
import json
import os

from .drivers.meter_maps import NAMES

# key; type: t text, i whole number, b true or false; least, most (of a number, or of a text's
# length); default (none = must be given). One text needs little RAM
_SCHEMA = (
    "serial;t;1;24\n"
    "type;t;0;24;\n"
    "interval_s;i;1;3600;900\n"
    "breaker_a;i;0;32;0\n"
    "installation_limit_a;i;6;32\n"
    "cable_limit_a;i;0;32;0\n"
    "meter.model;t;1;16\n"
    "meter.address;i;1;247;1\n"
    "meter.baud;i;0;115200;0\n"
    "meter.parity;t;0;1;\n"
    "wifi.ssid;t;1;32\n"
    "wifi.password;t;0;63;\n"
    "broker.host;t;1;64\n"
    "broker.port;i;0;65535;0\n"
    "broker.user;t;0;64;\n"
    "broker.password;t;0;64;\n"
    "broker.tls;t;3;13\n"
    "broker.ca;t;0;64;\n"
    "broker.certificate;t;0;64;\n"
    "broker.key;t;0;64;\n"
    "broker.psk_identity;t;0;64;\n"
    "broker.psk_key;t;0;64;\n"
    "broker.keep_alive_s;i;5;3600;30\n"
    "clock.host;t;1;64;pool.ntp.org\n"
    "clock.port;i;1;65535;123\n"
    "lifecycle;t;7;12;in_service\n"
    "chip;t;0;12;\n"
    "phase_rotation;t;3;3;RST\n"
    "seals.fitted;b;0;1;1\n"
    "seals.policy;t;4;6;stop\n"
    "reader.fitted;b;0;1;0\n"
    "reader.mode;t;4;8;free\n"
    "presence.offline_grace_h;i;0;8760;72\n"
    "place.relocate_after_h;i;0;8760;24\n"
)

# anybody on the way reads and changes what goes without TLS: a word that nobody writes by chance
PLAIN = "none-in-tests"

CHOICES = {
    "breaker_a": (0, 16, 20),  # of the trade, for 11 kW; 0: not told
    "phase_rotation": ("RST", "RTS", "SRT", "STR", "TRS", "TSR"),  # OCPP's words
    "meter.model": NAMES,
    "meter.parity": ("N", "E", "O", ""),  # "" and 0: as the meter leaves its maker
    "meter.baud": (0, 1200, 2400, 4800, 9600, 19_200, 38_400, 57_600, 115_200),
    "broker.tls": ("certificate", "psk", PLAIN),
    # in the order of the core's numbers
    "lifecycle": ("factory", "commissioned", "in_service"),
    "seals.policy": ("report", "pause", "stop"),
    "reader.mode": ("free", "required"),
}

_FILE_MAX = 4096  # bytes
_SHOWN_MAX = 64
_PSK_DIGITS_MIN = 32  # 128 bits
_CHIP_DIGITS = 12  # of machine.unique_id()
_LIMIT_MIN_A = 6  # IEC 61851-1

# the kind of TLS that a key belongs to; with another kind it would be ignored in silence
_BELONGS = {
    "broker.ca": "certificate",
    "broker.certificate": "certificate",
    "broker.key": "certificate",
    "broker.psk_identity": "psk",
    "broker.psk_key": "psk",
}
_FILES = ("broker.ca", "broker.certificate", "broker.key")

SECRET = ("wifi.password", "broker.password", "broker.psk_key")


class ConfigError(Exception):
    """The configuration is not valid; the message names file, key, value and what is right.

    `field` is the key that is wrong, "" if it is the file.
    """

    def __init__(self, text: str, field: str = ""):
        super().__init__(text)
        self.field = field


def rows():
    """Yields (key, type, least, most, default) of each key; default None: it must be given."""
    begin = 0
    while begin < len(_SCHEMA):  # line by line: all at once would take 3 KB
        end = _SCHEMA.find("\n", begin)
        row = _SCHEMA[begin:end].split(";")
        begin = end + 1
        kind = {"t": str, "i": int, "b": bool}[row[1]]
        yield row[0], kind, int(row[2]), int(row[3]), _default(kind, row[4:])


def _default(kind, given: list):
    if not given:
        return None
    return given[0] if kind is str else kind(int(given[0]))


def defaults() -> dict:
    """What a box without a valid file runs on: it charges nothing and talks to nobody."""
    values = {}
    for key, kind, least, _most, default in rows():
        values[key] = default if default is not None else least if kind is int else ""
    values["meter.model"] = NAMES[0]
    return values


def load(path: str) -> dict:
    """The checked configuration as {key: value}, defaults filled in. ConfigError if wrong."""
    try:
        return check_all(_parse(_read(path)))
    except ConfigError as error:
        raise ConfigError("%s: %s" % (path, error), error.field)
    except (MemoryError, RuntimeError):  # RecursionError is a RuntimeError
        raise ConfigError(
            "%s: nested too deeply for the box's memory; right is two levels of { }" % path
        )


def check_all(tree) -> dict:
    """As `check`, and the files that it names are on the box."""
    values = check(tree)
    _check_files(values)
    return values


def check(tree) -> dict:
    """The configuration tree as flat {key: value}. ConfigError names the first wrong key."""
    given = _flatten(tree)
    values = {}
    for key, kind, least, most, default in rows():
        value = given.pop(key, default)
        _check_value(key, kind, least, most, value)
        values[key] = value
    for key in given:
        shown = _shown(key).strip('"')
        raise ConfigError("%s: unknown key; remove it or look at its spelling" % shown, key)
    if 3600 % values["interval_s"]:
        _wrong("interval_s", values["interval_s"], "a divisor of 3600, as 900")
    serial = values["serial"]
    # not isalpha(): the serial goes into topics and file names, and there é is none
    if not all(
        "a" <= letter.lower() <= "z" or "0" <= letter <= "9" or letter == "-" for letter in serial
    ):
        _wrong("serial", serial, "letters A-Z and a-z, digits and - alone")
    if 0 < len(values["wifi.password"]) < 8:
        _wrong("wifi.password", "", "a text of 8 to 63 characters, or none for an open network")
    if 0 < values["breaker_a"] < values["installation_limit_a"]:
        limit_a = values["installation_limit_a"]
        _wrong("installation_limit_a", limit_a, "at most breaker_a, %d" % values["breaker_a"])
    if 0 < values["cable_limit_a"] < _LIMIT_MIN_A:
        _wrong("cable_limit_a", values["cable_limit_a"], "0, or a whole number from 6 to 32")
    chip = values["chip"] = values["chip"].lower()
    if chip and (len(chip) != _CHIP_DIGITS or not _is_hex(chip)):
        _wrong("chip", chip, '12 hex digits, or ""')
    _check_tls(values)
    if not values["broker.port"]:
        values["broker.port"] = 1883 if values["broker.tls"] == PLAIN else 8883
    return values


def told(values: dict, valid: int, chip: str) -> list:
    """The fields of a CONFIG event (core/events.py). chip: hex digits of machine.unique_id()."""
    return [
        valid,
        values["installation_limit_a"] * 1000,
        values["interval_s"],
        values["cable_limit_a"] * 1000,
        CHOICES["seals.policy"].index(values["seals.policy"]),
        CHOICES["reader.mode"].index(values["reader.mode"]),
        values["presence.offline_grace_h"],
        values["place.relocate_after_h"],
        CHOICES["lifecycle"].index(values["lifecycle"]) if valid else 0,
        1 if values["chip"] not in ("", chip) else 0,
        digest(values),
    ]


def digest(values: dict) -> bytes:
    """8 bytes that tell configurations apart. Secrets stay out: it would help to guess them."""
    public = [(row[0], values[row[0]]) for row in rows() if row[0] not in SECRET]
    return hashlib.sha256(json.dumps(public).encode()).digest()[:8]


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            data = file.read(_FILE_MAX + 1)
    except OSError:
        raise ConfigError("cannot be read; copy one there with mpremote")
    if len(data) > _FILE_MAX:
        raise ConfigError("longer than %d bytes" % _FILE_MAX)
    return data


def _parse(data: bytes):
    try:
        text = str(data, "utf-8")
    except UnicodeError:  # to be asked before ValueError, which it is too
        raise ConfigError("not UTF-8 text; save it as UTF-8")
    try:
        return json.loads(text)
    except (ValueError, TypeError):  # MicroPython: TypeError for { } or [ ] as a key
        raise ConfigError("not JSON; look for a missing quote, comma or brace")


def _check_tls(values: dict) -> None:
    chosen = values["broker.tls"]
    for key in _BELONGS:
        if values[key] and _BELONGS[key] != chosen:
            raise ConfigError(
                '%s: given with broker.tls "%s"; remove it, or set broker.tls to "%s"'
                % (key, chosen, _BELONGS[key]),
                key,
            )
    if chosen == "certificate":
        _needs(values, "broker.ca", 'with broker.tls "certificate": the authority\'s certificate')
        if values["broker.certificate"]:
            _needs(values, "broker.key", "with broker.certificate: its private key")
        if values["broker.key"]:
            _needs(values, "broker.certificate", "with broker.key: the certificate it belongs to")
    elif chosen == "psk":
        _needs(values, "broker.psk_identity", 'with broker.tls "psk": as the broker knows it')
        _needs(values, "broker.psk_key", 'with broker.tls "psk": hex digits')
        key = values["broker.psk_key"]
        if not _is_hex(key) or len(key) % 2 or len(key) < _PSK_DIGITS_MIN:
            _wrong("broker.psk_key", "", "an even number of hex digits, %d to 64" % _PSK_DIGITS_MIN)


def _is_hex(text: str) -> bool:
    return all(letter in "0123456789abcdefABCDEF" for letter in text)


def _needs(values: dict, key: str, why: str) -> None:
    if not values[key]:
        raise ConfigError("%s: missing; needed %s" % (key, why), key)


def _check_files(values: dict) -> None:
    for key in _FILES:
        if values[key]:
            try:
                os.stat(values[key])
            except OSError:
                _wrong(key, values[key], "the path of a file on the box; copy it with mpremote")


def _flatten(tree) -> dict:
    if not isinstance(tree, dict):
        raise ConfigError("the file must hold one JSON object { ... }")
    flat = {}
    for key in tree:
        value = tree[key]
        _check_key(key)
        if isinstance(value, dict):
            for inner in value:
                _check_key(inner)
                flat[key + "." + inner] = value[inner]
        else:
            flat[key] = value
    return flat


def _check_key(key) -> None:
    if not isinstance(key, str):  # MicroPython's JSON allows it
        raise ConfigError("%s: a key must be a text in quotes" % _shown(key))


def _check_value(key: str, kind, least: int, most: int, value) -> None:
    if value is None:
        raise ConfigError("%s: missing; %s" % (key, _right(key, kind, least, most)), key)
    # a JSON true is an int to Python
    if not isinstance(value, kind) or isinstance(value, bool) != (kind is bool):
        _wrong(key, value, _right(key, kind, least, most))
    size = len(value) if kind is str else value
    if not least <= size <= most or (key in CHOICES and value not in CHOICES[key]):
        _wrong(key, value, _right(key, kind, least, most))
    if kind is str and not all(letter >= " " and letter != "\x7f" for letter in value):
        # it would end a line of the log, and begin one that nobody wrote
        _wrong(key, value, "a text without control characters")


def _right(key: str, kind, least: int, most: int) -> str:
    if key in CHOICES:
        return "one of " + ", ".join(json.dumps(choice) for choice in CHOICES[key])
    if kind is bool:
        return "true or false"
    if kind is int:
        return "a whole number from %d to %d" % (least, most)
    return "a text of %d to %d characters" % (least, most)


def _wrong(key: str, value, right: str):
    shown = "(hidden)" if key in SECRET else _shown(value)
    raise ConfigError("%s: %s is wrong; right is %s" % (key, shown, right), key)


def _shown(value) -> str:
    if isinstance(value, (dict, list)):
        return "{...}" if isinstance(value, dict) else "[...]"
    shown = json.dumps(value)
    return shown if len(shown) <= _SHOWN_MAX else shown[:_SHOWN_MAX] + "..."
