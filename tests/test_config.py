"""A wrong configuration is named: which key, which value, what would be right."""

import json

import pytest
from wallbox import config

GOOD = {
    "serial": "WB-000001",
    "installation_limit_a": 16,
    "meter": {"model": "sdm630"},
    "wifi": {"ssid": "home", "password": "secret-word"},
    "broker": {"host": "127.0.0.1", "port": 1883},
}


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
    ("text", "message"),
    [("{", "not JSON"), ("[" * 5000, "longer than 4096"), (None, "cannot be read")],
)
def test_a_file_that_is_no_configuration_is_named(tmp_path, text, message):
    path = tmp_path / "config.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(config.ConfigError) as error:
        config.load(str(path))
    assert str(path) in str(error.value) and message in str(error.value)


def test_the_digest_tells_configurations_apart_but_nothing_of_secrets():
    plain = config.digest(config.check(GOOD))
    assert plain != config.digest(config.check(changed(interval_s=300)))
    assert plain == config.digest(config.check(changed(wifi__password="another word")))
