"""A depot to practise in: the operator with authority, broker and collector, and bare boxes.

The boxes are simulated chips whose flash is erased. `job(number)` is the partner's work at one of
them; it ends with a certificate, as at a real one.
"""

from __future__ import annotations

import datetime
import ipaddress
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from host import image
from host.closing import Closing
from host.collect.collector import BrokerSettings, Collector
from host.collect.database import Database
from host.keys import KeyStore
from host.provisioning import flash_image, sealing
from host.provisioning.esptool_program import Flasher
from host.provisioning.files import write_whole
from host.provisioning.job import Job
from host.provisioning.order import check_order
from host.provisioning.partner import read_partner
from host.provisioning.screen import Screen, ShelfScreen
from hw.sim.broker import Mosquitto
from hw.sim.meter_models import MODELS
from hw.sim.programmer import Programmer
from hw.sim.world import World

BLANK = b"\xff" * image.FLASH_SIZE
BROKER = "broker.example"
METER = "em340"
METER_SERIAL = MODELS[METER].serial


def demo_image() -> flash_image.FlashImage:
    """What goes onto simulated boxes: the firmware without an interpreter, which they have."""
    parts = image.partitions()
    stub = bytearray(b"\xff" * (parts["factory"].offset - flash_image.BOOT_LOADER_AT + 64))
    for at in (0, parts["factory"].offset - flash_image.BOOT_LOADER_AT):
        stub[at : at + 16] = bytes((flash_image.MAGIC, *bytes(15)))
    stub[-32:] = b"MicroPython v1.29.0 VfsRom".ljust(32, b"\0")
    return flash_image.build(bytes(stub))


class Authority:
    """The operator's certificate authority, and what it signs; PEM files in `folder`."""

    def __init__(self, folder: Path, name: str = "operator") -> None:
        self.folder = folder
        self.name = name
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.certificate = self._signed(name, self.key, True)
        self.file, self.key_file = self._write("ca", self.certificate, self.key)

    def issue(self, name: str) -> tuple[Path, Path]:
        """Certificate and key of somebody; a server is also at 127.0.0.1."""
        key = ec.generate_private_key(ec.SECP256R1())
        return self._write(name, self._signed(name, key, False), key)

    def _signed(
        self, name: str, key: ec.EllipticCurvePrivateKey, authority: bool
    ) -> x509.Certificate:
        now = datetime.datetime.now(datetime.timezone.utc)
        address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
        names = x509.SubjectAlternativeName([x509.DNSName(name), address])
        return (
            x509.CertificateBuilder()
            .subject_name(_name(name))
            .issuer_name(_name(self.name))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=2))
            .not_valid_after(now + datetime.timedelta(days=30))
            .add_extension(x509.BasicConstraints(authority, None), critical=True)
            .add_extension(names, critical=False)
            .sign(self.key, hashes.SHA256())
        )

    def _write(
        self, name: str, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey
    ) -> tuple[Path, Path]:
        files = self.folder / f"{name}.crt", self.folder / f"{name}.pem"
        pem = serialization.Encoding.PEM
        private = key.private_bytes(
            pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        write_whole(files[0], certificate.public_bytes(pem), 0o644)
        write_whole(files[1], private)
        return files


def _name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


class Depot(Closing):
    """`keys_at_hand` False: the partner seals keys and the operator opens them (`take_keys`).

    `tls` False: the broker is open, as on a test bench. Use it as a context.
    """

    def __init__(
        self,
        folder: Path,
        boxes: int = 1,
        tls: bool = True,
        keys_at_hand: bool = True,
        speed: int = 1,
    ) -> None:
        super().__init__()
        self.folder = folder
        self.tls = tls
        self.speed = speed
        self.image = demo_image()
        self.authority = Authority(folder / "operator")
        (folder / "keys").mkdir(mode=0o700)
        self.keys = KeyStore(folder / "keys")
        self.operator_private, public = sealing.new_operator_key()
        write_whole(folder / "operator" / "seal.pub", public, 0o644)
        self.authority.issue("partner")
        self.broker = Mosquitto(folder / "broker", self._broker_lines())
        self.database = Database(folder / "collector.db", create=True)
        self.ending.callback(self.database.close)
        self.collector: Collector | None = None
        self.partner_file = folder / "partner.toml"
        self.partner_file.write_text(self._partner(keys_at_hand))
        self.worlds = [self._world(number) for number in range(boxes)]
        self.programmers = [Programmer(world.box) for world in self.worlds]

    def _broker_lines(self) -> tuple[str, ...]:
        if not self.tls:
            return ()
        certificate, key = self.authority.issue(BROKER)
        return (
            f"cafile {self.authority.file}",
            f"certfile {certificate}",
            f"keyfile {key}",
            "require_certificate true",
            "use_identity_as_username true",
        )

    def _partner(self, keys_at_hand: bool) -> str:
        lines = [
            'operator_key = "operator/seal.pub"',
            'authority = "operator/ca.crt"',
            'authority_key = "operator/ca.pem"' if keys_at_hand else "",
            'keys = "keys"' if keys_at_hand else "",
            'signer_certificate = "operator/partner.crt"',
            'signer_key = "operator/partner.pem"',
            "[broker]",
            f'host = "{BROKER}"',
            "port = 1883",
            f'tls = "{"certificate" if self.tls else "none-in-tests"}"',
            "[clock]",
            'host = "time.example"',
        ]
        return "\n".join(line for line in lines if line) + "\n"

    def _world(self, number: int) -> World:
        unique_id = bytes.fromhex("240ac4") + number.to_bytes(3, "big")
        world = World(self.folder / f"box{number}", meter=METER, broker=None, flash=BLANK,
                      serial=self.serial(number), unique_id=unique_id, speed=self.speed)
        self.ending.callback(world.close)
        world.meter.sim.set(power_w=(0, 0, 0))
        return world

    @staticmethod
    def serial(number: int) -> str:
        return f"WB-{number + 1:06d}"

    def _start(self) -> None:
        self.ending.callback(self.broker.stop)
        self.broker.start()
        settings = BrokerSettings("127.0.0.1", self.broker.port)
        if self.tls:
            certificate, key = self.authority.issue("collector")
            settings = BrokerSettings(
                "127.0.0.1", self.broker.port, tls=True, ca_file=self.authority.file,
                certificate_file=certificate, key_file=key,
            )
        self.collector = Collector(settings, self.database, self.keys)
        self.ending.callback(self.collector.stop)
        self.collector.start()
        for world in self.worlds:
            self.ending.enter_context(world)
            world.net.proxy.target_port = self.broker.port

    @property
    def journal_folder(self) -> Path:
        return self.folder / "provisioning"

    def order(self, number: int, **changes: Any) -> dict[str, Any]:
        """The tables of a good order for a box; `changes` replaces whole tables or fields."""
        register_wh = self.worlds[number].meter.register_wh()
        return {
            "serial": self.serial(number),
            "type": "WB 11-3",
            "order": f"2026-{number + 1:04d}",
            "installer": "the installation partner",
            "installation": {
                "address": "Vej 1, 8000 Aarhus C",
                "own_circuit": True,
                "cable_mm2": 4.0,
                "cable_length_m": 12.5,
                "protection": "RCBO",
                "breaker_a": 16,
                "earth_electrode": True,
                "lower_edge_cm": 70,
                "upper_edge_cm": 110,
                "clearance_cm": 25,
                "vertical": True,
                "facade_insulation": False,
            },
            "wifi": {"ssid": "depot", "password": "correct horse"},
            "meter": {"model": METER, "serial": METER_SERIAL,
                      "display_wh": register_wh},
            "seals": {"numbers": [f"{1000 + number}", f"{2000 + number}"]},
            **changes,
        }

    def job(
        self,
        number: int = 0,
        screen: Screen | None = None,
        flasher: Flasher | None = None,
        **changes: Any,
    ) -> Job:
        """The partner's work at one box, with everything as the command would have it."""
        return Job(
            port=self.worlds[number].box.usb,
            order=check_order(self.order(number, **changes), "order"),
            partner=read_partner(self.partner_file),
            image=self.image,
            flasher=flasher or self.programmers[number],
            folder=self.journal_folder,
            screen=screen or ShelfScreen(lambda text, part: None),
        )

    def take_keys(self) -> None:
        """The operator opens what partners have sealed."""
        for path in sorted(self.journal_folder.glob("*.sealed")):
            envelope = sealing.read_envelope(path)
            if envelope.serial not in self.keys.serials():
                self.keys.create(
                    envelope.serial, sealing.unseal(envelope, self.operator_private)
                )
