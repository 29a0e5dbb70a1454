"""The members of PyTorch's tar format of before 0.1.10, which ``torch.load`` still reads.

``storages`` and ``tensors`` hold a count, and as often a pickle and an array's elements or layout
(`torch/serialization.py`, ``legacy_load``).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, TypeAlias

from credenza.artifact.interface import Bytes
from credenza.errors import MalformedError
from credenza.scan.interface import Said

if TYPE_CHECKING:
    from credenza.artifact.pickles import Value

MIXED: Final = frozenset({"storages", "tensors"})
_COUNT: Final = 8
_MOST_DIMENSIONS: Final = 64
Part: TypeAlias = tuple[int, int, str]
"""From where to where, and what that is to PyTorch."""


def parts(name: str, file: Bytes) -> Iterator[Part]:
    """Each pickle and each run of data, in order, up to the member's end.

    From where on they cannot be followed, all of it is said to be pickles.
    """
    at = 0
    try:
        for start, stop, said in _followed(name, file):
            if not start < stop <= file.size:
                break
            yield start, stop, said
            at = stop
    except MalformedError:  # who reads the pickles says what is wrong there
        pass
    if at < file.size or not file.size:
        yield at, file.size, Said.PICKLE


def _followed(name: str, file: Bytes) -> Iterator[Part]:
    from credenza.artifact.pickles import Tuple, interpret  # for one format that nobody writes

    first = interpret(file, 0)
    yield 0, first.stop, Said.PICKLE
    at = first.stop
    for _ in range(first.value if isinstance(first.value, int) else 0):
        pickle = interpret(file, at)
        yield at, pickle.stop, Said.PICKLE
        items = pickle.value.items if isinstance(pickle.value, Tuple) else ()
        if len(items) != 3:
            return
        at = pickle.stop
        stop = _elements(file, at, items[2]) if name == "storages" else _layout(file, at)
        yield at, stop, Said.DATA
        at = stop


def _elements(file: Bytes, at: int, kind: Value) -> int:
    """Where the elements of a storage end: a count stands before them. ``at`` where none is."""
    from credenza.artifact.torch_graph import element

    dtype = element(kind)
    if dtype is None or at + _COUNT > file.size:
        return at
    count = int.from_bytes(file.pread(at, _COUNT), "little")
    return at + _COUNT + count * dtype.bits // 8


def _layout(file: Bytes, at: int) -> int:
    """Where the layout of a tensor ends: dimensions, sizes, strides and offset."""
    if at + _COUNT > file.size:
        return at
    dimensions = int.from_bytes(file.pread(at, 4), "little")
    return at + _COUNT * (2 + 2 * dimensions) if dimensions <= _MOST_DIMENSIONS else at
