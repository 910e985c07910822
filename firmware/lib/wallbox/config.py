"""The box's configuration: one JSON file, checked before anything believes it."""

import hashlib
import json

from .drivers.meter_maps import NAMES

# key, type, least, most (of a number, or of a text's length), default (None = must be given)
SCHEMA = (
    ("serial", str, 1, 24, None),
    ("interval_s", int, 1, 3600, 900),
    ("installation_limit_a", int, 6, 32, None),
    ("meter.model", str, 1, 16, None),
    ("meter.address", int, 1, 247, 1),
    ("meter.baud", int, 0, 115_200, 0),
    ("meter.parity", str, 0, 1, ""),
    ("wifi.ssid", str, 1, 32, None),
    ("wifi.password", str, 0, 63, ""),
    ("broker.host", str, 1, 64, None),
    ("broker.port", int, 1, 65_535, 8883),
    ("broker.user", str, 0, 64, ""),
    ("broker.password", str, 0, 64, ""),
    ("broker.tls", str, 3, 11, "none"),
    ("broker.ca", str, 0, 64, ""),
    ("broker.certificate", str, 0, 64, ""),
    ("broker.key", str, 0, 64, ""),
    ("broker.psk_identity", str, 0, 64, ""),
    ("broker.psk_key", str, 0, 64, ""),
    ("broker.keep_alive_s", int, 5, 3600, 30),
    ("clock.host", str, 1, 64, "pool.ntp.org"),
    ("clock.port", int, 1, 65_535, 123),
)

CHOICES = {
    "meter.model": NAMES,
    "meter.parity": ("N", "E", "O", ""),  # "" and 0: as the meter leaves its maker
    "meter.baud": (0, 1200, 2400, 4800, 9600, 19_200, 38_400, 57_600, 115_200),
    "broker.tls": ("none", "certificate", "psk"),
}

_FILE_MAX = 4096

SECRET = ("wifi.password", "broker.password", "broker.psk_key")


class ConfigError(Exception):
    """The configuration is not valid; the message names file, key, value and what is right."""


def load(path: str) -> dict:
    """The checked configuration as {key: value}, defaults filled in. ConfigError if wrong."""
    try:
        with open(path) as file:
            text = file.read(_FILE_MAX + 1)
    except OSError:
        raise ConfigError("%s: cannot be read; copy one there with mpremote" % path)
    if len(text) > _FILE_MAX:
        raise ConfigError("%s: longer than %d characters" % (path, _FILE_MAX))
    try:
        tree = json.loads(text)
    except ValueError:
        raise ConfigError("%s: not JSON; look for a missing quote, comma or brace" % path)
    try:
        return check(tree)
    except ConfigError as error:
        raise ConfigError("%s: %s" % (path, error))


def check(tree) -> dict:
    """The configuration tree as flat {key: value}. ConfigError names the first wrong key."""
    given = _flatten(tree)
    values = {}
    for key, kind, least, most, default in SCHEMA:
        value = given.pop(key, default)
        _check_value(key, kind, least, most, value)
        values[key] = value
    for key in given:
        raise ConfigError("%s: unknown key; remove it or look at its spelling" % key)
    if 3600 % values["interval_s"]:
        _wrong("interval_s", values["interval_s"], "a divisor of 3600, as 900")
    serial = values["serial"]
    if not all(letter.isalpha() or letter.isdigit() or letter == "-" for letter in serial):
        _wrong("serial", serial, "letters, digits and - alone")
    return values


def digest(values: dict) -> bytes:
    """8 bytes that tell configurations apart. Secrets stay out: it would help to guess them."""
    public = [(row[0], values[row[0]]) for row in SCHEMA if row[0] not in SECRET]
    return hashlib.sha256(json.dumps(public).encode()).digest()[:8]


def _flatten(tree) -> dict:
    if not isinstance(tree, dict):
        raise ConfigError("the file must hold one JSON object { ... }")
    flat = {}
    for key in tree:
        value = tree[key]
        if isinstance(value, dict):
            for inner in value:
                flat[key + "." + inner] = value[inner]
        else:
            flat[key] = value
    return flat


def _check_value(key: str, kind, least: int, most: int, value) -> None:
    if value is None:
        raise ConfigError("%s: missing; %s" % (key, _right(key, kind, least, most)))
    # a JSON true is an int to Python
    if not isinstance(value, kind) or isinstance(value, bool):
        _wrong(key, value, _right(key, kind, least, most))
    size = value if kind is int else len(value)
    if not least <= size <= most or (key in CHOICES and value not in CHOICES[key]):
        _wrong(key, value, _right(key, kind, least, most))


def _right(key: str, kind, least: int, most: int) -> str:
    if key in CHOICES:
        return "one of " + ", ".join(json.dumps(choice) for choice in CHOICES[key])
    if kind is int:
        return "a whole number from %d to %d" % (least, most)
    return "a text of %d to %d characters" % (least, most)


def _wrong(key: str, value, right: str):
    shown = "(hidden)" if key in SECRET else json.dumps(value)
    raise ConfigError("%s: %s is wrong; right is %s" % (key, shown, right))


# what a box without a valid file runs on: it charges nothing and talks to nobody
DEFAULTS = {
    row[0]: row[4] if row[4] is not None else row[2] if row[1] is int else "" for row in SCHEMA
}
DEFAULTS["meter.model"] = NAMES[0]
