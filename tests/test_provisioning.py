"""A bare simulated chip becomes a certified wallbox, and a car charges at it."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from host.cli import app
from host.provisioning import authority, certificate, sealing
from host.provisioning.outcome import EXIT_WAITING, Stopped
from host.provisioning.run import NAMES, provision
from tests.depots import depot, forget_laptop


class Watcher:
    """A screen that remembers."""

    def __init__(self):
        self.steps, self.lines, self.parts = [], {}, []

    def step(self, number, of, title):
        self.steps.append((number, of))

    def line(self, name, result, measured, do):
        self.lines[name] = result

    def progress(self, part):
        self.parts.append(part)

    def done(self, text): ...

    def tell(self, text): ...

    def close(self): ...


@pytest.fixture
def bare(tmp_path):
    with depot(tmp_path) as place:
        yield place


def test_from_bare_to_a_car_that_charges(bare):
    screen = Watcher()
    job = bare.job(screen=screen)
    provision(job)
    assert screen.steps == [(number, 8) for number in range(1, 9)]
    for name in ("meter", "phases", "register", "idle-current", "seals", "pilot", "contactor",
                 "wifi", "address", "dns", "time", "tls", "broker", "acknowledged",
                 "meter-serial", "display", "cable_mm2"):
        assert screen.lines[name] == "pass", name
    assert screen.lines["lamp"] == "skip", "nobody was there to see it"
    assert job.identity["lifecycle"] == "in service" and job.identity["locked"]
    assert job.identity["type"] == "WB 11-3"
    world = bare.worlds[0]
    world.car.plug(max_current_a=16, phases=3)
    world.car.request_power()
    world.box.wait_until(lambda: world.car.power_w > 10_000, what="charging", timeout_s=30)


def test_the_certificate_tells_everything_and_is_proved(bare):
    job = bare.job()
    job.label = True
    provision(job)
    file = job.file(".certificate.json")
    told = json.loads(file.read_text())["certificate"]
    assert told["box"]["chip"] == job.chip and told["box"]["serial"] == "WB-000001"
    assert told["first_register_wh"] == bare.worlds[0].meter.register_wh()
    assert told["seals"] == {"numbers": ["1000", "2000"], "policy": "stop"}
    assert told["installation"]["cable_mm2"] == 4.0
    ca = ["--authority", str(bare.authority.file), "--json"]
    proved = CliRunner().invoke(app, ["certificate", "verify", str(file), *ca])
    assert proved.exit_code == 0 and json.loads(proved.stdout)["signer"] == "partner"
    for language, word in (("en", "Certificate of installation"), ("da", "Installationsattest")):
        text = job.file(f".certificate.{language}.html").read_text()
        assert word in text and "Vej 1, 8000 Aarhus C" in text
    assert job.file(".label.svg").read_bytes().startswith(b"<?xml")


def test_again_changes_nothing(bare):
    provision(bare.job())
    job = bare.job()
    before = job.file(".certificate.json").read_bytes()
    provision(job)
    assert job.file(".certificate.json").read_bytes() == before
    assert bare.programmers[0].writes == 1


def test_it_goes_on_from_every_step(bare):
    for until in NAMES:
        job = bare.job()
        provision(job, until)
    assert bare.programmers[0].writes == 1
    certificate.verify(certificate.read(job.file(".certificate.json")),
                       bare.authority.file.read_bytes())


def test_another_laptop_goes_on_before_the_box_is_in_service(tmp_path):
    with depot(tmp_path) as place:
        provision(place.job(), "configure")
        key = place.keys.load("WB-000001")
        forget_laptop(place)
        job = place.job()
        provision(job)
        envelope = sealing.read_envelope(job.file(".sealed"))
        assert sealing.unseal(envelope, place.operator_private) == key


def test_without_the_operators_keys_it_waits_for_the_certificate_and_goes_on(tmp_path):
    with depot(tmp_path, keys_at_hand=False) as place:
        job = place.job()
        with pytest.raises(Stopped) as stopped:
            provision(job)
        assert stopped.value.code == EXIT_WAITING and ".csr" in stopped.value.why
        # the operator: opens the key, signs the request
        place.take_keys()
        signed = tmp_path / "signed.crt"
        ca = place.authority
        words = ["certificate", "sign", str(job.file(".csr")), "--authority", str(ca.file),
                 "--authority-key", str(ca.key_file), "-o", str(signed)]
        assert CliRunner().invoke(app, words).exit_code == 0
        usb = place.worlds[0].box.usb
        words = ["certificate", "install", str(signed), "--port", usb, "--partner",
                 str(place.partner_file)]
        installed = CliRunner().invoke(app, words)
        assert installed.exit_code == 0, installed.output
        provision(place.job())
        assert authority.check_issued(signed.read_bytes(), ca.file.read_bytes(), "WB-000001",
                                      job.chip)


def test_no_secret_is_on_the_laptop_or_on_the_screen(tmp_path):
    with depot(tmp_path, keys_at_hand=False, tls=False) as place:
        provision(place.job(), "configure")
        place.take_keys()
        key = place.keys.load("WB-000001")
        job = place.job()
        provision(job)
        for path in place.journal_folder.rglob("*"):
            data = path.read_bytes() if path.is_file() else b""
            for secret in (key, key.hex().encode(), b"correct horse"):
                assert secret not in data, path
        assert key.hex() not in repr(job) and "correct horse" not in repr(job)
