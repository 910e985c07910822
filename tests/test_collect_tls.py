"""The collector over TLS, against mosquitto that asks for a certificate."""

import pytest

from host.collect.broker import this_machine
from host.collect.collector import BrokerSettings, Collector
from host.collect.database import Database
from host.keys import KeyStore
from tests.certificates import Authority


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path)


@pytest.fixture
def secured(mosquitto, authority):
    secure(mosquitto, authority, authority.issue("broker"))
    return mosquitto


def secure(mosquitto, authority, files):
    """The broker bears this certificate and asks for one."""
    certificate, key = files
    mosquitto.reconfigure(
        lines=[
            f"cafile {authority.ca_file}",
            f"certfile {certificate}",
            f"keyfile {key}",
            "require_certificate true",
            "use_identity_as_username true",
        ]
    )


@pytest.fixture
def connect(secured, authority, tmp_path):
    """Starts a collector with these settings; returns it settled."""
    (tmp_path / "keys").mkdir(mode=0o700)
    database = Database(tmp_path / "collector.db", create=True)
    own = authority.issue("operator")
    started = []

    def connect(tls=True, ca_file=authority.ca_file, own=own):
        settings = BrokerSettings(
            secured.host,
            secured.port,
            tls=tls,
            ca_file=ca_file,
            certificate_file=own[0] if own else None,
            key_file=own[1] if own else None,
        )
        collector = Collector(settings, database, KeyStore(tmp_path / "keys"))
        collector.start()
        started.append(collector)
        assert collector.wait_settled(10)
        return collector

    yield connect
    for collector in started:
        collector.stop()
    database.close()


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("localhost.example", False),
        ("127.0.0.1.example", False),
        ("10.0.0.1", False),
        ("0.0.0.0", False),
    ],
)
def test_only_what_stays_on_this_machine_goes_without_tls(host, expected):
    assert this_machine(host) == expected


def test_both_sides_are_verified(connect):
    assert connect().connected


def test_a_broker_of_another_authority_is_refused_with_the_reason(connect, tmp_path):
    (tmp_path / "other").mkdir()
    foreign = Authority(tmp_path / "other", "foreign")
    collector = connect(ca_file=foreign.ca_file)
    assert not collector.connected and "CERTIFICATE_VERIFY_FAILED" in collector.refusal


def test_without_a_certificate_the_broker_does_not_let_it_in(connect):
    collector = connect(own=None)
    assert not collector.connected and "--certificate-file" in collector.refusal


def test_without_tls_at_a_port_that_wants_it(connect):
    collector = connect(tls=False, own=None)
    assert not collector.connected and "--tls" in collector.refusal


def test_the_broker_must_bear_the_name_that_was_asked_for(connect, secured, authority):
    secure(secured, authority, authority.issue("other", host="elsewhere"))
    collector = connect()
    assert not collector.connected and "mismatch" in collector.refusal


def test_an_expired_broker_is_refused(connect, secured, authority):
    secure(secured, authority, authority.issue("expired", days=-1))
    collector = connect()
    assert not collector.connected and "expired" in collector.refusal
