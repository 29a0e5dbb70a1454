"""How much memory it takes: the model's where it is loaded, next to nothing where it is not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

import credenza
from credenza.seal import encryption as enc
from credenza.seal import seal
from tests.seal.models import KEY, TRUST

MEBI = 2**20
SIZE = 160 * MEBI

WORK = {
    "encrypt": ('enc.encrypt(folder / "m", TRUST, [key.recipient], folder / "again")', 0),
    "decrypt": ('enc.decrypt(folder / "enc", TRUST, key, folder / "out")', 0),
    "load": ('kept = read(folder / "enc", TRUST, identity=key)', SIZE),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("memory")
    (folder / "m").mkdir()
    weights = {f"w{i}": np.full((SIZE // 8 // 4096, 1024), i, np.float32) for i in range(8)}
    save_file(weights, folder / "m" / "model.safetensors")
    seal(credenza.open(folder / "m"), KEY)
    key = enc.new_identity(folder / "r")
    enc.encrypt(folder / "m", TRUST, [key.recipient], folder / "enc")
    return folder


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's proc")
@pytest.mark.parametrize("work", list(WORK))
def test_memory_is_bounded(folder: Path, work: str) -> None:
    call, kept = WORK[work]
    code = f"""
from pathlib import Path
from credenza.seal import encryption as enc, read
from tests.seal.models import TRUST
def peak():  # proc_pid_status(5); what getrusage(2) says counts the parent's before exec
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024
folder = Path({str(folder)!r})
key = enc.Identity.read(folder / "r")
before = peak()
{call}
print(peak() - before)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert kept <= int(done.stdout) + 16 * MEBI  # what is measured is what is meant
    assert int(done.stdout) < kept + 64 * MEBI
