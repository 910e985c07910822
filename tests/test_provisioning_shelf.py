"""A shelf of boxes at once: one that fails never holds up the others."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from host.cli import app
from host.provisioning import flash_image
from host.provisioning.order import check_order
from host.provisioning.ports import Device
from host.provisioning.run import provision
from host.provisioning.shelf import provision_all
from host.provisioning.shelf_command import assign
from tests.depots import depot, order_file


@pytest.fixture
def place(tmp_path):
    with depot(tmp_path, boxes=3, tls=False, speed=4) as place:
        yield place


def test_one_fails_and_two_are_certified(place):
    place.worlds[1].meter.sim.set(voltage_v=(230, 230, 0))
    results = provision_all([place.job(number) for number in range(3)], "certify")
    assert [result.code for result in results] == [0, 5, 0], [one.text for one in results]
    assert "phases" in results[1].text


def test_the_command_takes_all_of_them(place):
    orders = place.folder / "orders"
    orders.mkdir()
    image = place.folder / "wallbox.bin"
    flash_image.save(place.image, image)
    ports = []
    for number in range(3):
        provision(place.job(number), "identity")  # so no boot loader is asked
        order_file(place, number).rename(orders / f"{number}.toml")
        ports += ["--port", place.worlds[number].box.usb]
    words = ["provision", "--all", "--order", str(orders), "--image", str(image), "--partner",
             str(place.partner_file), "--journal", str(place.journal_folder), *ports]
    result = CliRunner().invoke(app, [*words, "--json"])
    assert result.exit_code == 0, result.output[-2000:]
    events = [json.loads(line) for line in result.stdout.splitlines()]
    ended = [event for event in events if event["event"] == "end"]
    assert [event["serial"] for event in ended] == ["WB-000001", "WB-000002", "WB-000003"]
    table = CliRunner().invoke(app, [*words, "--no-color", "--lang", "da"])
    assert table.exit_code == 0 and table.stdout.count("færdig") >= 3
    assert "\x1b" not in table.stdout


def test_each_box_gets_its_own_order(tmp_path):
    orders = [
        check_order({"serial": f"WB-{n}", "type": "WB", "order": "1", "installer": "x"}, "o")
        for n in range(3)
    ]
    devices = [
        Device("a", content="blank", chip="240ac4000001"),
        Device("b", content="wallbox", serial="WB-0"),
        Device("c", content="trouble", note="no permission"),
        Device("d", content="wallbox", serial="WB-9"),
    ]
    chosen, left = assign(devices, orders, tmp_path)
    assert [(port, order.serial) for port, order in chosen] == [("b", "WB-0"), ("a", "WB-1")]
    assert sorted((result.port, result.code) for result in left) == [("c", 3), ("d", 5)]
