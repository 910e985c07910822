"""A wrong configuration is named: which key, which value, what would be right."""

import json
from pathlib import Path

import pytest
from wallbox import config
from wallbox.core import events, fields
from wallbox.core.rules import access, lifecycle, seals

GOOD = {
    "serial": "WB-000001",
    "installation_limit_a": 16,
    "meter": {"model": "sdm630"},
    "wifi": {"ssid": "home", "password": "secret-word"},
    "broker": {"host": "127.0.0.1", "port": 1883, "tls": "none-in-tests"},
}


CERTIFICATE = {"tls": "certificate", "ca": "ca.der"}
PSK = {"tls": "psk", "psk_identity": "WB-000001", "psk_key": "00112233445566778899aabbccddeeff"}


def broker(*sections: dict, **changes) -> dict:
    """GOOD without a port, with this said about its broker."""
    section = {"host": "127.0.0.1", "tls": "none-in-tests"}
    for more in (*sections, changes):
        section |= more
    return GOOD | {"broker": section}


def changed(**changes) -> dict:
    tree = json.loads(json.dumps(GOOD))
    for key, value in changes.items():
        section, _, name = key.partition("__")
        if name:
            tree[section][name] = value
        else:
            tree[section] = value
    return tree


def test_a_good_configuration_comes_back_flat_with_defaults():
    values = config.check(GOOD)
    assert values["meter.model"] == "sdm630" and values["interval_s"] == 900
    assert values["meter.parity"] == "" and values["broker.keep_alive_s"] == 30


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        (changed(interval_s=700), "interval_s: 700 is wrong; right is a divisor of 3600, as 900"),
        (changed(interval_s="900"), 'interval_s: "900" is wrong'),
        (changed(interval_s=True), "interval_s: true is wrong"),
        (changed(installation_limit_a=63), "installation_limit_a: 63 is wrong; right is a whole"),
        (changed(meter__parity="X"), 'meter.parity: "X" is wrong; right is one of "N", "E", "O"'),
        (changed(broker__hots="a"), "broker.hots: unknown key"),
        (changed(cable_limit_a=5), "cable_limit_a: 5 is wrong; right is 0, or a whole number from"),
        (changed(cable_limit_a=33), "cable_limit_a: 33 is wrong"),
        (
            GOOD | {"seals": {"policy": "ignore"}},
            'seals.policy: "ignore" is wrong; right is one of "report", "pause", "stop"',
        ),
        (GOOD | {"seals": {"policy": "x"}}, 'seals.policy: "x" is wrong; right is one of "report"'),
        (GOOD | {"reader": {"mode": "never"}}, 'reader.mode: "never" is wrong; right is one of'),
        (GOOD | {"reader": {"fitted": 1}}, "reader.fitted: 1 is wrong; right is true or false"),
        (
            GOOD | {"presence": {"offline_grace_h": 8761}},
            "presence.offline_grace_h: 8761 is wrong; right is a whole number from 0 to 8760",
        ),
        (GOOD | {"place": {"relocate_after_h": -1}}, "place.relocate_after_h: -1 is wrong"),
        (changed(lifecycle="suspended"), 'lifecycle: "suspended" is wrong; right is one of'),
        (changed(chip="240ac400000"), 'chip: "240ac400000" is wrong; right is 12 hex digits'),
        (changed(chip="240ac400000g"), 'chip: "240ac400000g" is wrong; right is 12 hex digits'),
        (changed(serial="../x"), "serial: "),
        (changed(serial=""), "serial: "),
        (changed(wifi={}), "wifi.ssid: missing"),
        (changed(broker__password=5), "broker.password: (hidden) is wrong"),
        ([], "the file must hold one JSON object"),
    ],
)
def test_each_error_names_key_value_and_what_is_right(tree, message):
    with pytest.raises(config.ConfigError) as error:
        config.check(tree)
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        (changed(serial="WB-é1"), 'serial: "WB-\\u00e91" is wrong; right is letters A-Z and a-z'),
        (changed(serial="WB-٣"), "serial: "),
        (changed(meter__model=[[["x"]]]), "meter.model: [...] is wrong"),
        (changed(**{"x\ny" * 99: 1}), "x\\nyx"),
        (changed(wifi__password="seven77"), "wifi.password: (hidden) is wrong; right is a text of"),
        (broker(tls="certificate"), 'broker.ca: missing; needed with broker.tls "certificate"'),
        (broker(CERTIFICATE, certificate="box.der"), "broker.key: missing"),
        (broker(CERTIFICATE, key="box-key.der"), "broker.certificate: missing"),
        (broker(CERTIFICATE, psk_key=PSK["psk_key"]), "broker.psk_key: given with broker.tls"),
        (
            broker(PSK, psk_identity=""),
            'broker.psk_identity: missing; needed with broker.tls "psk"',
        ),
        (broker(PSK, psk_key=""), "broker.psk_key: missing"),
        (broker(PSK, psk_key="0" * 30), "broker.psk_key: (hidden) is wrong; right is an even"),
        (broker(PSK, psk_key="0" * 33), "broker.psk_key: (hidden) is wrong"),
        (broker(PSK, psk_key="0x" * 16), "broker.psk_key: (hidden) is wrong"),
        (broker(PSK, psk_key=" 0" * 16), "broker.psk_key: (hidden) is wrong"),
        (broker(PSK, ca="ca.der"), 'broker.ca: given with broker.tls "psk"'),
        (
            broker(PSK, tls="none-in-tests"),
            'broker.psk_identity: given with broker.tls "none-in-tests"; remove it',
        ),
        (broker(CERTIFICATE, tls="none-in-tests"), "broker.ca: given with broker.tls"),
    ],
)
def test_keys_that_do_not_fit_together_are_named(tree, message):
    with pytest.raises(config.ConfigError) as error:
        config.check(tree)
    text = str(error.value)
    assert text.startswith(message) and "\n" not in text and len(text) < 200
    assert PSK["psk_key"] not in text


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        (GOOD | {"broker": {"host": "h"}}, 'broker.tls: missing; one of "certificate", "psk", '),
        (broker(tls="none"), 'broker.tls: "none" is wrong; right is one of "certificate", "psk", '),
        (broker(tls=""), 'broker.tls: "" is wrong'),
        (broker(tls=False), "broker.tls: false is wrong"),
    ],
)
def test_without_tls_only_if_the_file_says_that_it_is_a_test(tree, message):
    with pytest.raises(config.ConfigError, match="none-in-tests") as error:
        config.check(tree)
    assert str(error.value).startswith(message)


@pytest.mark.parametrize(
    ("tree", "port"),
    [
        (broker(), 1883),
        (broker(CERTIFICATE), 8883),
        (broker(CERTIFICATE, certificate="box.der", key="box-key.der"), 8883),
        (broker(PSK), 8883),
        (broker(PSK, port=0), 8883),
        (broker(PSK, port=1883), 1883),
        (changed(wifi__password=""), 1883),
    ],
)
def test_the_port_follows_from_tls_unless_it_is_given(tree, port):
    assert config.check(tree)["broker.port"] == port


def test_a_file_that_is_named_must_exist(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = Path("config.json")
    path.write_text(json.dumps(broker(CERTIFICATE)))
    with pytest.raises(
        config.ConfigError, match=r"config\.json: broker\.ca: .* is wrong; right is"
    ):
        config.load(str(path))
    Path("ca.der").write_bytes(b"only its reader can tell whether it is a certificate")
    assert config.load(str(path))["broker.ca"] == "ca.der"


NO_CONFIGURATION = [
    (b"{", "not JSON"),
    (b"", "not JSON"),
    (b'{"serial": "W\xc9B"}', "not UTF-8 text; save it as UTF-8"),
    ("{}".encode("utf-16"), "not UTF-8 text; save it as UTF-8"),
    (b"[" * 5000, "longer than 4096"),
    (b"[" * 4000, "nested too deeply"),
    (None, "cannot be read"),
]


@pytest.mark.parametrize(("data", "message"), NO_CONFIGURATION)
def test_a_file_that_is_no_configuration_is_named(tmp_path, data, message):
    path = tmp_path / "config.json"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(config.ConfigError) as error:
        config.load(str(path))
    text = str(error.value)
    # how deep CPython's parser goes is its version's business
    assert text.startswith(str(path))
    assert message in text or (b"[" * 4000 in (data or b"") and "not JSON" in text)


ON_THE_BOX = """
import os
import sys
from wallbox import config
os.chdir(sys.argv[1])
for name in sorted(os.listdir()):
    try:
        config.load(name)
        print(name, "valid")
    except config.ConfigError as error:
        print(error)
"""


def test_the_box_says_the_same_of_each_file(micropython, tmp_path):
    files = {
        "deep-value": (b'{"a":' + b"[" * 200 + b"]" * 200 + b"}", "deep-value: serial: missing"),
        "directory-key": (b"{{}: 1}", "directory-key: not JSON"),
        "good": (json.dumps(GOOD).encode(), "good valid"),
        "latin": (b'{"serial": "W\xc9B"}', "latin: not UTF-8 text; save it as UTF-8"),
        "lost": (
            json.dumps(broker(CERTIFICATE)).encode(),
            'lost: broker.ca: "ca.der" is wrong; right is the path of a file on the box',
        ),
        "number-key": (b"{1: 1}", "number-key: 1: a key must be a text in quotes"),
        "psk": (json.dumps(broker(PSK)).encode(), "psk valid"),
        "utf-16": ("{}".encode("utf-16"), "utf-16: not UTF-8 text"),
        # last: what they have filled the heap with may seem to be in use for a while
        "z-deep": (b"[" * 4000, "z-deep: nested too deeply"),
        "z-deep-object": (b'{"a":' * 800, "z-deep-object: nested too deeply"),
    }
    for name, (data, _) in files.items():
        (tmp_path / name).write_bytes(data)
    told = micropython.run(ON_THE_BOX, str(tmp_path), heap="32wK").splitlines()
    assert len(told) == len(files)
    for line, (_, expected) in zip(told, files.values(), strict=True):
        assert line.startswith(expected)


def test_the_digest_tells_configurations_apart_but_nothing_of_secrets():
    plain = config.digest(config.check(GOOD))
    assert plain != config.digest(config.check(changed(interval_s=300)))
    assert plain == config.digest(config.check(changed(wifi__password="another word")))


CHIP = "240ac4000001"
FIELDS = [field.split(" ")[0] for field in dict(fields.table(events.KINDS))["CONFIG"].split(",")]


def told(valid: int = 1, **changes) -> dict:
    """What the core is told of a configuration, by field."""
    values = config.check(GOOD | changes) if valid else config.defaults()
    return dict(zip(FIELDS, config.told(values, valid, CHIP), strict=True))


def test_the_core_is_told_all_that_concerns_it():
    plain = told()
    assert plain["installation_limit_ma"] == 16_000 and plain["cable_limit_ma"] == 0
    assert (plain["seal_policy"], plain["mode"]) == (seals.STOP, access.FREE)
    assert (plain["offline_grace_h"], plain["relocate_after_h"]) == (72, 24)
    assert (plain["lifecycle"], plain["chip_foreign"]) == (lifecycle.IN_SERVICE, 0)
    other = told(
        cable_limit_a=20,
        seals={"policy": "pause"},
        reader={"fitted": True, "mode": "required"},
        presence={"offline_grace_h": 0},
        lifecycle="commissioned",
        chip=CHIP.upper(),
    )
    assert (other["cable_limit_ma"], other["seal_policy"]) == (20_000, seals.PAUSE)
    assert (other["mode"], other["offline_grace_h"]) == (access.REQUIRED, 0)
    assert (other["lifecycle"], other["chip_foreign"]) == (lifecycle.COMMISSIONED, 0)
    assert other["digest"] != plain["digest"]
    assert told(chip="240ac4000002")["chip_foreign"] == 1


def test_without_a_valid_configuration_the_box_is_not_put_into_service():
    assert (told(valid=0)["valid"], told(valid=0)["lifecycle"]) == (0, lifecycle.FACTORY)
