"""Files that were hashed already, and what makes them count as unknown again."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import credenza
from credenza.errors import AlteredError, InputError
from credenza.seal import Cache, seal, verify
from tests.seal.models import KEY, TRUST, small_model

LONG_AGO = 10**18


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model whose files were changed long enough ago: the clock is set forward."""
    made = small_model(tmp_path)
    now = time.time_ns() + 60 * 10**9
    monkeypatch.setattr(time, "time_ns", lambda: now)
    return made


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


def _read(work: Callable[[Callable[[int], None]], object]) -> int:
    """How many bytes of the model were read."""
    counts: list[int] = []
    work(counts.append)
    return sum(counts)


def _size(model: Path) -> int:
    return sum(f.size for f in credenza.open(model).files)


def test_what_was_verified_is_not_read_again(model: Path, cache: Cache) -> None:
    seal(credenza.open(model), KEY)
    size = _size(model)
    for expected in (size, 0, 0):
        read = _read(lambda told: verify(model, TRUST, cache=cache, progress=told))
        assert read == expected
    assert _read(lambda told: verify(model, TRUST, progress=told)) == size


def test_sealing_again_reads_what_changed(model: Path, cache: Cache) -> None:
    first = seal(credenza.open(model), KEY, cache=cache)
    assert first == seal(credenza.open(model), KEY)
    changed = model / "config.json"
    changed.write_text('{"classes": 12}')
    read = _read(lambda told: seal(credenza.open(model), KEY, cache=cache, progress=told))
    assert read == changed.stat().st_size
    assert verify(model, TRUST).value.seal == seal(credenza.open(model), KEY)


@pytest.mark.parametrize("times_kept", [False, True])
def test_a_file_that_was_written_to_is_read(model: Path, cache: Cache, times_kept: bool) -> None:
    """Also where whoever changed it set the time of modification back: ctime cannot be set."""
    seal(credenza.open(model), KEY)
    verify(model, TRUST, cache=cache)
    path = model / "model.safetensors"
    before = path.stat()
    with path.open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        [byte] = file.read(1)
        file.seek(-1, os.SEEK_END)
        file.write(bytes([byte ^ 1]))
    if times_kept:
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(AlteredError):
        verify(model, TRUST, cache=cache)


def test_a_file_of_the_same_size_put_in_its_place_is_read(model: Path, cache: Cache) -> None:
    seal(credenza.open(model), KEY)
    verify(model, TRUST, cache=cache)
    data = (model / "config.json").read_bytes()
    (model / "config.json").unlink()
    (model / "config.json").write_bytes(data.replace(b"10", b"11"))
    with pytest.raises(AlteredError):
        verify(model, TRUST, cache=cache)


def test_a_file_changed_a_moment_ago_is_not_remembered(tmp_path: Path, cache: Cache) -> None:
    model = small_model(tmp_path)
    seal(credenza.open(model), KEY)
    verify(model, TRUST, cache=cache)
    assert _read(lambda told: verify(model, TRUST, cache=cache, progress=told)) == _size(model)


def test_an_entry_that_was_made_without_the_key_is_not_believed(
    model: Path, cache: Cache, tmp_path: Path
) -> None:
    seal(credenza.open(model), KEY)
    verify(model, TRUST, cache=cache)
    entries = [p for p in (tmp_path / "cache").iterdir() if p.name != "key"]
    assert entries
    for entry in entries:
        data = bytearray(entry.read_bytes())
        data[-1] ^= 1
        entry.write_bytes(data)
    assert _read(lambda told: verify(model, TRUST, cache=cache, progress=told)) == _size(model)


def test_an_entry_is_of_one_file(model: Path, cache: Cache, tmp_path: Path) -> None:
    seal(credenza.open(model), KEY)
    verify(model, TRUST, cache=cache)
    entries = sorted(p for p in (tmp_path / "cache").iterdir() if p.name != "key")
    for entry in entries[1:]:
        shutil.copy(entries[0], entry)
    assert _read(lambda told: verify(model, TRUST, cache=cache, progress=told)) > 0


def test_another_seal_of_the_same_files_reads_them(model: Path, cache: Cache) -> None:
    """What is cached is what a file was, not that it was fine."""
    seal(credenza.open(model), KEY)
    verify(model, TRUST, cache=cache)
    shutil.copytree(model, model.parent / "other")
    other = model.parent / "other"
    (other / "config.json").write_text('{"classes": 11}')
    seal(credenza.open(other), KEY)
    shutil.copy(other / "credenza.seal", model / "credenza.seal")
    with pytest.raises(AlteredError):
        verify(model, TRUST, cache=cache)


@pytest.mark.parametrize("mode", [0o755, 0o770])
def test_a_folder_that_others_may_enter_is_no_cache(tmp_path: Path, mode: int) -> None:
    folder = tmp_path / "cache"
    folder.mkdir()
    folder.chmod(mode)
    with pytest.raises(InputError, match="this user alone"):
        Cache(folder)


def test_a_damaged_key_is_an_error(tmp_path: Path) -> None:
    Cache(tmp_path / "cache")
    (tmp_path / "cache" / "key").write_bytes(b"short")
    with pytest.raises(InputError, match="32 bytes expected"):
        Cache(tmp_path / "cache")


def test_the_cache_of_a_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    Cache.default()
    assert (tmp_path / "xdg" / "credenza" / "files" / "key").stat().st_mode & 0o777 == 0o600
