"""Models to probe that lie in files: their weights alone, or the graph that a file holds.

Weights are read and nothing is executed. A graph is run where the caller asks for it by name; a
file that would also unpickle something beyond tensors is refused before that.
"""

from __future__ import annotations

import functools
import io
import re
import warnings
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from credenza import artifact
from credenza.dataset import Dataset, FloatArray
from credenza.errors import InputError, MissingExtraError
from credenza.files import read_whole
from credenza.probe.subject import Subject

if TYPE_CHECKING:
    import onnxruntime
    import torch

_MOST_BYTES: Final = 8 << 30
_DIGITS: Final = re.compile(r"(\d+)")
_UNORDERED: Final = frozenset({"safetensors"})
"""Formats whose files list tensors in an order that says nothing of the network's."""


def from_weights(
    path: Path,
    *,
    sealed: Mapping[str, NDArray[Any]] | None = None,
    classes: int | None = None,
) -> Subject:
    """The parameters in a file or folder of any format that `credenza.artifact` reads, alone.

    ``sealed`` are those that were verified, where they were; the file is not read again then.
    ``classes`` is read off the last matrix where it is not given. Raises `InputError` where there
    is no matrix, and as `credenza.open` does.
    """
    weights = _weights(path) if sealed is None else dict(sealed)
    return Subject(classes=classes or _classes(weights, path), weights=weights)


def from_onnx(path: Path, trusted: Dataset | None, *, shape: tuple[int, ...] | None) -> Subject:
    """A graph to be run by ONNX Runtime, which answers and has no gradients, and its weights.

    Raises `InputError` for what the runtime refuses, `MissingExtraError` without it.
    """
    weights = _weights(path)
    box = OnnxBox.of(read_whole(path, limit=_MOST_BYTES), path.name)
    shape = _shape(trusted, shape)
    return Subject(
        classes=_answers(box, shape), shape=shape, weights=weights, box=box, trusted=trusted
    )


def from_torchscript(
    path: Path, trusted: Dataset | None, *, shape: tuple[int, ...] | None
) -> Subject:
    """A graph that `torch.jit` saved, to be run by torch.

    Raises `InputError` for what torch refuses, and for a file that names what is no tensor.
    """
    return _from_torch(path, trusted, shape, _torchscript)


def from_export(path: Path, trusted: Dataset | None, *, shape: tuple[int, ...] | None) -> Subject:
    """A graph that `torch.export` saved, with a batch of any size, to be run by torch.

    Raises as `from_torchscript` does.
    """
    return _from_torch(path, trusted, shape, _exported)


@dataclass(frozen=True, slots=True, eq=False)
class OnnxBox:
    """A session of one input (n, …) float32, whose first output are logits (n, classes)."""

    session: onnxruntime.InferenceSession
    batch: int = 1024

    @classmethod
    def of(cls, graph: bytes, name: str) -> OnnxBox:
        """A session over a graph in memory: no other file is opened for it.

        Raises `InputError` where the runtime refuses it, or it has several inputs.
        """
        try:
            import onnxruntime
        except ImportError as e:
            raise MissingExtraError("running an ONNX graph", "onnx") from e
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 4
        try:
            session = onnxruntime.InferenceSession(
                graph, sess_options=options, providers=["CPUExecutionProvider"]
            )
        except Exception as e:  # the runtime raises a dozen types of its own, none exported
            raise InputError(f"{name}: onnxruntime refuses it: {e}") from e
        if len(session.get_inputs()) != 1:
            raise InputError(f"{name}: one input expected, {len(session.get_inputs())} found")
        return cls(session)

    def logits(self, inputs: FloatArray) -> FloatArray:
        """Raises `ValueError` where the runtime cannot read the inputs."""
        name = self.session.get_inputs()[0].name
        size = self.session.get_inputs()[0].shape[0]
        batch = size if isinstance(size, int) else self.batch
        parts = []
        for at in range(0, len(inputs), batch):
            part = inputs[at : at + batch]
            full = part if len(part) == batch or batch == self.batch else _filled(part, batch)
            try:
                answer = self.session.run(None, {name: full})[0]
            except Exception as e:  # as above
                raise ValueError(str(e)) from e
            parts.append(np.asarray(answer, np.float32)[: len(part)])
        return np.concatenate(parts)


def _filled(part: FloatArray, batch: int) -> FloatArray:
    """A batch of the one size that the graph takes: the last sample again and again."""
    filled: FloatArray = np.concatenate([part, np.repeat(part[-1:], batch - len(part), axis=0)])
    return filled


def _weights(path: Path) -> dict[str, NDArray[Any]]:
    opened = artifact.open(path)
    names = [t.name for t in opened.tensors]
    if not names:
        raise InputError(f"{path}: a file with tensors expected, none found")
    if len(set(names)) != len(names):
        raise InputError(f"{path}: tensors with names of their own expected, some come twice")
    read = {
        t.name: artifact.array(opened, t)
        for f in opened.files
        for t in _in_order(f.format, f.tensors)
    }
    return {n: np.asarray(a, a.dtype.newbyteorder("=")) for n, a in read.items()}


def _in_order(form: str, tensors: tuple[artifact.Tensor, ...]) -> list[artifact.Tensor]:
    if form not in _UNORDERED:
        return list(tensors)
    return sorted(tensors, key=lambda t: [_key(part) for part in _DIGITS.split(t.name)])


def _key(part: str) -> tuple[int, int, str]:
    number = part.isascii() and part.isdigit()
    return (0, int(part), "") if number else (1, 0, part)


def _classes(weights: Mapping[str, NDArray[Any]], path: Path) -> int:
    """The outputs of the last matrix: of its two sides the one that the last vector has."""
    floats = [w for w in weights.values() if w.dtype.kind == "f"]
    matrices = [w for w in floats if w.ndim == 2]
    if not matrices:
        raise InputError(f"{path}: a matrix expected, the head of a classifier, none found")
    vectors = [len(w) for w in floats if w.ndim == 1]
    sides = matrices[-1].shape
    return vectors[-1] if vectors and vectors[-1] in sides else sides[0]


def _shape(trusted: Dataset | None, shape: tuple[int, ...] | None) -> tuple[int, ...]:
    if shape is None and trusted is not None and len(trusted):
        shape = trusted.inputs.shape[1:]
    if shape is None:
        raise InputError("probe: trusted samples, or the shape of an input, expected")
    return shape


def _answers(box: OnnxBox, shape: tuple[int, ...]) -> int:
    try:
        logits = box.logits(np.full((2, *shape), 0.5, np.float32))
    except ValueError as e:
        raise InputError(f"probe: the model cannot read inputs of shape {shape}: {e}") from e
    if logits.ndim != 2 or logits.shape[1] < 2:
        raise InputError(f"probe: logits (n, ≥ 2 classes) expected, {logits.shape} came")
    return int(logits.shape[1])


def _from_torch(
    path: Path,
    trusted: Dataset | None,
    shape: tuple[int, ...] | None,
    load: Callable[[bytes], torch.nn.Module],
) -> Subject:
    from credenza.classifier import Classifier

    data = read_whole(path, limit=_MOST_BYTES)
    _check_pickles(data, path.name)
    try:
        module = load(data)
    except Exception as e:  # torch raises many types for a file that it cannot read
        raise InputError(f"{path}: torch refuses it: {_first_line(e)}") from e
    subject = Subject.of(Classifier(module), trusted, shape=shape)
    names = {n.removeprefix("graph."): w for n, w in subject.weights.items()}
    return replace(subject, weights=names)


def _check_pickles(data: bytes, name: str) -> None:
    """Raises `InputError` for what a pickle in the file would call but to rebuild tensors.

    The older way of `torch.export.load` unpickles whatever a member holds (``weights_only=False``
    where the safe way fails), so each is looked at. Types of ``__torch__`` are TorchScript's own,
    which its interpreter makes, not Python's.
    """
    programs = [*artifact.read(artifact.Held(name, data)).programs]
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for member in archive.infolist():
                if member.file_size > _MOST_BYTES:
                    raise InputError(f"{name}: {member.filename} is too large")
                held = artifact.Held(member.filename, archive.read(member))
                programs += artifact.read(held).programs
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, zlib.error) as e:
        raise InputError(f"{name}: an archive of torch expected: {e}") from e
    pickled = [p for p in programs if "pickle" in p.kind and not p.allowed]
    calls = [p for p in pickled if not p.name.startswith("__torch__.")]
    if calls:
        raise InputError(
            f"{name}: a file that unpickles tensors alone expected, {calls[0].name} found",
            hint="credenza scan says what it would run",
        )


def _torchscript(data: bytes) -> torch.nn.Module:
    import torch

    with warnings.catch_warnings():  # torch would rather have everybody export
        warnings.simplefilter("ignore", DeprecationWarning)
        module: torch.nn.Module = torch.jit.load(io.BytesIO(data), map_location="cpu")  # type: ignore[no-untyped-call]
    return module.eval()


def _exported(data: bytes) -> torch.nn.Module:
    import torch

    return _evaluating()(torch.export.load(io.BytesIO(data)).module())


@functools.cache
def _evaluating() -> type[torch.nn.Module]:
    """The class of a module around an exported one, which has no modes to be put in."""
    from torch import nn

    class Exported(nn.Module):
        def __init__(self, graph: nn.Module) -> None:
            super().__init__()
            self.graph = graph

        def forward(self, inputs: Any) -> Any:
            try:
                return self.graph(inputs)
            except AssertionError as e:  # how a guard of the exported shape fails
                raise ValueError(str(e)) from e

        def train(self, mode: bool = True) -> Exported:
            self.training = mode
            return self

    return Exported


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
