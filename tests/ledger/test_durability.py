"""Killed writers, full disks, disks that fail: what was acknowledged stays."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from credenza.errors import InputError
from credenza.ledger import Checkpoint, Ledger, Receipt
from credenza.ledger.storage import Folder
from tests.ledger import killing
from tests.ledger.logs import KEY, ORIGIN, act, filled

_KILLS = 100  # 1,000 with benchmarks/


def test_acknowledged_entries_survive_kill_9(tmp_path: Path) -> None:
    assert killing.run(tmp_path / "ledger", kills=_KILLS, seed=11) >= _KILLS // 2


def test_a_full_disk_leaves_the_old_state(small_disk: Path) -> None:
    ledger = Ledger.create(small_disk / "ledger", ORIGIN)
    receipts = _until_full(ledger)
    before = ledger.checkpoint()

    assert Ledger.open(small_disk / "ledger").verify(*receipts).kept == len(receipts) > 100
    for _ in range(3):
        with pytest.raises(InputError, match="No space left"):
            ledger.append_many([act(n) for n in range(20_000)])
    assert ledger.checkpoint() == before
    assert ledger.verify(*receipts).kept == len(receipts)


def test_a_disk_with_room_again_is_written_on(small_disk: Path) -> None:
    ballast = small_disk / "ballast"
    ledger = Ledger.create(small_disk / "ledger", ORIGIN)
    receipt = ledger.append(act())
    _fill(ballast)
    with pytest.raises(InputError, match="No space left"):
        ledger.append_many([act(n) for n in range(400)])

    ballast.unlink()
    later = ledger.append_many([act(n) for n in range(400)])

    assert ledger.verify(receipt, later[-1]).kept == 401


def _until_full(ledger: Ledger) -> list[Receipt]:
    receipts: list[Receipt] = []
    with contextlib.suppress(InputError):
        while len(receipts) < 100_000:
            receipts += ledger.append_many([act(n) for n in range(37)])
    return receipts


def _fill(path: Path) -> None:
    with contextlib.suppress(OSError), path.open("wb", buffering=0) as file:
        for _ in range(1024):
            file.write(bytes(4096))


class Failing:
    """A folder whose ``after``-th file of a batch is written by half, and nothing after it."""

    def __init__(self, path: Path, after: int) -> None:
        self._folder = Folder(path)
        self._after = after
        self.name = self._folder.name
        self.read = self._folder.read
        self.names = self._folder.names
        self.writing = self._folder.writing
        self.discard = self._folder.discard

    def commit(
        self, files: Mapping[str, bytes], checkpoint: bytes, *, replacing: bytes | None
    ) -> None:
        """Write half of the batch as a killed writer does, and die."""
        for path, data in list(files.items())[: self._after]:
            (self._folder.path / path).parent.mkdir(parents=True, exist_ok=True)
            (self._folder.path / path).write_bytes(data)
        for path, data in list(files.items())[self._after : self._after + 1]:
            (self._folder.path / path).parent.mkdir(parents=True, exist_ok=True)
            (self._folder.path / path).write_bytes(data[: len(data) // 2])
        raise InputError("the machine lost its power")


@pytest.mark.parametrize("after", range(12))
def test_a_batch_that_stops_anywhere_is_not_seen_and_is_overwritten(
    tmp_path: Path, after: int
) -> None:
    path = tmp_path / "ledger"
    receipts = filled(path, 250)
    key = Ledger.open(path)._signer()
    stopped = Ledger(Failing(path, after), key.verifier, key)
    with pytest.raises(InputError, match="lost its power"):
        stopped.append_many([act(n, "half") for n in range(300)])

    ledger = Ledger.open(path)
    assert ledger.verify(*receipts).kept == 250
    last = ledger.append_many([act(n, "whole") for n in range(20)])
    assert ledger.verify(*receipts, last[-1]).kept == 270
    assert [r.content for r in ledger.records(250)] == [act(n, "whole") for n in range(20)]


def test_the_checkpoint_is_renamed_after_all_else_is_synced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No other way to see the order of system calls without a second machine to pull the plug."""
    storage = Folder(tmp_path)
    storage.commit({}, b"old", replacing=None)
    done: list[str] = []
    sync, replace = os.fsync, os.replace

    def fsync(handle: int) -> None:
        name = str(Path(f"/proc/self/fd/{handle}").readlink())
        name = name.removeprefix(f"{tmp_path}").split(" ")[0]
        done.append("sync " + ("checkpoint" if "#" in name or ".checkpoint" in name else name))
        sync(handle)

    def renamed(aside: Path, path: Path) -> Path:
        done.append(f"rename {path.name}")
        replace(aside, path)
        return path

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(Path, "replace", renamed)
    storage.commit({"tile/0/000": b"a", "content/000.p/000": b"b"}, b"new", replacing=b"old")

    assert set(done[:2]) == {"sync /tile/0/000", "sync /content/000.p/000"}
    folders = {"sync /tile/0", "sync /tile", "sync /content/000.p", "sync /content", "sync "}
    assert set(done[2:-3]) == folders
    assert done[-3:] == ["sync checkpoint", "rename checkpoint", "sync "]


def test_a_key_in_memory_signs_as_one_in_a_file(tmp_path: Path) -> None:
    ledger = Ledger.create(tmp_path / "ledger", ORIGIN, KEY)
    ledger.append(act())

    assert not (tmp_path / "ledger.key").exists()
    assert Checkpoint.parse(Ledger.open(tmp_path / "ledger", KEY.verifier).checkpoint().text).size
