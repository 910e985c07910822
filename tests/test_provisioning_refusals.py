"""What provisioning refuses, with its reason, and leaves as it was."""

from __future__ import annotations

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wallbox import config

from host.provisioning import repl
from host.provisioning.order import check_order
from host.provisioning.outcome import EXIT_REFUSED, EXIT_UNUSABLE, Stopped
from host.provisioning.partner import Broker, Partner
from host.provisioning.run import provision
from host.provisioning.step_configure import checked
from host.provisioning.step_test_people import parse_kwh
from hw.sim.programmer import Programmer
from tests.depots import depot, forget_laptop, ledger_of


@pytest.fixture
def place(tmp_path):
    with depot(tmp_path, tls=False) as place:
        yield place


@pytest.fixture(scope="module")
def certified(tmp_path_factory):
    """A box in service, on which nothing may change."""
    with depot(tmp_path_factory.mktemp("certified"), tls=False) as place:
        provision(place.job())
        yield place


def refusal(job, until="certify") -> Stopped:
    with pytest.raises(Stopped) as stopped:
        provision(job, until)
    return stopped.value


def test_a_chip_that_is_no_esp32_and_one_with_little_flash(place):
    box = place.worlds[0].box
    other = refusal(place.job(flasher=Programmer(box, name="ESP32-S3")))
    assert "ESP32-S3" in other.why and other.code == EXIT_REFUSED
    small = refusal(place.job(flasher=Programmer(box, flash_bytes=2 << 20)))
    assert "2 MB" in small.why
    assert set(place.worlds[0].box.flash_path.read_bytes()) == {0xFF}


def test_a_box_in_service_that_this_laptop_does_not_know(certified):
    job = certified.job()
    job.folder = certified.folder / "another laptop"
    stopped = refusal(job)
    assert "in service" in stopped.what and "decommission" in stopped.action


def test_a_box_of_another_order(certified):
    job = certified.job(serial="WB-777777")
    stopped = refusal(job)
    assert "WB-000001" in stopped.why and stopped.field == "serial"


def test_an_image_that_is_older_than_the_box(certified):
    job = certified.job()
    about = dataclasses.replace(job.image.about, firmware="0.0.9")
    job.image = dataclasses.replace(job.image, about=about)
    before = certified.programmers[0].writes
    stopped = refusal(job)
    assert "older" in stopped.what and certified.programmers[0].writes == before


def test_a_flash_that_was_copied_to_another_chip(tmp_path):
    with depot(tmp_path, boxes=2, tls=False) as place:
        provision(place.job(0), "configure")
        copy = place.worlds[0].box.flash_path.read_bytes()
        box = place.worlds[1].box
        box.power_cut()
        box.flash(copy)
        box.power_on()
        job = place.job(1, serial="WB-000001")
        known = refusal(job)
        assert "another chip" in known.what
        forget_laptop(place)  # a laptop that knows nothing finds it by the configuration's chip
        stopped = refusal(place.job(1, serial="WB-000001"))
        assert "another chip" in stopped.what


def test_a_locked_box_gives_no_python_prompt(certified):
    with pytest.raises(Stopped) as stopped:
        repl.look(certified.worlds[0].box.usb)
    assert "no Python prompt" in stopped.value.what or "in time" in stopped.value.what
    provision(certified.job())  # nothing has changed


def test_what_the_meter_shows_must_be_what_the_box_reads(place):
    order = place.order(0)
    stopped = refusal(place.job(meter={**order["meter"], "display_wh": 999_000}))
    assert "display" in stopped.what
    stopped = refusal(place.job(meter={**order["meter"], "serial": "ANOTHER1"}))
    assert "meter's serial" in stopped.what
    provision(place.job())


def test_a_phase_that_is_missing_and_what_to_do(place):
    place.worlds[0].meter.sim.set(voltage_v=(230, 0, 230))
    stopped = refusal(place.job())
    assert "phases" in stopped.what and stopped.action
    place.worlds[0].meter.sim.set(voltage_v=(230, 230, 230))
    provision(place.job())


def test_an_installation_that_is_not_allowed(place):
    order = place.order(0)
    thin = {**order["installation"], "cable_length_m": 36.0}
    stopped = refusal(place.job(installation=thin))
    assert stopped.field == "installation.cable_mm2" and "35 m" in stopped.why
    assert place.job().chip == "" and "in service" not in str(place.job().lifecycle)


def test_a_ledger_that_nobody_has_is_collected_first(tmp_path):
    with depot(tmp_path, keys_at_hand=False, tls=False) as place:
        provision(place.job(), "configure")
        forget_laptop(place)
        stopped = refusal(place.job())
        assert "records" in stopped.what and "--collect" in stopped.action
        before = ledger_of(place)
        job = place.job()
        job.collect = True
        provision(job, "configure")
        saved = (place.journal_folder / f"{job.chip}-ledger.bin").read_bytes()
        assert saved[:256] == before[:256]


PARTNER = Partner(
    operator_key="k", authority="a", signer_certificate="c", signer_key="s",
    broker=Broker(host="broker.example"),
)
NASTY = st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")), min_size=1,
                max_size=10)


@given(ssid=NASTY, password=NASTY)
def test_quotes_and_braces_stay_what_they_are(ssid, password):
    tree = checked(order_with(ssid, "12345678" + password), PARTNER, "240ac4000001")
    again = json.loads(json.dumps(tree))
    assert again["wifi"] == {"ssid": ssid, "password": "12345678" + password}
    assert set(again) == set(tree) and config.check(again)["wifi.ssid"] == ssid


@pytest.mark.parametrize("ssid", ['home\n"broker": {}', "a\r", "a\x00", "\x1b[2J", "a\u2028b"])
def test_line_ends_and_control_characters_are_refused(ssid):
    with pytest.raises(Stopped) as stopped:
        order_with(ssid, "12345678")
    assert stopped.value.field == "wifi.ssid" and stopped.value.code == EXIT_UNUSABLE
    assert ssid not in str(stopped.value)


def order_with(ssid, password):
    return check_order(
        {
            "serial": "WB-1", "type": "WB", "order": "1", "installer": "x",
            "wifi": {"ssid": ssid, "password": password},
            "meter": {"model": "em340"},
            "seals": {"numbers": ["1"]},
            "installation": {
                "address": "x", "own_circuit": True, "cable_mm2": 4, "cable_length_m": 1,
                "protection": "RCBO", "breaker_a": 16, "earth_electrode": True,
                "lower_edge_cm": 70, "upper_edge_cm": 100, "clearance_cm": 20,
                "vertical": True, "facade_insulation": False,
            },
        },
        "order.toml",
    )


@pytest.mark.parametrize(
    ("typed", "wh"), [("1234.5", 1_234_500), ("1234,56", 1_234_560), ("0", 0)]
)
def test_a_display_is_typed_in_kwh(typed, wh):
    assert parse_kwh(typed) == wh


@pytest.mark.parametrize("typed", ["", "-1", "NaN", "Infinity", "1e99", "1.2.3", "kWh"])
def test_what_is_no_register_is_asked_again(typed):
    with pytest.raises(ValueError, match="kWh"):
        parse_kwh(typed)
