"""Files that are there whole or not at all."""

from __future__ import annotations

import os

import pytest

from host.provisioning.files import try_writing, write_whole


def test_a_file_is_replaced_as_a_whole(tmp_path):
    path = tmp_path / "new" / "file"
    write_whole(path, b"one")
    write_whole(path, b"two")
    (tmp_path / "link").symlink_to(path)
    write_whole(tmp_path / "link", b"three")
    assert path.read_bytes() == b"three" and (tmp_path / "link").is_symlink()
    with pytest.raises(OSError):
        write_whole(path.parent, b"into a folder")
    assert [one.name for one in path.parent.iterdir()] == ["file"]
    assert sorted(one.name for one in tmp_path.iterdir()) == ["link", "new"], "nothing half"


def test_what_is_no_file_is_written_to_and_stays(tmp_path):
    """Else /dev/null would be a file afterwards."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try_writing(pipe)
    write_whole(pipe, b"one")
    assert os.read(reader, 10) == b"one" and pipe.is_fifo()
    os.close(reader)
