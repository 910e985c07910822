"""bench.toml: what is wrong is named with its field; what is missing, with its capability."""

import pytest

from host.provisioning.outcome import Stopped
from hw.bench.config import read_bench
from hw.verbs import CAPABILITIES
from tests.benches import bench_config, bench_file

NETWORK = '[network]\ndrop = ["/bin/false"]\nrestore = ["/bin/true"]\n'
BROKER = '[broker]\naddress = "127.0.0.1"\n'
METER = '[meter]\nport = "/dev/null"\nmodel = "sdm630"\n'


def test_a_bench_can_do_what_its_parts_allow(tmp_path):
    config = bench_config(tmp_path, "/dev/null")
    assert config.capabilities == {"car", "diode", "contactor", "seal", "mains"}
    assert config.lacking()["ventilation"] == "relays.coils.pilot_d is missing"
    assert config.lacking()["tag"] == "[tag] is missing"
    assert set(config.lacking()) | config.capabilities == set(CAPABILITIES)


def test_a_smallest_bench_is_a_box_alone(tmp_path):
    path = tmp_path / "bench.toml"
    path.write_text('[box]\nserial = "WB-000001"\n')
    assert read_bench(path).capabilities == frozenset()


def test_paths_are_relative_to_the_file(tmp_path):
    path = bench_file(tmp_path, "/dev/null", BROKER + METER + NETWORK)
    path.write_text(path.read_text().replace("[relays]", 'keys = "secrets"\n[relays]', 1))
    config = read_bench(path)
    assert config.box.keys == tmp_path / "secrets" and config.folder == tmp_path / "bench"
    assert {"key", "operator", "broker", "meter", "net"} <= config.capabilities


@pytest.mark.parametrize(
    ("more", "field", "why"),
    [
        ("[relays.coil]\n", "relays.coil", "there is no such field"),
        ('[mains]\nat_rest = "maybe"\n', "mains.at_rest", "one of 'off', 'on'"),
        ("[mains]\noff_s = 100\n", "mains.off_s", "at most 60"),
        ('[meter]\nport = "x"\nmodel = "none"\n', "meter", "model none is none of"),
        ('[meter]\nport = "x"\n', "meter.model", "it is missing"),
        ('[tag]\nkind = "servo"\nuid = "01020304"\n', "tag.kind", "one of 'actuator', 'prompt'"),
        ('[tag]\nkind = "prompt"\nuid = "xyz"\n', "tag.uid", "must have the form"),
        ('[broker]\naddress = "a"\nlines = ["a\\nb"]\n', "broker.lines.0", "must have the form"),
        ('[network]\ndrop = []\nrestore = ["a"]\n', "network.drop", "at least 1 entries"),
    ],
)
def test_a_wrong_field_is_named_with_what_to_do(tmp_path, more, field, why):
    with pytest.raises(Stopped) as caught:
        bench_config(tmp_path, "/dev/null", more)
    assert caught.value.field == field and why in str(caught.value)
    assert caught.value.action and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("coils", "why"),
    [
        ({"mains": 1, "pilot_b": 1}, "two names have the same number"),
        ({"lid": 1}, "lid is none of mains"),
        ({"mains": 256}, "at most 255"),
        ({"mains": -1}, "at least 0"),
    ],
)
def test_coils_that_cannot_be(tmp_path, coils, why):
    with pytest.raises(Stopped, match=why):
        read_bench(bench_file(tmp_path, "/dev/null", coils=coils))


def test_an_actuator_needs_its_relay(tmp_path):
    tag = '[tag]\nkind = "actuator"\nuid = "01020304"\n'
    assert "tag" in bench_config(tmp_path, "/dev/null", tag).capabilities
    with pytest.raises(Stopped, match="relays.coils.tag is missing"):
        read_bench(bench_file(tmp_path, "/dev/null", tag, coils={"mains": 0}))


@pytest.mark.parametrize(("text", "why"), [(None, "No such file"), ("[box", "cannot be read")])
def test_a_file_that_cannot_be_read(tmp_path, text, why):
    path = tmp_path / "bench.toml"
    if text:
        path.write_text(text)
    with pytest.raises(Stopped, match=why):
        read_bench(path)


def test_a_board_and_a_folder_that_cannot_be(tmp_path):
    file = bench_file(tmp_path, "/dev/null")
    plain = file.read_text()
    file.write_text(plain.replace("[box]", '[box]\nboard = "wroom33"'))
    with pytest.raises(Stopped, match="wroom33 is none of wroom32, wrover") as caught:
        read_bench(file)
    assert caught.value.field == "box.board"
    file.write_text('folder = "bench.toml/x"\n' + plain)
    with pytest.raises(Stopped, match="cannot be made: Not a directory; name another folder"):
        read_bench(file).make_folder()
