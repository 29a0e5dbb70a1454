"""From a pickle's graph to tensors: every array and view in it, by name and byte range."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from credenza.artifact import numpy_graph, torch_graph
from credenza.artifact.model import Region, Tensor
from credenza.artifact.numpy_graph import MOST_ELEMENTS, Array
from credenza.artifact.pickles import Call, Interleaved, Pickle, Value, broken
from credenza.artifact.pickles.walk import TooManyPathsError, named
from credenza.artifact.torch_graph import Storage, View
from credenza.findings import Where


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where in the outer file the bytes are that a pickle refers to.

    ``pickle`` is the offset of the pickle's own byte 0, None where the pickle is compressed or
    in memory only; ``storages`` the region of each storage by its key, None where the file holds
    none. ``whole`` is the name of a tensor that is all that was pickled.
    """

    path: str
    pickle: int | None
    storages: Mapping[str, Region] | None
    whole: str = "tensor"
    prefix: str = ""
    byteorder: str = "little"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The tensors of a pickle, in words those that cannot be read, and the storages in use."""

    tensors: tuple[Tensor, ...]
    unread: tuple[str, ...]
    used: frozenset[str]


def find(pickle: Pickle, places: Places) -> Found:
    """Every tensor in the graph, by every path to it.

    Raises `BrokenPickleError` for a view that leaves its storage, a storage that is missing or
    of another size, an array whose bytes do not fit its shape, a name given twice, and for a
    graph with more paths than a file has tensors.
    """
    tensors: list[Tensor] = []
    unread: list[str] = []
    used: set[str] = set()
    try:
        for path, node in named(pickle.value, _is_leaf):
            name = _name(path, places)
            read = _array(name, node, places) if numpy_graph.is_array(node) else None
            if read is None:
                read = _view(name, node, places, used)
            if isinstance(read, str):
                unread.append(f"{name}: {read}")
            else:
                tensors.append(read)
    except TooManyPathsError as e:
        what = "pickle: shared references give more or longer paths than can be followed"
        raise broken("pickle-limit", what, Where(file=places.path)) from e
    _check_names(tensors, places.path)
    return Found(tensors=tuple(tensors), unread=tuple(unread), used=frozenset(used))


def _is_leaf(value: Value) -> bool:
    return numpy_graph.is_array(value) or torch_graph.is_tensor(value)


def _name(path: str, places: Places) -> str:
    name = path or places.whole
    return f"{places.prefix}.{name}" if places.prefix else name


def _array(name: str, node: Value, places: Places) -> Tensor | str | None:
    read = numpy_graph.array(node) if isinstance(node, Call | Interleaved) else None
    if not isinstance(read, Array):
        return read
    if read.nbytes != read.span.length or _too_large(read.shape):
        raise broken(
            "array-size",
            "an array's bytes do not fit its shape",
            Where(file=places.path, tensor=name),
            expected=f"{read.nbytes} bytes",
            found=f"{read.span.length}",
        )
    if places.pickle is None:
        return "an array inside a compressed pickle"
    start = places.pickle + read.span.start
    length = read.span.length
    return Tensor(
        name=name,
        dtype=read.dtype,
        shape=read.shape,
        file=places.path,
        region=Region(start=start, stop=start + length, nbytes=length),
        strides=read.strides,
        byteorder=read.byteorder,
    )


def _view(name: str, node: Value, places: Places, used: set[str]) -> Tensor | str:
    read = torch_graph.view(node)
    if isinstance(read, str):
        return read
    if places.storages is None:
        return "a tensor whose bytes are not in this file"
    region = _region(name, read.storage, places.storages, places.path)
    used.add(read.storage.key)
    if read.stop > region.nbytes or _too_large(read.shape):
        raise broken(
            "view-outside",
            "a tensor reaches past the end of its storage",
            Where(file=places.path, tensor=name),
            expected=f"at most {region.nbytes} bytes",
            found=f"{read.stop}",
        )
    return Tensor(
        name=name,
        dtype=read.dtype,
        shape=read.shape,
        file=places.path,
        region=region,
        offset=read.offset * read.dtype.bits // 8 if read.stop else 0,
        strides=_strides(read),
        byteorder=places.byteorder if read.dtype.bits > 8 else "little",
    )


def _region(name: str, storage: Storage, regions: Mapping[str, Region], path: str) -> Region:
    where = Where(file=path, tensor=name)
    region = regions.get(storage.key)
    if region is None:
        what = "a tensor over a storage that is not in the file"
        raise broken("storage-missing", what, where, found=f"key {storage.key!r}")
    if region.nbytes != storage.nbytes:
        raise broken(
            "storage-size",
            "a storage is not of the size that the pickle says",
            where,
            expected=f"{storage.nbytes} bytes",
            found=f"{region.nbytes}",
        )
    return region


def _strides(view: View) -> tuple[int, ...]:
    """The view's strides; empty where its elements lie in row-major order without gaps.

    The stride of an axis of length 1 is never used, and torch writes any number there.
    """
    shape = view.shape
    dense = [math.prod(shape[i + 1 :]) for i in range(len(shape))]
    pairs = zip(shape, view.strides, dense, strict=True)
    if 0 in shape or all(n == 1 or s == d for n, s, d in pairs):
        return ()
    return view.strides


def _too_large(shape: tuple[int, ...]) -> bool:
    return math.prod(max(n, 1) for n in shape) > MOST_ELEMENTS


def _check_names(tensors: list[Tensor], path: str) -> None:
    seen: set[str] = set()
    for tensor in tensors:
        if tensor.name in seen:
            where = Where(file=path, tensor=tensor.name)
            raise broken("tensor-name-twice", "two tensors have one name", where)
        seen.add(tensor.name)
