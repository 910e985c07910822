"""The key store: who may read a key, and what a serial may be."""

import os

import pytest

from host.keys import KeyStore, KeyStoreError, UnknownBox, valid_serial


@pytest.fixture
def store(tmp_path):
    (tmp_path / "keys").mkdir(mode=0o700)
    return KeyStore(tmp_path / "keys")


def test_a_new_key_is_random_private_and_read_back(store):
    first = store.create("WB-000001")
    second = store.create("WB-000002")
    assert len(first) == 32 and first != second
    assert store.load("WB-000001") == first
    assert store.path("WB-000001").stat().st_mode & 0o777 == 0o600
    assert store.serials() == ["WB-000001", "WB-000002"]


def test_a_key_is_never_replaced(store):
    key = store.create("WB-000001")
    with pytest.raises(KeyStoreError, match="has a key"):
        store.create("WB-000001")
    assert store.load("WB-000001") == key


def test_an_unknown_box(store):
    with pytest.raises(UnknownBox, match="no key of box WB-000009"):
        store.load("WB-000009")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o610])
def test_a_key_that_others_can_reach_is_refused(store, mode):
    store.create("WB-000001")
    os.chmod(store.path("WB-000001"), mode)
    with pytest.raises(KeyStoreError, match="chmod 600"):
        store.load("WB-000001")


def test_permissions_are_looked_at_again_after_the_first_read(store):
    store.create("WB-000001")
    store.load("WB-000001")
    os.chmod(store.path("WB-000001"), 0o644)
    with pytest.raises(KeyStoreError, match="chmod 600"):
        store.load("WB-000001")


def test_a_changed_key_is_read_again(store):
    store.create("WB-000001")
    store.load("WB-000001")
    store.path("WB-000001").unlink()
    key = store.create("WB-000001", bytes(range(32)))
    assert store.load("WB-000001") == key == bytes(range(32))


@pytest.mark.parametrize(
    "serial", ["", "../WB", "a/b", ".", "..", "a.b", "-x", "a" * 33, "a\n", "a\0b", "æ", "+", "#"]
)
def test_what_is_no_serial_never_becomes_a_path(store, serial):
    assert not valid_serial(serial)
    with pytest.raises(KeyStoreError, match="is no serial"):
        store.load(serial)


@pytest.mark.parametrize("text", ["", "xyz", "00" * 31, "00" * 33, "00" * 500, "\xff" * 64])
def test_a_file_that_holds_no_key(store, text):
    path = store.path("WB-000001")
    path.write_text(text, encoding="latin-1")
    path.chmod(0o600)
    with pytest.raises(KeyStoreError, match="64 hex digits") as raised:
        store.load("WB-000001")
    assert str(path) in str(raised.value)


def test_a_link_is_not_followed(store, tmp_path):
    outside = tmp_path / "outside"
    outside.write_text("00" * 32)
    outside.chmod(0o600)
    store.path("WB-000001").symlink_to(outside)
    with pytest.raises(KeyStoreError, match="cannot be read"):
        store.load("WB-000001")


def test_a_store_that_is_not_there_or_open_to_others(tmp_path):
    with pytest.raises(KeyStoreError, match="mkdir -m 700"):
        KeyStore(tmp_path / "none")
    (tmp_path / "file").write_text("")
    with pytest.raises(KeyStoreError, match="no directory"):
        KeyStore(tmp_path / "file")
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    with pytest.raises(KeyStoreError, match="chmod 700"):
        KeyStore(tmp_path / "open")


def test_a_key_of_the_wrong_length_is_not_kept(store):
    with pytest.raises(KeyStoreError, match="32 are needed"):
        store.create("WB-000001", b"short")
    assert store.serials() == []
