"""Every map against the meter it is for: each value where it must be, each request allowed."""

from fractions import Fraction

import pytest
from wallbox.drivers import meter_maps as maps
from wallbox.drivers import meter_values
from wallbox.drivers.meter_identity import Identity, meter_id

from hw.sim.meter_models import MODELS, State

# most registers that one request may ask for, by the makers' papers
MOST = {"Eastron": 60, "Carlo Gavazzi": 50, "Inepro": 125, "ABB": 125}

ALL = pytest.mark.parametrize("name", maps.NAMES)


def bytes_of(words: list[int]) -> bytes:
    return b"".join(word.to_bytes(2, "big") for word in words)


@ALL
def test_each_value_is_read_from_its_register(name):
    """Distinct values on all phases arrive in the right field, to the Wh, W, mA, mV, mHz."""
    state = State(
        voltage_v=[Fraction(2301, 10), Fraction(2312, 10), Fraction(2323, 10)],
        power_w=[Fraction(2301), Fraction(3468), Fraction(-4646)],
        frequency_hz=Fraction(4998, 100),
        import_wh=Fraction(12_345_678),
        export_wh=Fraction(4_300),
    )
    meter, model = maps.find(name), MODELS[name]
    got = {}
    for field, block, address, form in meter.fields:
        function, first, count = meter.blocks[block]
        words = model.words(state, function, first, count)
        got[field] = meter_values.value(bytes_of(words), 2 * (address - first), form)
    expected = {
        maps.REGISTER: model.register_wh(state),
        maps.EXPORT: 4_300,
        maps.POWER: 1_123,
        maps.POWER_L1: 2_301,
        maps.POWER_L2: 3_468,
        maps.POWER_L3: -4_646,
        maps.CURRENT_L1: 10_000,
        maps.CURRENT_L2: 15_000,
        maps.CURRENT_L3: 20_000,
        maps.VOLTAGE_L1: 230_100,
        maps.VOLTAGE_L2: 231_200,
        maps.VOLTAGE_L3: 232_300,
        maps.FREQUENCY: 49_980,
    }
    assert got == {field: expected[field] for field in got}
    assert abs(got[maps.REGISTER] - 12_345_678) <= meter.step_wh
    assert {maps.POWER, maps.FREQUENCY}.issuperset(set(expected) - set(got))


@ALL
def test_requests_are_short_enough_and_told_apart_by_their_length(name):
    """A late answer has another length than the one that is waited for."""
    meter = maps.find(name)
    requests = [(function, count) for function, _, count in meter.blocks]
    requests += [(function, count) for _, _, function, _, count in meter.identity]
    assert len(set(requests)) == len(requests)
    assert max(count for _, count in requests) <= MOST[meter.vendor]
    assert len(meter.blocks) <= 2
    for field, block, address, form in meter.fields:
        function, first, count = meter.blocks[block]
        assert first <= address and address + meter_values.WORDS[form] <= first + count, field
    fields = [field for field, _, _, _ in meter.fields]
    assert len(set(fields)) == len(fields)
    assert dict.fromkeys(fields, 0).keys() >= set(range(maps.FIELDS)) - {maps.POWER, maps.FREQUENCY}
    assert any(f == maps.REGISTER and b == len(meter.blocks) - 1 for f, b, _, _ in meter.fields)


@ALL
def test_identity(name):
    meter, model = maps.find(name), MODELS[name]
    state = State(serial=model.serial, code=model.code)
    identity = Identity(meter.vendor)
    for request in meter.identity:
        words = model.words(state, *request[2:])
        identity.take(request, bytes_of(words), 0)
    assert identity.close(meter.model, meter.models)
    assert identity.vendor == model.vendor
    assert identity.serial == model.serial
    assert identity.model.split()[0] == meter.model.split()[0]
    assert identity.meter_id > 0
    assert identity.pack().decode().split("|") == [meter.vendor, identity.model, model.serial]


@pytest.mark.parametrize(
    ("name", "other"), [("em340", "em330"), ("sdm630", "sdm72d-m-v2"), ("em330", "em340")]
)
def test_a_meter_of_another_model_is_told_from_the_right_one(name, other):
    meter, model = maps.find(name), MODELS[other]
    identity = Identity(meter.vendor)
    state = State(serial=model.serial, code=model.code)
    request = meter.identity[0]
    identity.take(request, bytes_of(model.words(state, *request[2:])), 0)
    assert not identity.close(meter.model, meter.models)
    assert identity.model == str(model.code)


def test_meter_id():
    """A number where the serial is one, else a checksum of vendor, model and serial; never 0."""
    assert meter_id("Eastron", "SDM630", "21630001") == 21630001
    assert meter_id("Eastron", "SDM630", "4294967295") == 4294967295
    letters = meter_id("Carlo Gavazzi", "EM340", "KW34004")
    assert 0 < letters < 1 << 32
    assert letters != meter_id("Carlo Gavazzi", "EM340", "KW34005")
    assert meter_id("Eastron", "SDM630", "4294967296") < 1 << 32
    assert meter_id("Eastron", "SDM630", "") > 0
    assert meter_id("Eastron", "SDM630", "0") > 0


def test_serials_that_a_meter_does_not_have():
    request = (maps.SERIAL, maps.DECIMAL, 3, 0xFC00, 2)
    for nothing in (bytes(4), b"\xff" * 4):
        identity = Identity("Eastron")
        identity.take(request, nothing, 0)
        assert identity.serial == ""


def test_unknown_names_are_answered_with_the_known_ones():
    with pytest.raises(ValueError, match="'sdm999' is unknown; known are: sdm630, sdm72d-m-v2"):
        maps.find("sdm999")
