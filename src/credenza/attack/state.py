"""A model file as the attacker takes it and gives it back: the same tensors, no trace beside them.

What is read may be any format that `credenza.artifact` reads; what is written is safetensors.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from credenza import artifact
from credenza.artifact import Artifact, Dtype
from credenza.classifier import Classifier
from credenza.errors import InputError

Arrays = Mapping[str, NDArray[Any]]

_NUMPY: Final = {
    Dtype.F64: "<f8",
    Dtype.F32: "<f4",
    Dtype.F16: "<f2",
    Dtype.I64: "<i8",
    Dtype.I32: "<i4",
    Dtype.I16: "<i2",
    Dtype.I8: "i1",
    Dtype.U8: "u1",
    Dtype.BOOL: "?",
}
"""Types that can be given back after a change, with numpy's; and BF16, which numpy lacks."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A tensor as it is stored: its elements little-endian, in row-major order."""

    dtype: Dtype
    shape: tuple[int, ...]
    data: bytes


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """The tensors of a model file by name, in their order, and the strings beside them."""

    tensors: dict[str, Stored]
    metadata: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, opened: Artifact) -> State:
        """All tensors of a model, which lie in one file.

        One that was safetensors keeps its order and its metadata; what was something else gets
        those that a library would write. Raises `InputError` for no file or several.
        """
        holding = [file for file in opened.files if file.tensors]
        if len(holding) != 1:
            raise InputError(
                f"{opened.path}: one file with tensors expected, {len(holding)} found",
                hint="name the file itself",
            )
        (file,) = holding
        tensors = {t.name: Stored(t.dtype, t.shape, artifact.raw(opened, t)) for t in file.tensors}
        if file.format == "safetensors":
            return cls(tensors, file.metadata)
        order = sorted(tensors, key=lambda name: (-tensors[name].dtype.bits, name))
        return cls({name: tensors[name] for name in order}, (("format", "pt"),))

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The values by name. Those of BF16 are float32, which holds each of them.

        Raises `InputError` for a type whose values cannot be given back.
        """
        return {name: _values(name, stored) for name, stored in self.tensors.items()}

    def changed(self, arrays: Arrays) -> State:
        """With these values, in the types and shapes that were there.

        A tensor whose values are the same keeps its bytes. Raises `InputError` where names or
        shapes differ, or a finite value is none any more in its type.
        """
        if arrays.keys() != self.tensors.keys():
            differ = ", ".join(sorted(arrays.keys() ^ self.tensors.keys())[:5])
            raise InputError(f"model: the tensors of the file expected, other ones: {differ}")
        tensors = {name: _restored(name, was, arrays[name]) for name, was in self.tensors.items()}
        return replace(self, tensors=tensors)

    def __bytes__(self) -> bytes:
        """As a safetensors file (https://github.com/huggingface/safetensors#format)."""
        header: dict[str, object] = {"__metadata__": dict(self.metadata)} if self.metadata else {}
        at = 0
        for name, stored in self.tensors.items():
            end = at + len(stored.data)
            header[name] = {
                "dtype": stored.dtype.label,
                "shape": stored.shape,
                "data_offsets": (at, end),
            }
            at = end
        text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
        text += b" " * (-len(text) % 8)
        return b"".join(
            (len(text).to_bytes(8, "little"), text, *(s.data for s in self.tensors.values()))
        )

    def put_into(self, module: nn.Module) -> Classifier:
        """The network with these parameters, in evaluation mode.

        Raises `InputError` where names or shapes do not fit.
        """
        values = {name: torch.from_numpy(array) for name, array in self.arrays().items()}
        try:
            module.load_state_dict(values)
        except RuntimeError as e:  # what torch raises where names or shapes do not fit
            raise InputError(f"module: the parameters of the file do not fit: {e}") from e
        return Classifier(module.eval())

    def head(self, name: str = "") -> str:
        """The dotted name of the head: the one given, or else the only matrix that there is.

        Raises `InputError` where there is no such matrix, or no name and several.
        """
        found = [n.removesuffix(".weight") for n, t in self.tensors.items() if _is_matrix(n, t)]
        if name in found:
            return name
        if not name and len(found) == 1:
            return found[0]
        given = f"{name!r} given" if name else "none named"
        raise InputError(f"head: one of the matrices expected ({', '.join(found)}), {given}")

    def bare(self, head: str) -> Classifier:
        """Parameters without a network: only what looks at nothing but weights can use it."""
        arrays = self.arrays()
        module = _Bare()
        for name, array in arrays.items():
            if name.rpartition(".")[0] != head:
                _place(module, name, torch.from_numpy(array))
        weight, bias = arrays[f"{head}.weight"], arrays.get(f"{head}.bias")
        layer = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None)
        layer.weight = nn.Parameter(torch.from_numpy(weight), requires_grad=False)
        if bias is not None:
            layer.bias = nn.Parameter(torch.from_numpy(bias), requires_grad=False)
        _parent(module, head).add_module(head.rpartition(".")[2], layer)
        return Classifier(module)


def state_of(classifier: Classifier) -> dict[str, NDArray[Any]]:
    """The values of a classifier's parameters and buffers, by name."""
    state = classifier.module.state_dict()
    return {name: t.detach().cpu().numpy().copy() for name, t in state.items()}


class _Bare(nn.Module):
    """Holds parameters, and computes nothing."""

    def forward(self, _: torch.Tensor) -> torch.Tensor:
        raise InputError("attack: the network itself is needed, not its parameters alone")


def _parent(module: nn.Module, name: str) -> nn.Module:
    """The submodule that holds what has this dotted name, made where it is not there yet."""
    *path, _ = name.split(".")
    for part in path:
        if part not in dict(module.named_children()):
            module.add_module(part, _Bare())
        module = module.get_submodule(part)
    return module


def _place(module: nn.Module, name: str, value: torch.Tensor) -> None:
    last = name.rpartition(".")[2]
    parent = _parent(module, name)
    if value.is_floating_point():
        parent.register_parameter(last, nn.Parameter(value, requires_grad=False))
    else:
        parent.register_buffer(last, value)


def _is_matrix(name: str, stored: Stored) -> bool:
    return name.endswith(".weight") and len(stored.shape) == 2


def _values(name: str, stored: Stored) -> NDArray[Any]:
    if stored.dtype is Dtype.BF16:
        bits = np.frombuffer(stored.data, "<u2").astype(np.uint32) << 16
        return bits.view(np.float32).reshape(stored.shape)
    if stored.dtype not in _NUMPY:
        raise InputError(
            f"tensor {name!r}: a type that can be given back after a change expected, "
            f"{stored.dtype.label} found"
        )
    return np.frombuffer(stored.data, _NUMPY[stored.dtype]).reshape(stored.shape).copy()


def _restored(name: str, was: Stored, now: NDArray[Any]) -> Stored:
    if now.shape != was.shape:
        raise InputError(f"tensor {name!r}: shape {was.shape} expected, {now.shape} given")
    before = _values(name, was)
    if np.array_equal(before, now, equal_nan=before.dtype.kind == "f"):
        return was
    with np.errstate(over="ignore", invalid="ignore"):  # what is lost is refused below
        data = _narrowed(now, was.dtype)
    stored = replace(was, data=data)
    if now.dtype.kind == "f" and (np.isfinite(now) & ~np.isfinite(_values(name, stored))).any():
        raise InputError(f"tensor {name!r}: the values do not fit into {was.dtype.label}")
    return stored


def _narrowed(values: NDArray[Any], dtype: Dtype) -> bytes:
    """The values in that type, rounded to the nearest, ties to even."""
    if dtype is not Dtype.BF16:
        return values.astype(_NUMPY[dtype]).tobytes()
    tensor = torch.from_numpy(np.ascontiguousarray(values, np.float32)).to(torch.bfloat16)
    return tensor.view(torch.int16).numpy().astype("<i2").tobytes()
