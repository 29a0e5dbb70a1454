"""The models under a path: which files together are one, and the scores of each."""

from __future__ import annotations

import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, final

from credenza.artifact import File, Tensor
from credenza.artifact import read as read_headers
from credenza.errors import CredenzaError, InputError, MalformedError
from credenza.findings import Examined, Unread, Where
from credenza.scan.listing import Lying, listed
from credenza.scan.weights.reading import Failed, Outcome, Progress, is_weights, read
from credenza.scan.weights.scores import Scores
from credenza.scan.weights.statistics import Statistics

_SHARD: Final = re.compile(r"[-_.]?\d{1,6}-of-\d{1,6}")
_OPTIMIZERS: Final = ("optimizer", "exp_avg", "momentum_buffer", "optim_state")
"""In the names of what an optimizer left in a checkpoint: no weights, and like none."""
_PACKED: Final = (
    "a dataset in chunks",
    "an array inside a compressed pickle",
    "a piece of a tensor, which nobody puts together",
)
"""How `credenza.artifact` ends its words for arrays that it does not unpack."""
_RUNNING: Final = ("running_mean", "running_var", "moving_mean", "moving_variance")
NETWORKS: Final = frozenset(
    {
        *("safetensors", "torch", "torch-legacy", "torchscript", "gguf", "onnx"),
        *("npz", "npy", "hdf5", "keras", "tflite", "flax"),
    }
)
"""Formats of networks. Arrays in other files may be anything: honest ones are not known."""
TABLES: Final = frozenset({"npz", "npy"})
"""Formats of networks that are as often those of data, of which NaN is an honest part."""


@dataclass(frozen=True, slots=True)
class Summed:
    """A tensor, without its rows and columns."""

    tensor: Tensor
    sums: Statistics


@final
@dataclass(slots=True)
class Model:
    """The files that are one model: a file, or all shards of one, and what was found in it."""

    name: str
    format: str
    scores: Scores = field(default_factory=Scores)
    tensors: int = 0
    elements: int = 0
    zeros: int = 0
    notable: list[Summed] = field(default_factory=list)

    @property
    def scored(self) -> bool:
        """Whether it is held against honest networks."""
        return self.format in NETWORKS

    @property
    def weighs(self) -> bool:
        """Whether its numbers are weights for certain, and no table of data."""
        return self.scored and self.format not in TABLES

    def take(self, tensor: Tensor, sums: Statistics) -> None:
        self.tensors += 1
        self.elements += sums.size
        self.zeros += sums.zeros
        if is_notable(tensor, sums):
            self.notable.append(Summed(tensor, bare(sums)))
        if self.scored and not is_of_optimizer(tensor):
            self.scores.add(tensor, sums)


@final
@dataclass(slots=True)
class Looked:
    """Everything under a path: its models, its files, and what could not be read."""

    models: dict[str, Model] = field(default_factory=dict)
    files: list[Examined] = field(default_factory=list)
    unread: list[Unread] = field(default_factory=list)
    uncovered: list[str] = field(default_factory=list)


def look(root: Path, *, digest: bool = False, progress: Progress | None = None) -> Looked:
    """Read every file under ``root`` that holds weights, once. With ``digest``, all files.

    What cannot be read is said, and the rest is looked at. Raises `InputError` where there is
    nothing.
    """
    looked = Looked()
    known = dict(_known(root, looked))
    held = _held(known, looked)
    for path, (lying, file) in known.items():
        _look_at(lying, file, held.get(path, {}), looked, digest=digest, progress=progress)
    return looked


def scored(path: str | os.PathLike[str]) -> tuple[Model, ...]:
    """Each model at ``path`` that has tensors, with its scores: what calibrations are made of."""
    return tuple(m for m in look(Path(path)).models.values() if m.tensors)


def is_of_optimizer(tensor: Tensor) -> bool:
    """Whether it is what an optimizer left, by its name."""
    name = tensor.name.lower()
    return any(word in name for word in _OPTIMIZERS)


def bare(sums: Statistics) -> Statistics:
    """The same without what is as large as the tensor."""
    return replace(sums, rows=None, columns=None, matrix=None)


def is_notable(tensor: Tensor, sums: Statistics) -> bool:
    """Whether something is to be said of it that needs no calibration."""
    return bool(
        sums.nan
        or sums.infinite
        or (sums.largest and sums.largest[0] >= 2.0**20)
        or (sums.constant and sums.size > 1 and tensor.name.endswith(_RUNNING))
    )


def _known(root: Path, looked: Looked) -> Iterator[tuple[str, tuple[Lying, File | None]]]:
    """Each file by its path, with what its header says."""
    for entry in listed(root):
        if isinstance(entry, Unread):
            looked.unread.append(entry)
        if not isinstance(entry, Lying):
            continue  # what is odd about the way to it, `credenza.scan.scan` says
        file = None
        try:
            with entry.open() as opened:
                file = read_headers(opened)
        except MalformedError as e:
            _not_read(looked, e.finding.where.file or entry.path, e.finding.what)
        except (CredenzaError, MemoryError, RecursionError) as e:
            _not_read(looked, entry.path, str(e) or repr(e))
        else:
            _say_unread(entry.path, file, looked)
        yield entry.path, (entry, file)


def _say_unread(path: str, file: File, looked: Looked) -> None:
    """What of a file its reader left: packed arrays may be weights, all else is none."""
    for why in file.unread:
        if why.endswith(_PACKED):
            looked.unread.append(Unread(where=Where(file=path), why=f"not summed up: {why}"))
        else:
            looked.uncovered.append(f"{path}: {why}")


def _not_read(looked: Looked, path: str, why: str) -> None:
    looked.unread.append(Unread(where=Where(file=path), why=f"its weights were not read: {why}"))


def _held(
    known: Mapping[str, tuple[Lying, File | None]], looked: Looked
) -> dict[str, dict[Tensor, Model]]:
    """The tensors by the file that holds their bytes, each with the model that it is of."""
    held: dict[str, dict[Tensor, Model]] = defaultdict(dict)
    for path, (_, file) in known.items():
        if file is None or not file.tensors:
            continue
        name = _SHARD.sub("", path)
        model = looked.models.setdefault(name, Model(name, file.format))
        wanted = [t for t in file.tensors if is_weights(t)]
        elsewhere = _Failures(path)
        for tensor in wanted:
            if tensor.file in known:
                held[tensor.file][tensor] = model
            else:
                elsewhere.add(tensor, f"its bytes are in {tensor.file}, which is not here")
        looked.unread += elsewhere.said()
        looked.uncovered += _not_summed(path, file, len(wanted))
    return held


def _not_summed(path: str, file: File, wanted: int) -> Iterator[str]:
    others = len(file.tensors) - wanted
    if others:
        yield f"{path}: {others} tensors of integers, which are not summed up"
    of_optimizer = sum(map(is_of_optimizer, file.tensors))
    if of_optimizer:
        yield f"{path}: {of_optimizer} tensors of an optimizer, by their names, like no weights"


@final
class _Failures:
    """Why tensors of a file have no statistics: each reason once, with the first and the number."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._first: dict[str, str] = {}
        self._count: Counter[str] = Counter()

    def add(self, tensor: Tensor, why: str) -> None:
        self._first.setdefault(why, tensor.name)
        self._count[why] += 1

    def said(self) -> Iterator[Unread]:
        for why, count in self._count.items():
            more = f", and {count - 1} more" if count > 1 else ""
            where = Where(file=self._path, tensor=self._first[why])
            yield Unread(where=where, why=why + more)


def _look_at(
    lying: Lying,
    file: File | None,
    tensors: Mapping[Tensor, Model],
    looked: Looked,
    *,
    digest: bool,
    progress: Progress | None,
) -> None:
    """One file, from its first byte to its last, if anybody wants them."""
    failures = _Failures(lying.path)

    def found(tensor: Tensor, outcome: Outcome) -> None:
        if isinstance(outcome, Failed):
            failures.add(tensor, outcome.why)
        else:
            tensors[tensor].take(tensor, outcome)

    size, sha256 = 0, ""
    try:
        with lying.open() as opened:
            size = opened.size
            if tensors or digest:
                sha256 = read(opened, tensors, found, digest=digest, progress=progress)
    except (InputError, MemoryError) as e:
        looked.unread.append(Unread(where=Where(file=lying.path), why=str(e) or repr(e)))
    looked.unread += failures.said()
    checks = ("weights",) if tensors else ()
    format_ = file.format if file is not None and file.format != "plain" else ""
    looked.files.append(
        Examined(path=lying.path, size=size, format=format_, checks=checks, sha256=sha256)
    )
