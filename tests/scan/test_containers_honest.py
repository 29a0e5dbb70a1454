"""What real writers write is opened without a word, and loaders do what the findings say."""

from __future__ import annotations

import io
import shutil
import subprocess
import tarfile
import zipapp
import zipfile
from collections.abc import Callable
from pathlib import Path

import joblib
import numpy as np
import pytest
import skops.io
import torch
from sklearn.linear_model import LinearRegression
from torch.package.package_exporter import PackageExporter

from credenza.findings import Severity
from credenza.scan.interface import Said
from tests.scan.boxes import central, local, looked

STATE = {"a": torch.ones(3), "b": torch.zeros(2, 5)}


def torch_legacy(at: Path) -> None:
    torch.save(STATE, at, _use_new_zipfile_serialization=False)


def torch_aligned(at: Path) -> None:
    """As PyTorch aligns what it stores: an extra field ``FB`` of as many ``Z`` as it takes."""
    with zipfile.ZipFile(at, "w") as z:
        for i, name in enumerate(("m/data.pkl", "m/data/0", "m/version")):
            info = zipfile.ZipInfo(name)
            info.extra = b"FB" + bytes([i * 9, 0]) + b"Z" * (i * 9)
            z.writestr(info, b"]q\0.")


def torchscript(at: Path) -> None:
    net = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.ReLU())
    torch.jit.save(torch.jit.script(net), str(at))


def package(at: Path) -> None:
    with PackageExporter(at) as exporter:
        exporter.save_pickle("model", "model.pkl", STATE)
        exporter.save_source_string("model.code", "x = 1\n")


def nemo(at: Path, mode: str = "w:") -> None:
    torch.save(STATE, at.with_suffix(".ckpt"))
    with tarfile.open(at, mode) as tar:  # type: ignore[call-overload]
        tar.add(at.with_suffix(".ckpt"), "./model_weights.ckpt")


def bundle(at: Path) -> None:
    torch.save(STATE, at.with_suffix(".pt"))
    with zipfile.ZipFile(at, "w") as z:
        z.write(at.with_suffix(".pt"), "model.pt")


def app(at: Path) -> None:
    folder = at.parent / "app"
    folder.mkdir()
    (folder / "__main__.py").write_text("print(1)\n")
    zipapp.create_archive(folder, at, interpreter="/usr/bin/env python3")


WRITERS: dict[str, Callable[[Path], object]] = {
    "a.pt": lambda at: torch.save(STATE, at),
    "legacy.pt": torch_legacy,
    "aligned.pt": torch_aligned,
    "script.pt": torchscript,
    "package.pt": package,
    "a.npz": lambda at: np.savez(at, x=np.arange(9.0), y=np.ones((3, 3))),
    "c.npz": lambda at: np.savez_compressed(at, x=np.zeros(9000), y=np.ones((3, 3))),
    "z.joblib": lambda at: joblib.dump(np.ones(1000), at, compress=3),
    "g.joblib": lambda at: joblib.dump(np.ones(1000), at, compress=("gzip", 3)),
    "raw.joblib": lambda at: joblib.dump(np.ones(1000), at),
    "a.skops": lambda at: skops.io.dump(LinearRegression().fit(np.eye(3), [1, 2, 3]), at),
    "m.nemo": nemo,
    "m.tgz": lambda at: nemo(at, "w:gz"),
    "m.txz": lambda at: nemo(at, "w:xz"),
    "bundle.zip": bundle,
    "app.pyz": app,
}


@pytest.mark.parametrize("name", sorted(WRITERS))
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
def test_what_libraries_write_is_not_accused(name: str, tmp_path: Path) -> None:
    WRITERS[name](tmp_path / name)
    found = looked(tmp_path / name)
    assert found.accused == set()
    assert found.report.unread == ()
    assert name == "app.pyz" or found.report.findings == ()
    assert name in {"legacy.pt", "raw.joblib"} or found.shown


TOOLS = {
    "zip": "zip -q -r out .",
    "zip, streamed": "zip -q -r - . > out",
    "zip, with a comment": "zip -q -r out . && echo a comment | zip -q -z out",
    "jar": "jar cf out .",
    "tar": "tar cf out *",
    "tar, posix": "tar --format=posix -cf out *",
    "tar, v7": "tar --format=v7 -cf out a.txt",
    "tar, gz": "tar czf out *",
    "tar, bz2": "tar cjf out *",
    "tar, xz": "tar cJf out *",
}


@pytest.mark.parametrize("tool", sorted(TOOLS))
def test_what_tools_write_is_not_accused(tool: str, tmp_path: Path) -> None:
    if shutil.which(TOOLS[tool].split()[0]) is None:
        pytest.skip("not installed")
    (tmp_path / "sub").mkdir()
    (tmp_path / "a.txt").write_bytes(b"a text\n" * 100)
    (tmp_path / "sub" / "é.bin").write_bytes(bytes(range(256)))
    subprocess.run(TOOLS[tool], shell=True, cwd=tmp_path, check=True)  # noqa: S602
    made = next(p for p in (tmp_path / "out", tmp_path / "out.zip") if p.exists())
    found = looked(made)
    assert found.accused == set()
    assert found.report.unread == ()
    assert b"a text\n" * 100 in found.contents
    assert found.report.worst in (None, Severity.LOW)


@pytest.mark.parametrize(
    ("name", "storages"),
    [
        ("a.pt", {"a/data/0", "a/data/1"}),
        ("package.pt", {"package/.data/0.storage", "package/.data/1.storage"}),
    ],
)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_storages_are_said_to_be_data(name: str, storages: set[str], tmp_path: Path) -> None:
    WRITERS[name](tmp_path / name)
    assert {s.inside[-1] for s in looked(tmp_path / name).shown if s.said == Said.DATA} == storages


# --- why: what loaders do -----------------------------------------------------------


def saved() -> bytes:
    out = io.BytesIO()
    torch.save({"a": torch.ones(3)}, out)
    return out.getvalue()


LOADED: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "another name in the local header (CVE-2025-1944)": (
        lambda d: local(d, 30, b"Q"),
        "artifact.zip-disagreement",
    ),
    "a wrong CRC (CVE-2025-10156)": (
        lambda d: d[: d.index(b"PK\1\2") + 16] + b"\1\2\3\4" + d[d.index(b"PK\1\2") + 20 :],
        "artifact.zip-crc",
    ),
    "flags (CVE-2025-1945), which newer versions of PyTorch refuse": (
        lambda d: central(d, 8, b"\x21\x08"),
        "artifact.zip-flags",
    ),
}


@pytest.mark.parametrize("name", sorted(LOADED))
def test_pytorch_loads_what_python_refuses(name: str) -> None:
    tamper, rule = LOADED[name]
    data = tamper(saved())
    with zipfile.ZipFile(io.BytesIO(data)) as z, pytest.raises((zipfile.BadZipFile, RuntimeError)):
        list(map(z.read, z.namelist()))
    if "newer" not in name:
        loaded = torch.load(io.BytesIO(data), weights_only=True)
        assert loaded["a"].tolist() == [1, 1, 1]
    assert rule in looked(data, "a.pt").accused


def test_python_opens_an_archive_behind_anything() -> None:
    data = b"]q\0." + saved()
    with zipfile.ZipFile(io.BytesIO(data)) as z:
        assert "archive/data.pkl" in z.namelist()
    found = looked(data, "a.pkl")
    assert "scan.polyglot" in found.accused
    assert found.said("archive/data.pkl") == Said.PICKLE
