"""The whole box over TLS with a shared key, from its config.json: refused first, then let in."""

from __future__ import annotations

import pytest
from wallbox import link as codes

from host.demo.balance import draw_up
from host.demo.scene import Scene
from host.demo.story import settled
from hw.sim.parts import BROKER_PORT
from hw.sim.ports import free_port
from hw.sim.world import SERIAL
from tests.actions import charging, plug
from tests.conftest import NO_MOSQUITTO
from tests.mosquitto import mosquitto_path

KEY = "0f1e2d3c4b5a69788796a5b4c3d2e1f0" * 2


def test_a_box_that_the_broker_does_not_know_charges_and_delivers_once_it_does(tmp_path):
    if mosquitto_path() is None:
        pytest.skip(NO_MOSQUITTO)
    trust = {"tls": "psk", "psk_identity": SERIAL, "psk_key": KEY}
    broker = {"host": "broker.example", "port": BROKER_PORT, **trust}
    keys, port = tmp_path / "keys.psk", free_port()
    keys.write_text(f"another:{KEY}\n")
    keys.chmod(0o600)
    with Scene(tmp_path, "mosquitto", 2, "sdm630", config={"broker": broker}) as scene:
        world = scene.world
        world.broker.stop()
        world.broker.lines = (
            "allow_anonymous true",  # the collector's listener
            f"listener {port} 127.0.0.1",
            f"psk_file {keys}",
            "psk_hint wallbox",
            "use_identity_as_username true",
        )
        world.broker.start()
        world.net.proxy.target_port = port
        world.mains.restore()
        world.box.wait_for(
            r"link to broker\.example:1883: no trust: .*check broker\.psk_identity", 20
        )
        plug(scene)
        scene.wait(lambda: charging(scene), 30, "charging")
        assert scene.status == {} and KEY[:8] not in world.box.log.text()
        world.broker.stop()
        keys.write_text(f"{SERIAL}:{KEY}\n")
        world.broker.start()
        scene.wait(lambda: scene.status.get("session"), 60, "status over TLS")
        outage = scene.status["link"]
        assert isinstance(outage, dict)
        assert outage["outage"] in (codes.TLS_FAILED, codes.NO_BROKER) and outage["outages"]
        world.car.unplug()
        scene.wait(lambda: settled(scene), 60, "all stored and acknowledged")
        assert draw_up(scene).balanced
        told = [entry.fields for entry in scene.entries() if entry.kind == "SECURITY"]
        assert told and told[0]["event"] == "InvalidCsmsCertificate", told
