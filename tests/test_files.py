"""Whole files or none."""

import os
import stat
from pathlib import Path

import pytest

from credenza.errors import InputError
from credenza.files import folder_whole, locked, read_whole, write_out, write_whole


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


@pytest.mark.parametrize("linked", [False, True])
def test_no_file_takes_the_place_of_a_pipe_or_device(tmp_path: Path, linked: bool) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("pipe")
    with pytest.raises(InputError, match="is kept"):
        write_whole(tmp_path / ("link" if linked else "pipe"), b"one")
    assert (tmp_path / "pipe").is_fifo()
    assert (tmp_path / "link").is_symlink()


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


def test_a_folder_gets_its_name_when_it_is_complete(tmp_path: Path) -> None:
    with folder_whole(tmp_path / "a", mode=0o700) as aside:
        (aside / "b" / "c").mkdir(parents=True)
        (aside / "b" / "c" / "file").write_bytes(b"one")
        assert not (tmp_path / "a").exists()
    assert (tmp_path / "a" / "b" / "c" / "file").read_bytes() == b"one"
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o700
    assert os.listdir(tmp_path) == ["a"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_folder_that_was_not_finished_is_gone(tmp_path: Path, error: type[BaseException]) -> None:
    def fill() -> None:
        with folder_whole(tmp_path / "a") as aside:
            (aside / "file").write_bytes(b"half")
            raise error

    with pytest.raises(error):
        fill()
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("early", [True, False])
def test_an_existing_folder_is_kept(tmp_path: Path, early: bool) -> None:
    """One that was there before, and one that somebody makes meanwhile."""

    def fill() -> None:
        with folder_whole(tmp_path / "a") as aside:
            (aside / "file").write_bytes(b"new")
            (tmp_path / "a").mkdir()
            (tmp_path / "a" / "mine").write_bytes(b"old")

    if early:
        (tmp_path / "a").mkdir()
    with pytest.raises(InputError, match="exists already, and is kept"):
        fill()
    assert os.listdir(tmp_path) == ["a"]
    assert os.listdir(tmp_path / "a") == ([] if early else ["mine"])


def test_bytes_are_written_where_they_belong(tmp_path: Path) -> None:
    handle = os.open(tmp_path / "a", os.O_CREAT | os.O_WRONLY)
    write_out(handle, memoryview(b"two"), 3)
    write_out(handle, memoryview(b"one"), 0)
    write_out(handle, memoryview(b""), 100)
    os.close(handle)
    assert (tmp_path / "a").read_bytes() == b"onetwo"
