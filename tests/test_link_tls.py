"""The link over TLS on the real interpreter: shared key, certificates, who is not trusted."""
# ruff: noqa: F811 - fixtures are imported by name

from __future__ import annotations

from pathlib import Path

import pytest
from wallbox import link as codes

from hw.sim.ports import free_port
from tests.certificates import Authority, der
from tests.link_fixtures import delivered, make_box  # noqa: F401
from tests.link_peers import SERIAL, PahoOperator

PSK = "00112233445566778899aabbccddeeff"
OURS = {"psk_identity": SERIAL, "psk_key": PSK}


class Pki:
    """The operator's authority, and another one."""

    def __init__(self, directory: Path) -> None:
        self.operator = Authority(directory, "operator")
        self.foreign = Authority(directory, "foreign")

    def listener(self, **broker) -> list[str]:
        """The lines of a broker that shows such a certificate and demands one of the box."""
        certificate, key = self.operator.issue("broker", **broker)
        return [
            f"cafile {self.operator.ca_file}",
            f"certfile {certificate}",
            f"keyfile {key}",
            "require_certificate true",
            "use_identity_as_username true",
        ]

    def box(self, own: Authority | None = None, ca: Authority | None = None, **dates) -> dict:
        """The configuration of a box, its certificate signed by `own`, the operator unless given,
        that trusts `ca`.
        """
        certificate, key = (own or self.operator).issue(SERIAL, **dates)
        trusted = (ca or self.operator).ca_file
        return {"ca": der(trusted), "certificate": der(certificate), "key": der(key)}


@pytest.fixture
def pki(tmp_path) -> Pki:
    return Pki(tmp_path)


def psk_lines(directory: Path) -> list[str]:
    path = directory / "psk"
    path.write_text(f"{SERIAL}:{PSK}\n")
    path.chmod(0o600)
    return [f"psk_file {path}", "psk_hint wallbox", "use_identity_as_username true"]


@pytest.fixture
def tls_broker(mosquitto):
    """Give the lines of a listener; its port comes back. The plain listener stays."""

    def configure(lines) -> int:
        port = free_port()
        mosquitto.reconfigure(lines=[f"listener {port} 127.0.0.1", *lines])
        return port

    return configure


@pytest.fixture
def refused(make_box):
    """Starts a box that must not get through; the one line that it says."""

    def start(port: int, **config) -> str:
        box = make_box(port, **config).start(write=1)
        box.wait_report(codes.TLS_FAILED)
        state = box.state()
        assert state["pubacks"] == 0 and not state["up"]
        assert set(box.reports) == {codes.TLS_FAILED}
        text = next(line["text"] for line in box.lines if "report" in line)
        assert "\n" not in text
        return text

    return start


def test_with_a_shared_key(make_box, mosquitto, tls_broker, tmp_path):
    port = tls_broker(psk_lines(tmp_path))
    operator = PahoOperator(mosquitto.port)
    box = make_box(port, **OURS).start(write=3000)
    operator.wait(3000)
    delivered(box, operator)
    operator.close()


@pytest.mark.parametrize(
    "wrong", [{"psk_key": PSK[::-1]}, {"psk_identity": "nobody"}], ids=["key", "identity"]
)
def test_a_shared_key_that_the_broker_does_not_know(refused, tls_broker, tmp_path, wrong):
    # the broker tells why and hangs up: whether its alert is read before is chance
    text = refused(tls_broker(psk_lines(tmp_path)), **OURS | wrong)
    assert "no trust: the broker refuses the box: " in text or "no trust: no handshake: " in text
    assert "check broker.psk_identity and broker.psk_key" in text


def test_a_broker_that_speaks_no_tls(refused, mosquitto):
    text = refused(mosquitto.port, **OURS)
    assert "does broker.port speak TLS?" in text


def test_a_broker_that_shows_a_certificate_instead_of_the_shared_key(refused, tls_broker, pki):
    """Else whoever has any certificate could stand in for it."""
    lines = [line for line in pki.listener() if "require" not in line and "use" not in line]
    assert "no trust: " in refused(tls_broker(lines), **OURS)


def test_with_certificates_the_name_in_the_boxs_is_its_user(make_box, mosquitto, tls_broker, pki):
    port = tls_broker(pki.listener())
    operator = PahoOperator(mosquitto.port)
    box = make_box(port, user="somebody else", **pki.box()).start(write=500)
    operator.wait(500)
    delivered(box, operator)
    log = mosquitto.log_path.read_text()
    assert f"u'{SERIAL}'" in log and "somebody" not in log
    operator.close()


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_the_broker_is_known_by_its_name_or_its_address(make_box, tls_broker, pki, host):
    box = make_box(tls_broker(pki.listener()), host=host, **pki.box()).start()
    box.wait_report(codes.LINK_UP)


EXPIRED = "has expired: renew it"
WRONG_NAME = "for another name: check broker.host"


@pytest.mark.parametrize(
    ("broker", "words"),
    [
        ({"host": "elsewhere"}, [WRONG_NAME]),
        ({"days": -1}, [EXPIRED]),
        ({"days": -1, "host": "elsewhere"}, [EXPIRED, WRONG_NAME]),
        ({"begins": 1}, ["no time yet", "check clock.host"]),  # as without a clock
    ],
    ids=["wrong name", "expired", "expired and wrong name", "not yet valid"],
)
def test_a_broker_whose_certificate_is_not_good(refused, tls_broker, pki, broker, words):
    text = refused(tls_broker(pki.listener(**broker)), **pki.box())
    assert all(word in text for word in words), text


def test_a_broker_of_a_foreign_authority(refused, tls_broker, pki):
    text = refused(tls_broker(pki.listener()), **pki.box(ca=pki.foreign))
    assert "not signed by broker.ca" in text


@pytest.mark.parametrize(
    "box", [{"own": "foreign"}, {"days": -1}, {"begins": 1}], ids=["foreign", "expired", "early"]
)
def test_a_box_whose_certificate_the_broker_refuses(refused, tls_broker, pki, box):
    box = {key: getattr(pki, value) if key == "own" else value for key, value in box.items()}
    text = refused(tls_broker(pki.listener()), **pki.box(**box))
    assert "no trust: the broker refuses the box: " in text or "no trust: no handshake: " in text
    assert "check broker.certificate" in text


def test_a_box_without_a_certificate_where_one_is_demanded(refused, tls_broker, pki):
    text = refused(tls_broker(pki.listener()), ca=der(pki.operator.ca_file))
    assert "check broker.certificate" in text


def test_a_broker_that_is_mended_is_trusted_without_a_reboot(make_box, mosquitto, pki):
    mosquitto.reconfigure(lines=pki.listener(days=-1))
    box = make_box(mosquitto.port, **pki.box()).start()
    box.wait_report(codes.TLS_FAILED)
    mosquitto.reconfigure(lines=pki.listener())
    box.wait_report(codes.LINK_UP)


@pytest.mark.parametrize(
    ("settings", "detail"),
    [
        ({"tls": True}, "KeyError: ca)"),
        ({"ca": "missing.der"}, "OSError: [Errno 2] ENOENT)"),
        ({"psk_key": PSK}, "KeyError: psk_identity)"),
        ({"psk_identity": SERIAL, "psk_key": "no hex"}, "ValueError: "),
        ({"psk_identity": SERIAL, "psk_key": 5}, "TypeError: "),
        ({"ca": __file__}, "ValueError: "),
    ],
)
def test_a_configuration_that_cannot_work(refused, mosquitto, settings, detail):
    text = refused(mosquitto.port, **settings)
    assert "check broker.tls and what the keys beside it name" in text
    assert f"({detail}" in text


def test_without_the_memory_for_its_files(make_box, mosquitto, tmp_path):
    huge = tmp_path / "huge.der"
    huge.write_bytes(bytes(4_000_000))
    box = make_box(mosquitto.port, ca=str(huge)).start()
    box.wait_report(codes.TLS_FAILED)
    assert "memory" in box.state()["detail"]
