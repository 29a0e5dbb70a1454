"""What torch writes is read as torch reads it; what it would not write is refused."""

from __future__ import annotations

import collections
import io
import os
import pickle
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from credenza.artifact import array
from credenza.artifact import open as open_artifact
from credenza.artifact.interface import Held
from credenza.artifact.model import Artifact, Dtype, File
from credenza.artifact.pickles import BrokenPickleError
from credenza.artifact.torch_legacy import TorchLegacy
from credenza.artifact.torch_zip import TorchZip

torch.set_num_threads(1)
DTYPES = [
    *(torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64),
    *(torch.uint16, torch.uint32, torch.uint64, torch.float16, torch.bfloat16, torch.float32),
    *(torch.float64, torch.complex64, torch.complex128, torch.float8_e4m3fn, torch.float8_e5m2),
    *(torch.float8_e4m3fnuz, torch.float8_e5m2fnuz, torch.float8_e8m0fnu),
]


def some(dtype: torch.dtype, *shape: int) -> torch.Tensor:
    """A tensor whose bytes all differ from 0, and are 0 or 1 for a bool."""
    count = torch.Size(shape).numel() * dtype.itemsize
    raw = torch.arange(count, dtype=torch.int64).remainder(2 if dtype is torch.bool else 50) + 1
    if dtype is torch.bool:
        raw -= 1
    return raw.to(torch.uint8).view(dtype).reshape(shape)


def saved(value: object, *, legacy: bool = False) -> bytes:
    out = io.BytesIO()
    torch.save(value, out, _use_new_zipfile_serialization=not legacy)
    return out.getvalue()


def read(data: bytes, *, legacy: bool = False) -> File:
    reader: TorchLegacy | TorchZip = TorchLegacy() if legacy else TorchZip()
    file = Held("model.pt", data)
    assert reader.claims(file)
    return reader.read(file)


def rule_of(data: bytes, *, legacy: bool = False) -> str:
    with pytest.raises(BrokenPickleError) as caught:
        read(data, legacy=legacy)
    return caught.value.finding.rule.removeprefix("artifact.")


def opened(path: Path, value: object, *, legacy: bool) -> Artifact:
    path.write_bytes(saved(value, legacy=legacy))
    return open_artifact(path)


def elements(artifact: Artifact, name: str, data: bytes) -> bytes:
    """The tensor's elements in row-major order, gathered by shape and strides."""
    tensor = artifact.tensor(name)
    width = tensor.dtype.bits // 8
    region = data[tensor.region.start : tensor.region.stop]
    steps = torch.empty(tensor.shape, device="meta").stride() if not tensor.strides else None
    strides = steps or tensor.strides
    places = [tensor.offset]
    for n, step in zip(tensor.shape, strides, strict=True):
        places = [p + i * step * width for p in places for i in range(n)]
    return b"".join(region[p : p + width] for p in places)


def same(tensor: torch.Tensor, found: bytes) -> bool:
    flat = tensor.detach().contiguous().reshape(-1).view(torch.uint8)
    return bytes(flat.tolist()) == found


@pytest.mark.parametrize("legacy", [False, True])
def test_every_dtype(tmp_path: Path, legacy: bool) -> None:
    state = {str(d).removeprefix("torch."): some(d, 2, 3) for d in DTYPES}
    artifact = opened(tmp_path / "m.pt", state, legacy=legacy)
    data = (tmp_path / "m.pt").read_bytes()
    assert {t.name for t in artifact.tensors} == set(state)
    assert {t.dtype for t in artifact.tensors} == {d for d in Dtype if d.bits >= 8 and d.block == 1}
    for name, tensor in state.items():
        assert same(tensor, elements(artifact, name, data)), name
    assert all(p.allowed for _, p in artifact.programs)
    assert artifact.files[0].unread == ()


@pytest.mark.parametrize("legacy", [False, True])
def test_views_share_a_storage(tmp_path: Path, legacy: bool) -> None:
    base = torch.arange(24, dtype=torch.float32)
    state = {
        "all": base,
        "transposed": base.reshape(4, 6).T,
        "tail": base[20:],
        "strided": base[1::5],
        "expanded": base[:1].expand(3, 2),
        "empty": base[:0],
        "scalar": base[7],
        "alone": base[3:5].clone(),
    }
    artifact = opened(tmp_path / "m.pt", state, legacy=legacy)
    data = (tmp_path / "m.pt").read_bytes()
    for name, tensor in state.items():
        assert same(tensor, elements(artifact, name, data)), name
        assert torch.equal(torch.from_numpy(array(artifact, artifact.tensor(name)).copy()), tensor)
    assert artifact.tensor("tail").region == artifact.tensor("all").region
    assert artifact.tensor("alone").region != artifact.tensor("all").region


def test_names() -> None:
    weight = torch.ones(1)
    state: Mapping[str | None, Any] = {
        "state_dict": collections.OrderedDict({"fc.weight": weight}),
        "optimizer": {"state": {0: {"step": weight}}, "list": [weight, (weight,)]},
        "parameter": torch.nn.Parameter(weight),
        None: weight,
        "epoch": 3,
    }
    assert {t.name for t in read(saved(state)).tensors} == {
        "state_dict.fc.weight",
        "optimizer.state.0.step",
        "optimizer.list.0",
        "optimizer.list.1.0",
        "parameter",
        "None",
    }
    assert [t.name for t in read(saved(weight)).tensors] == ["tensor"]
    two_ways = read(saved({"a.b": weight, "a": {"b": weight}})).tensors
    assert [t.name for t in two_ways] == ["a.b", "a.b#2"]
    claimed = {"a.b": weight, "a": {"b": weight}, "a.b#2": weight}
    assert rule_of(saved(claimed)) == "tensor-name-twice"


def test_a_key_that_a_dict_has_twice_is_refused() -> None:
    two = saved({"aa": torch.ones(1), "ab": torch.zeros(1)})
    with zipfile.ZipFile(io.BytesIO(two)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, part in parts.items():
            archive.writestr(
                name, part.replace(b"ab", b"aa") if name.endswith("data.pkl") else part
            )
    assert rule_of(out.getvalue()) == "tensor-name-twice"


class Net(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = torch.nn.Linear(3, 2)
        self.norm = torch.nn.BatchNorm1d(2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.norm(self.fc(x))
        return out


@pytest.mark.parametrize("legacy", [False, True])
def test_pickled_module_has_the_names_of_its_state_dict(legacy: bool) -> None:
    net = Net()
    found = read(saved(net, legacy=legacy), legacy=legacy)
    assert {t.name for t in found.tensors} == set(net.state_dict())
    listed = {p.name for p in found.programs if not p.allowed}
    assert f"{Net.__module__}.Net" in listed
    assert "torch.nn.modules.linear.Linear" in listed
    plain = read(saved(net.state_dict(), legacy=legacy), legacy=legacy)
    assert all(p.allowed for p in plain.programs)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_torchscript_is_source(tmp_path: Path) -> None:
    net = Net()
    path = str(tmp_path / "m.pt")
    torch.jit.script(net).save(path)  # type: ignore[no-untyped-call]
    found = read(Path(path).read_bytes())
    assert found.format == "torchscript"
    assert {t.name for t in found.tensors} == set(net.state_dict())
    sources = [p.name for p in found.programs if p.kind == "torchscript source"]
    assert any(name.startswith("code/__torch__") for name in sources)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_what_is_no_plain_tensor_is_said() -> None:
    quantised = torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8)
    state = {
        "quantised": quantised,
        "sparse": torch.eye(3).to_sparse(),
        "meta": torch.empty(2, device="meta"),
        "conjugated": torch.ones(2, dtype=torch.complex64).conj(),
        "plain": torch.ones(2),
    }
    found = read(saved(state))
    assert [t.name for t in found.tensors] == ["plain"]
    for name in ("quantised", "sparse", "meta", "conjugated"):
        assert (
            sum(u.startswith(f"{name}: a tensor") or f"{name}: a {name}" in u for u in found.unread)
            == 1
        )


class Payload:
    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, ("touch credenza-was-here",)


@pytest.mark.parametrize("legacy", [False, True])
def test_a_payload_beside_tensors_is_listed(
    legacy: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found = read(saved({"w": torch.ones(2), "x": Payload()}, legacy=legacy), legacy=legacy)
    assert [t.name for t in found.tensors] == ["w"]
    assert [p.name for p in found.programs if not p.allowed] == [f"{os.system.__module__}.system"]
    assert list(tmp_path.iterdir()) == []


def rewritten(data: bytes, change: Callable[[str, bytes], bytes | None]) -> bytes:
    """The archive with every member as ``change`` gives it back; None leaves one out."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            changed = change(name, old.read(name))
            if changed is not None:
                new.writestr(name, changed)
    return out.getvalue()


def of(member: str, old: bytes, new: bytes) -> Callable[[str, bytes], bytes]:
    return lambda name, data: data.replace(old, new) if name.endswith(member) else data


TAMPERED = {
    "offset": ("view-outside", of("data.pkl", b"QK\x00", b"QK\x01")),
    "shape": ("view-outside", of("data.pkl", b"K\x03\x85", b"K\x04\x85")),
    "stride": ("view-outside", of("data.pkl", b"K\x01\x85", b"K\x09\x85")),
    "storage size": ("storage-size", of("data.pkl", b"K\x03tq", b"K\x02tq")),
    "storage cut": ("storage-size", lambda n, d: d[:-1] if n.endswith("data/0") else d),
    "storage gone": ("storage-missing", lambda n, d: None if n.endswith("data/0") else d),
    "byte order": ("torch-layout", of("byteorder", b"little", b"middle")),
    "trailing": ("pickle-trailing", lambda n, d: d + b"x" if n.endswith(".pkl") else d),
    "truncated": ("pickle-truncated", lambda n, d: d[:-1] if n.endswith(".pkl") else d),
}


@pytest.mark.parametrize("name", sorted(TAMPERED))
def test_tampered_archives_are_refused(name: str) -> None:
    rule, change = TAMPERED[name]
    original = saved({"w": torch.ones(3), "x": Payload()})
    assert read(rewritten(original, lambda _, d: d)).tensors
    with pytest.raises(BrokenPickleError) as caught:
        read(rewritten(original, change))
    assert caught.value.finding.rule == f"artifact.{rule}"
    assert any(p.name.endswith(".system") and p.member for p in caught.value.programs)


def test_a_broken_archive_is_claimed() -> None:
    assert rule_of(saved({"w": torch.ones(3)}) + b"\0") == "zip-end"


def test_members_that_nothing_refers_to_are_said() -> None:
    out = io.BytesIO(saved({"w": torch.ones(3)}))
    with zipfile.ZipFile(out, "a") as z:
        z.writestr("archive/data/9", b"hidden")
        z.writestr("archive/notes", b"hidden")
        z.writestr("elsewhere/data/0", b"hidden")
    unread = read(out.getvalue()).unread
    assert [u.partition(":")[0] for u in unread] == ["data/9", "notes", "elsewhere/data/0"]


def test_legacy_ends() -> None:
    data = saved({"w": torch.ones(3)}, legacy=True)
    assert rule_of(data + b"x", legacy=True) == "pickle-trailing"
    assert rule_of(data[:-1], legacy=True) == "pickle-truncated"
    count = len(data) - 3 * 4 - 8
    assert rule_of(data[:count] + b"\x02" + data[count + 1 :], legacy=True) == "storage-size"
    assert rule_of(data.replace(b"\xe9\x03", b"\xe8\x03", 1), legacy=True) == "torch-layout"


def test_magic_by_eval_is_a_pickle_with_a_program(tmp_path: Path) -> None:
    path = tmp_path / "m.pt"
    evaluated = b"\x80\x02cbuiltins\neval\nX\x01\x00\x00\x001\x85R."
    path.write_bytes(evaluated + pickle.dumps(1001, 2))
    assert [p.name for _, p in open_artifact(path).programs] == ["builtins.eval"]


def test_tar_is_refused() -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        tar.addfile(tarfile.TarInfo("sys_info"), io.BytesIO())
    assert rule_of(out.getvalue(), legacy=True) == "torch-tar"


@given(st.booleans(), st.data())
@settings(max_examples=200, deadline=None)
def test_mutated_checkpoints_are_read_or_refused(legacy: bool, data: st.DataObject) -> None:
    original = saved({"w": torch.ones(3), "v": torch.ones(2, 2).T}, legacy=legacy)
    at = data.draw(st.integers(0, len(original) - 1))
    piece = data.draw(st.binary(max_size=4))
    file = Held("m.pt", original[:at] + piece + original[at + len(piece) :])
    reader: TorchLegacy | TorchZip = TorchLegacy() if legacy else TorchZip()
    try:
        if reader.claims(file):
            assert all(
                0 <= t.region.start <= t.region.stop <= file.size for t in reader.read(file).tensors
            )
    except BrokenPickleError:
        return
