"""``.npy``: one NumPy array, as specified in `numpy/lib/_format_impl.py` (versions 1 to 3)."""

from __future__ import annotations

import ast
import math
import re
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Any, Final, final

from credenza.artifact.interface import Bytes
from credenza.artifact.model import Dtype, File, Program, Region, Tensor
from credenza.artifact.numpy_graph import (
    MOST_DIMENSIONS,
    MOST_ELEMENTS,
    element,
    fortran_strides,
    is_index,
)
from credenza.artifact.pickles import BrokenPickleError, broken, interpret
from credenza.findings import Where

MAGIC: Final = b"\x93NUMPY"
MOST_HEADER: Final = 10_000
"""numpy's own limit (``_MAX_HEADER_SIZE``), against an `ast.literal_eval` that exhausts Python."""
_KEYS: Final = {"descr", "fortran_order", "shape"}
_LENGTH_BYTES: Final = {b"\x01\x00": 2, b"\x02\x00": 4, b"\x03\x00": 4}
_START: Final = len(MAGIC) + 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What an .npy file says of its data, which begin at byte ``stop``. ``descr`` is numpy's."""

    descr: Any
    fortran: bool
    shape: tuple[int, ...]
    stop: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What one .npy file holds: a tensor, or programs, or in words what is not read."""

    tensor: Tensor | None = None
    programs: tuple[Program, ...] = ()
    unread: str = ""


@final
@dataclass(frozen=True, slots=True)
class Npy:
    """Reads an .npy file. Its one tensor has the file's name, without folders and ``.npy``."""

    def claims(self, file: Bytes) -> bool:
        head = file.pread(0, min(file.size, len(MAGIC)))
        return head == MAGIC or file.path.lower().endswith(".npy")

    def read(self, file: Bytes) -> File:
        whole = Region(start=0, stop=file.size, nbytes=file.size)
        found = contents(file, whole, PurePosixPath(file.path).stem)
        return File(
            path=file.path,
            size=file.size,
            format="npy",
            tensors=(found.tensor,) if found.tensor else (),
            programs=found.programs,
            unread=(found.unread,) if found.unread else (),
        )


def contents(file: Bytes, outer: Region, name: str) -> Content:
    """What the .npy file ``file`` holds, which lies in ``outer`` of the file on disk.

    Raises `BrokenPickleError` for a header that is not numpy's, data that are not of the size
    that it says, and a pickle of objects that is broken.
    """
    header = read_header(file)
    if holds_objects(header.descr):
        return _objects(file, header, name)
    known = element(header.descr) if isinstance(header.descr, str) else "structured elements"
    if isinstance(known, str):
        return Content(unread=f"{name}: an array of {known}")
    dtype, byteorder = known
    size = math.prod(header.shape) * dtype.bits // 8
    if file.size - header.stop != size:
        raise broken(
            "array-size",
            "an array's bytes do not fit its shape",
            Where(file=file.path, start=header.stop, tensor=name),
            expected=f"{size} bytes",
            found=f"{file.size - header.stop}",
        )
    tensor = _tensor(file, outer, header, name, dtype)
    return Content(tensor=replace(tensor, byteorder=byteorder))


def _tensor(file: Bytes, outer: Region, header: Header, name: str, dtype: Dtype) -> Tensor:
    """The tensor as bytes of the outer file; of a compressed one, with an offset behind it."""
    raw = outer.encoding == "raw"
    size = file.size - header.stop
    data = Region(start=outer.start + header.stop, stop=outer.stop, nbytes=size)
    return Tensor(
        name=name,
        dtype=dtype,
        shape=header.shape,
        file=file.path,
        region=data if raw else outer,
        offset=0 if raw else header.stop,
        strides=fortran_strides(header.shape) if header.fortran and len(header.shape) > 1 else (),
    )


def _objects(file: Bytes, header: Header, name: str) -> Content:
    """An array of Python objects is a pickle, which numpy loads with ``allow_pickle``."""
    pickle = interpret(file, header.stop)
    if pickle.stop != file.size:
        where = Where(file=file.path, start=pickle.stop, stop=file.size, tensor=name)
        what = "bytes follow the pickle of an array"
        raise broken("pickle-trailing", what, where, programs=pickle.programs)
    return Content(programs=pickle.programs, unread=f"{name}: an array of Python objects")


def read_header(file: Bytes) -> Header:
    """The header, if it is one that numpy writes.

    numpy reads it with `ast.literal_eval`, and so does this, within `MOST_HEADER` bytes.
    """
    head = file.pread(0, min(file.size, _START))
    width = _LENGTH_BYTES.get(head[len(MAGIC) :], 0)
    if not head.startswith(MAGIC) or not width or file.size < _START + width:
        raise _bad(file, "not the magic and a version from 1 to 3")
    length = int.from_bytes(file.pread(_START, width), "little")
    stop = _START + width + length
    if length > MOST_HEADER or stop > file.size:
        raise _bad(file, f"a header of {length} bytes")
    piece = file.pread(_START + width, length)
    try:
        value = ast.literal_eval(piece.decode("utf-8" if head[len(MAGIC)] == 3 else "latin-1"))
    except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError) as e:
        raise _bad(file, "no Python literal") from e
    if not isinstance(value, dict) or set(value) != _KEYS:
        raise _bad(file, "not a dict of descr, fortran_order and shape")
    shape, fortran = value["shape"], value["fortran_order"]
    if not _is_shape(shape) or not isinstance(fortran, bool):
        raise _bad(file, "shape or fortran_order is not one")
    return Header(descr=value["descr"], fortran=fortran, shape=shape, stop=stop)


def _is_shape(value: object) -> bool:
    if not isinstance(value, tuple) or len(value) > MOST_DIMENSIONS:
        return False
    return all(is_index(n) for n in value) and math.prod(max(n, 1) for n in value) <= MOST_ELEMENTS


def data_size(header: Header) -> int | None:
    """How many bytes the elements take; None for types that are not told apart here."""
    known = element(header.descr) if isinstance(header.descr, str) else ""
    return None if isinstance(known, str) else math.prod(header.shape) * known[0].bits // 8


def holds_objects(descr: object) -> bool:
    """True where a descr has the type ``O`` in it, or what numpy would not have written.

    ``numpy.dtype`` makes objects of ``object`` and of ``i4,O``, too. Iterative: a header may nest
    as deep as it is long. As `numpy.lib.format.descr_to_dtype` reads it.
    """
    todo = [descr]
    while todo:
        part = todo.pop()
        if isinstance(part, str) and _PLAIN_TYPE.fullmatch(part):
            continue
        if isinstance(part, tuple) and len(part) == 2 and _is_count(part[1]):
            todo.append(part[0])
        elif isinstance(part, list) and all(map(_is_field, part)):
            todo.extend(field[1] for field in part)
        else:
            return True
    return False


_PLAIN_TYPE: Final = re.compile(r"[<>|=]?[?a-zA-NP-Z]\d*(\[\d*[a-zA-Zμ]+(/\d+)?\])?")


def _is_count(shape: object) -> bool:
    """True for a sub-array's shape."""
    return is_index(shape) or (isinstance(shape, tuple) and all(map(is_index, shape)))


def _is_field(field: object) -> bool:
    """True for a name, or title and name, with a type, and maybe a shape."""
    if not isinstance(field, tuple) or len(field) not in (2, 3):
        return False
    return isinstance(field[0], str | tuple) and all(map(_is_count, field[2:]))


def _bad(file: Bytes, what: str) -> BrokenPickleError:
    return broken("npy-header", f"npy: {what}", Where(file=file.path, start=0))
