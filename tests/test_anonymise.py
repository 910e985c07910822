"""A log for others: nobody is named in it, and it replays as the one it was made of."""

import json
import re
import zipfile
from dataclasses import replace

import pytest
from typer.testing import CliRunner
from wallbox.core import decisions

from host.cli import app
from host.replay import cores
from host.replay.anonymise import Rules, rechained
from host.replay.anonymise import anonymise as anonymised
from host.replay.chained import LEDGER, TRACE, chained
from host.replay.field_log import read_log, write_log
from host.replay.rekey import Rekey
from host.replay.segments import read_entries
from host.replay.spread import Task, play_all
from tests.replay_story import (
    IDENTITY,
    METER_ID,
    SEALS,
    SERIAL,
    SUBSCRIPTION,
    TAG,
    charging_story,
)
from tests.test_agent import KEY
from tests.test_replay import plant

SECRET = b"a secret of at least sixteen bytes"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("anonymise")


@pytest.fixture(scope="module")
def field(folder):
    return charging_story().save(folder / "field.zip")


@pytest.fixture(scope="module")
def shared(folder, field):
    anonymise(field, "-o", folder / "shared.zip")
    return folder / "shared.zip"


def anonymise(*words: object, code: int = 0):
    done = CliRunner().invoke(app, ["log", "anonymise", *(str(word) for word in words)])
    assert done.exit_code == code, done.output + (done.stderr or "")
    return done


def replayed(path, core=None, any_core: bool = False):
    log = read_log(path)
    task = Task(core or cores.of_tree(), log.layouts, None, True, True)
    return play_all(log.trace, task, 1)


def bytes_of(path) -> bytes:
    with zipfile.ZipFile(path) as file:
        return b"".join(file.read(name) for name in file.namelist())


SECRETS = {
    "serial": SERIAL.encode(),
    "tag": TAG,
    "half a tag": TAG[:4],
    "seals": SEALS,
    "one seal": b"4711",
    "meter's serial": IDENTITY.rpartition(b"|")[2],
    "meter's number": METER_ID.to_bytes(4, "little"),
    "subscription": SUBSCRIPTION.to_bytes(4, "little"),
    "subscription that has charged": (SUBSCRIPTION + 1).to_bytes(4, "little"),
    "configuration": b"config!!",
}


@pytest.mark.parametrize("what", SECRETS)
def test_nothing_that_tells_who_it_was_is_left(what, field, shared):
    assert SECRETS[what] in bytes_of(field), "the original holds it, so this test can fail"
    assert SECRETS[what] not in bytes_of(shared)


def test_no_mac_of_the_box_is_left_and_its_key_proves_nothing(field, shared):
    before, after = read_log(field), read_log(shared)
    macs = {record[-8:] for record in before.trace + before.ledger}
    assert not macs & {record[-8:] for record in after.trace + after.ledger}
    assert chained(KEY, before.trace, TRACE).wrong == 0
    assert chained(KEY, after.trace, TRACE).proved == 0
    assert chained(KEY, after.ledger, LEDGER).proved == 0


def test_it_replays_with_the_same_outcome(field, shared):
    before, after = replayed(field), replayed(shared)
    assert vars(before.checked) == vars(after.checked)
    assert not after.differences
    told = CliRunner().invoke(app, ["replay", str(shared), "--on", "micropython", "--json"])
    assert told.exit_code == 0 and json.loads(told.stdout)["log"]["box"].startswith("ANON-")


def test_what_happened_stays(field, shared):
    before, after = read_log(field), read_log(shared)
    for old, new in zip(before.trace, after.trace, strict=True):
        assert (len(old), old[1:17]) == (len(new), new[1:17]), "kind, number, boot and times"
    first = [entry.kind for entry in read_entries(before.trace)]
    assert first == [entry.kind for entry in read_entries(after.trace)]
    sums = []
    for log in (before, after):
        facts = [decisions.unpack(one[1] & 0x3F, one[17:-10]) for one in log.ledger]
        sums.append([fact[3] for fact in facts if fact and fact[0] == decisions.INTERVAL])
    assert sums[0] == sums[1] and sum(sums[0]) > 0
    assert after.origin.anonymised and after.layouts == before.layouts


def test_a_recorded_difference_stays_one_in_the_same_place(folder, field):
    core = plant(folder / "planted", "metering", "const(150_000)", "const(30_000)")
    planted = cores.of_folder(core, "planted")
    log = read_log(field)
    entry = next(at for at, data in enumerate(log.trace) if at > 100 and data[-15] == 0xF1)
    spoilt = bytearray(log.trace[entry])
    spoilt[-12] ^= 0x40
    log.trace[entry] = bytes(spoilt)
    log.trace = rechained(log.trace, KEY, TRACE)
    write_log(folder / "spoilt.zip", log)
    anonymise(folder / "spoilt.zip", "-o", folder / "spoilt-shared.zip")
    before, after = (replayed(folder / f"{name}.zip") for name in ("spoilt", "spoilt-shared"))
    assert len(before.differences) == 1 and before.differences == after.differences
    told = replayed(folder / "spoilt-shared.zip", planted).differences
    assert told == replayed(folder / "spoilt.zip", planted).differences


def test_equal_things_stay_equal_and_others_become_others(shared):
    log = read_log(shared)
    facts = [decisions.unpack(one[1] & 0x3F, one[17:-10]) for one in log.ledger]
    begun = next(fact for fact in facts if fact and fact[0] == decisions.SESSION_BEGIN)
    tapped = next(fact for fact in facts if fact and fact[0] == decisions.TAG)
    meter = next(fact for fact in facts if fact and fact[0] == decisions.METER)
    assert begun[7] == tapped[6] != TAG and begun[2] == meter[2] != METER_ID
    maker, model, serial = meter[3].split(b"|")
    assert (maker, model) == (b"maker", b"model") and int(serial) == meter[2], "as the box numbers"
    charged = next(fact for fact in facts if fact and fact[0] == decisions.FIRST_CHARGE)
    assert charged[4] == begun[5] != SUBSCRIPTION


def test_names_by_a_secret():
    one, same, other = Rekey(SECRET), Rekey(SECRET), Rekey(SECRET[::-1])
    assert one.tag(TAG) == same.tag(TAG) != other.tag(TAG)
    assert one.tag(b"") == b"" and one.tag(bytes(8)) == bytes(8) and one.meter(0) == 0
    assert one.subscription(0) == 0 and one.subscription(0xFFFFFFFE) == 0xFFFFFFFE
    found = {one.number("small", value, 300) for value in range(300)}
    assert found == set(range(1, 301)), "no two become one"
    assert one.text("seals", b"AB-12 x").translate(None, b"") != b"AB-12 x"
    assert [chr(byte).isdigit() for byte in one.text("seals", b"AB-12")] == [False] * 3 + [True] * 2
    assert one.identity(b"maker|model|").startswith(b"maker|model|")


def test_with_a_secret_of_one_s_own_two_logs_name_the_same_alike(folder, field):
    secret = folder / "secret"
    secret.write_bytes(SECRET)
    for name in ("one", "two"):
        anonymise(field, "-o", folder / f"{name}.zip", "--secret-file", secret)
    one, two = (read_log(folder / f"{name}.zip") for name in ("one", "two"))
    assert one.origin == two.origin
    assert [data[:-8] for data in one.ledger] == [data[:-8] for data in two.ledger]
    assert one.ledger[0][-8:] != two.ledger[0][-8:], "the macs' key is never the same"
    secret.write_bytes(b"short")
    said = anonymise(field, "-o", folder / "no.zip", "--secret-file", secret, code=4).stderr
    assert "at least 16" in said and not (folder / "no.zip").exists()


def test_what_nobody_can_read_is_blanked(folder, field):
    """A snapshot that is not whole, or of rules that are not here, is not given away."""
    log = read_log(field)
    last = next(at for at in range(len(log.trace) - 1, 0, -1) if log.trace[at][20] == 0xF0
                and log.trace[at][21] & 0x7F == 1)
    del log.trace[last]
    write_log(folder / "torn.zip", log)
    anonymise(folder / "torn.zip", "-o", folder / "torn-shared.zip")
    for secret in SECRETS.values():
        assert secret not in bytes_of(folder / "torn-shared.zip")
    foreign = [one.replace(cores.of_tree().hash, b"\x01other!!") for one in log.trace]
    write_log(folder / "foreign.zip", replace(log, trace=rechained(foreign, KEY, TRACE)))
    said = anonymise(folder / "foreign.zip", "-o", folder / "no.zip", code=4).stderr
    assert "git does not find" in said
    anonymise(folder / "foreign.zip", "-o", folder / "foreign-shared.zip", "--any-core")
    for secret in SECRETS.values():
        assert secret not in bytes_of(folder / "foreign-shared.zip")
    assert not replayed(folder / "foreign-shared.zip").differences


@pytest.mark.parametrize("serial", ("", "B", "WB", SERIAL))
def test_a_name_tells_nothing_of_the_serial_not_even_its_length(folder, field, serial):
    log = read_log(field)
    other = replace(log, trace=log.trace[1:])
    rules = {cores.of_tree().hash: Rules(cores.of_tree().load(), cores.of_tree().layout)}
    names = []
    for one in (log, log, other):
        one.origin = replace(one.origin, serial=serial)
        names.append(anonymised(one, rules, SECRET, KEY).origin.serial)
    assert all(re.fullmatch(r"ANON-[0-9A-F]{8}", name) for name in names)
    assert names[0] == names[1] != anonymised(log, rules, SECRET[::-1], KEY).origin.serial
    assert (names[2] == names[0]) == bool(serial), "two without a serial are not one box"


def test_a_ledger_alone_is_counted(folder, field):
    write_log(folder / "ledger.zip", replace(read_log(field), trace=[]))
    said = anonymise(folder / "ledger.zip", "-o", folder / "ledger-shared.zip").stdout
    count = len(read_log(folder / "ledger-shared.zip").ledger)
    assert count > 5 and f"{count} records of the ledger of ANON-" in said


def test_it_never_overwrites(field, shared):
    assert "exists" in anonymise(field, "-o", shared, code=4).stderr
