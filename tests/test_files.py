"""Whole files or none."""

import os
import stat
from pathlib import Path

import pytest

from credenza.errors import InputError
from credenza.files import locked, read_whole, write_whole


def test_written_bytes_are_read_back_and_nothing_else_is_left(tmp_path: Path) -> None:
    write_whole(tmp_path / "a", b"one")
    write_whole(tmp_path / "a", b"two")
    assert read_whole(tmp_path / "a", limit=3) == b"two"
    assert os.listdir(tmp_path) == ["a"]


def test_mode_is_set_before_there_is_anything_to_read(tmp_path: Path) -> None:
    write_whole(tmp_path / "key", b"secret", mode=0o600)
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600


def test_an_existing_file_can_be_kept(tmp_path: Path) -> None:
    write_whole(tmp_path / "a", b"one")
    with pytest.raises(InputError, match="exists already"):
        write_whole(tmp_path / "a", b"two", replace=False)
    assert (tmp_path / "a").read_bytes() == b"one"
    assert os.listdir(tmp_path) == ["a"]


def test_what_is_no_folder_cannot_be_locked(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path / "no", tmp_path / "file"):
        with pytest.raises(InputError, match="cannot be opened"), locked(path):
            pass


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be written: No such file or directory"):
        write_whole(tmp_path / "no" / "a", b"one")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_leaves_the_old_file(tmp_path: Path, small_disk: Path) -> None:
    write_whole(small_disk / "a", b"old")
    with pytest.raises(InputError, match="No space left on device"):
        write_whole(small_disk / "a", bytes(4 * 2**20))
    assert (small_disk / "a").read_bytes() == b"old"
    assert os.listdir(small_disk) == ["a"]


def test_a_file_over_the_limit_is_not_read(tmp_path: Path) -> None:
    write_whole(tmp_path / "a", b"four")
    with pytest.raises(InputError, match="at most 3 bytes expected"):
        read_whole(tmp_path / "a", limit=3)
