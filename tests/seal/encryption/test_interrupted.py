"""Full disks, Ctrl-C and kill: the output is whole, or it is not there."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

import credenza
from credenza.errors import InputError
from credenza.seal import encryption as enc
from credenza.seal import read, seal
from credenza.seal.encryption import Identity
from tests.seal.models import KEY, TRUST, small_model

READER = Identity.new()


def _model(folder: Path, mebibytes: int) -> Path:
    folder.mkdir()
    weights = {f"w{i}": np.full((64, 4096), i, np.float32) for i in range(mebibytes)}
    save_file(weights, folder / "model.safetensors")
    seal(credenza.open(folder), KEY)
    return folder


def test_a_full_disk_leaves_nothing(tmp_path: Path, small_disk: Path) -> None:
    model = _model(tmp_path / "m", 3)
    with pytest.raises(InputError, match="No space left on device"):
        enc.encrypt(model, TRUST, [READER.recipient], small_disk / "enc")
    assert os.listdir(small_disk) == []
    enc.encrypt(model, TRUST, [READER.recipient], tmp_path / "enc")
    with pytest.raises(InputError, match="No space left on device"):
        enc.decrypt(tmp_path / "enc", TRUST, READER, small_disk / "plain")
    assert os.listdir(small_disk) == []


def test_a_full_disk_keeps_the_old_recipients(tmp_path: Path, small_disk: Path) -> None:
    model = small_model(tmp_path)
    seal(credenza.open(model), KEY)
    enc.encrypt(model, TRUST, [READER.recipient], small_disk / "enc")
    free = os.statvfs(small_disk).f_bavail * os.statvfs(small_disk).f_frsize
    (small_disk / "filler").write_bytes(bytes(free))
    with pytest.raises(InputError, match="No space left on device"):
        enc.rekey(small_disk / "enc", READER, [Identity.new().recipient])
    assert sorted(os.listdir(small_disk / "enc")) == ["credenza.encrypted", "payload"]
    read(small_disk / "enc", TRUST, identity=READER)


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    model = small_model(tmp_path)
    seal(credenza.open(model), KEY)
    with pytest.raises(InputError, match="cannot be written: No such file or directory"):
        enc.encrypt(model, TRUST, [READER.recipient], tmp_path / "no" / "enc")
    for name in ("", "a\0b"):
        with pytest.raises(InputError, match="a folder's name expected"):
            enc.encrypt(model, TRUST, [READER.recipient], name)


def _started(work: str, folder: Path) -> subprocess.Popen[bytes]:
    """A process that encrypts or decrypts slowly, once it began."""
    code = f"""
import os, time
from pathlib import Path
from credenza.seal import encryption as enc
from tests.seal.models import TRUST
folder = Path({str(folder)!r})
key = enc.Identity.read(folder / "r")
def slowly(count):
    os.write(1, b"began\\n")
    time.sleep(0.05)
{work}
"""
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"began\n"
    return process


WORK = {
    "encrypt": 'enc.encrypt(folder / "m", TRUST, [key.recipient], folder / "out", progress=slowly)',
    "decrypt": 'enc.decrypt(folder / "enc", TRUST, key, folder / "out", progress=slowly)',
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    model = _model(tmp_path / "m", 64)
    key = enc.new_identity(tmp_path / "r")
    enc.encrypt(model, TRUST, [key.recipient], tmp_path / "enc")
    return tmp_path


@pytest.mark.parametrize("work", list(WORK))
def test_ctrl_c_leaves_nothing(folder: Path, work: str) -> None:
    before = set(os.listdir(folder))
    with _started(WORK[work], folder) as process:
        time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        assert process.wait(10) != 0
    assert set(os.listdir(folder)) == before


@pytest.mark.parametrize("work", list(WORK))
def test_kill_leaves_no_output(folder: Path, work: str) -> None:
    """What was written so far has a temporary name; the next run does not mind it."""
    before = set(os.listdir(folder))
    with _started(WORK[work], folder) as process:
        time.sleep(0.1)
        process.kill()
        assert process.wait(10) == -signal.SIGKILL
    left = set(os.listdir(folder)) - before
    assert all(name.startswith(".out.") for name in left)
    exec(
        WORK[work],
        {"enc": enc, "TRUST": TRUST, "folder": folder, "slowly": None}
        | {"key": enc.Identity.read(folder / "r")},
    )
    assert (folder / "out").is_dir()


def test_a_name_that_was_taken_meanwhile_is_kept(folder: Path) -> None:
    """Another process makes ``out`` while we work."""

    def make(_: int) -> None:
        (folder / "out").mkdir(exist_ok=True)
        (folder / "out" / "mine").touch()

    key = enc.Identity.read(folder / "r")
    with pytest.raises(InputError, match="exists already, and is kept"):
        enc.decrypt(folder / "enc", TRUST, key, folder / "out", progress=make)
    assert os.listdir(folder / "out") == ["mine"]
    assert not [name for name in os.listdir(folder) if name.startswith(".out.")]
