"""MessagePack with arrays in it, as ``flax.serialization.to_bytes`` writes it.

The format is that of github.com/msgpack/msgpack/blob/master/spec.md. Flax adds three types
(``flax/serialization.py``): 1 is an array, 2 a complex number, 3 a numpy scalar; 1 and 3 hold an
array of shape, dtype's name and bytes. An array of over 1 GiB is a map of chunks, each of which
is a tensor here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Final, final

from credenza.artifact.interface import Bytes
from credenza.artifact.model import Dtype, File, Region, Tensor
from credenza.artifact.msgpack_tokens import Token, Tokens
from credenza.artifact.numpy_graph import MOST_DIMENSIONS, MOST_ELEMENTS
from credenza.artifact.pickles import BrokenPickleError, broken
from credenza.findings import Where

_SUFFIX: Final = ".msgpack"
_MOST_VALUES: Final = 1_000_000
_LONGEST_KEY: Final = 1024
_DEEPEST: Final = 512
_ARRAY, _COMPLEX, _SCALAR = 1, 2, 3
_DTYPES: Final = {
    "bool": Dtype.BOOL,
    "int8": Dtype.I8,
    "int16": Dtype.I16,
    "int32": Dtype.I32,
    "int64": Dtype.I64,
    "uint8": Dtype.U8,
    "uint16": Dtype.U16,
    "uint32": Dtype.U32,
    "uint64": Dtype.U64,
    "float16": Dtype.F16,
    "bfloat16": Dtype.BF16,
    "float32": Dtype.F32,
    "float64": Dtype.F64,
    "complex64": Dtype.C64,
    "complex128": Dtype.C128,
    "float8_e4m3fn": Dtype.F8_E4M3,
    "float8_e4m3fnuz": Dtype.F8_E4M3FNUZ,
    "float8_e5m2": Dtype.F8_E5M2,
    "float8_e5m2fnuz": Dtype.F8_E5M2FNUZ,
    "float8_e8m0fnu": Dtype.F8_E8M0,
}


@final
@dataclass(frozen=True, slots=True)
class Flax:
    """Reads a tree of maps whose leaves are arrays; a tensor's name is its keys, with dots.

    MessagePack has no magic: a file is claimed by the name ``.msgpack``, or where all of it is
    one map that holds an array.
    """

    def claims(self, file: Bytes) -> bool:
        if file.path.lower().endswith(_SUFFIX):
            return True
        head = file.pread(0, min(2, file.size))
        if len(head) < 2 or not (0x81 <= head[0] <= 0x8F or head[0] in (0xDE, 0xDF)):
            return False
        try:
            return bool(_Reader(file).read().tensors)
        except BrokenPickleError:
            return False

    def read(self, file: Bytes) -> File:
        found = _Reader(file).read()
        return File(
            path=file.path,
            size=file.size,
            format="flax",
            tensors=tuple(found.tensors),
            unread=tuple(found.unread),
        )


@dataclass(slots=True)
class _Found:
    tensors: list[Tensor] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Frame:
    """A map or array that is being read: how many values are left of it."""

    name: str
    is_map: bool
    left: int
    index: int = 0
    keys: set[object] = field(default_factory=set)


class _Reader:
    """Reads one file's one value, without recursion."""

    def __init__(self, file: Bytes) -> None:
        self.file = file
        self.tokens = Tokens(file)
        self.found = _Found()

    def read(self) -> _Found:
        """Raises `BrokenPickleError` where the file is not one value to its end."""
        at, count, frames = 0, 0, list[_Frame]()
        name = ""
        while True:
            count += 1
            if count > _MOST_VALUES:
                self.tokens.refuse("msgpack-limit", f"more than {_MOST_VALUES} values", at)
            token = self.tokens.read(at)
            at = token.stop
            if token.kind in ("map", "array"):
                if len(frames) >= _DEEPEST:
                    self.tokens.refuse("msgpack-limit", f"values nested over {_DEEPEST} deep", at)
                frames.append(_Frame(name, token.kind == "map", token.value))
            elif token.kind in ("bytes", "extension"):
                at = self._leaf(name, token)
            while frames and not frames[-1].left:
                frames.pop()
            if not frames:
                break
            name, at = self._next(frames[-1], at)
        if at != self.file.size:
            found = f"{self.file.size - at} bytes"
            self.tokens.refuse("msgpack-trailing", "bytes follow the value", at, "the end", found)
        _check_names(self.found.tensors, self.file)
        return self.found

    def _next(self, frame: _Frame, at: int) -> tuple[str, int]:
        """The name of a frame's next value, and where that begins: behind its key, in a map."""
        frame.left -= 1
        key: object = frame.index
        frame.index += 1
        if frame.is_map:
            token = self.tokens.read(at)
            at, key = token.stop, token.value
            if token.kind not in ("text", "integer") or len(str(key)) > _LONGEST_KEY:
                self.tokens.refuse(
                    "msgpack-key", "a key that is no short text or integer", token.at
                )
            if key in frame.keys:
                self.tokens.refuse("msgpack-key", f"the key {key!a} is twice in one map", token.at)
            frame.keys.add(key)
        name = f"{frame.name}.{key}" if frame.name else str(key)
        if len(name) > _LONGEST_KEY:
            self.tokens.refuse("msgpack-key", f"a name of more than {_LONGEST_KEY} characters", at)
        return name, at

    def _leaf(self, name: str, token: Token) -> int:
        """List what bytes or an extension are; back comes the byte behind them."""
        stop: int = token.stop + token.value
        self.tokens.check_inside(token, stop)
        if token.kind == "bytes":
            self.found.unread.append(f"{name}: {token.value} bytes")
        elif token.code in (_ARRAY, _SCALAR):
            self._array(name or "array", token, stop)
        elif token.code == _COMPLEX:
            self._numbers(token, stop)
        else:
            self.found.unread.append(f"{name}: a value of extension type {token.code}")
        return stop

    def _array(self, name: str, token: Token, stop: int) -> None:
        """An array: shape, name of the dtype, bytes; they fill the extension."""
        outer, at = self._inner(token, token.stop, stop, "array"), token.stop
        shape_token = self._inner(token, outer.stop, stop, "array")
        if outer.value != 3 or shape_token.value > MOST_DIMENSIONS:
            self.tokens.refuse("msgpack-array", "an array that is not shape, dtype and bytes", at)
        at, shape = shape_token.stop, []
        for _ in range(shape_token.value):
            size = self._inner(token, at, stop, "integer")
            shape.append(size.value)
            at = size.stop
        dtype = self._inner(token, at, stop, "text")
        data = self._inner(token, dtype.stop, stop, "bytes")
        if min(shape, default=0) < 0 or math.prod(max(n, 1) for n in shape) > MOST_ELEMENTS:
            self.tokens.refuse("msgpack-array", "an array of an impossible shape", token.at)
        if data.stop + data.value != stop:
            self.tokens.refuse("msgpack-array", "an array does not end with its extension", data.at)
        known = _DTYPES.get(dtype.value)
        if known is None:
            self.found.unread.append(f"{name}: an array of {dtype.value[:40]!a}")
            return
        self._add(name, known, tuple(shape), data)

    def _add(self, name: str, dtype: Dtype, shape: tuple[int, ...], data: Token) -> None:
        size = math.prod(shape) * dtype.bits // 8
        if size != data.value:
            where = Where(file=self.file.path, start=data.at, tensor=name)
            what, expected = "an array's bytes do not fit its shape", f"{size} bytes"
            raise broken("array-size", what, where, expected=expected, found=f"{data.value}")
        region = Region(start=data.stop, stop=data.stop + size, nbytes=size)
        tensor = Tensor(name=name, dtype=dtype, shape=shape, file=self.file.path, region=region)
        self.found.tensors.append(tensor)

    def _numbers(self, token: Token, stop: int) -> None:
        """A complex number: two real ones, that fill the extension."""
        at = self._inner(token, token.stop, stop, "array").stop
        for _ in range(2):
            part = self.tokens.read(at)
            at = part.stop
            if part.kind not in ("float", "integer"):
                self.tokens.refuse("msgpack-array", "a complex number that is none", token.at)
        if at != stop:
            self.tokens.refuse("msgpack-array", "a complex number that is none", token.at)

    def _inner(self, outer: Token, at: int, stop: int, kind: str) -> Token:
        """The value at ``at`` inside an extension."""
        if at < stop:
            token = self.tokens.read(at)
            if token.kind == kind and token.stop <= stop:
                return token
        what = "an array that is not shape, dtype and bytes"
        raise self.tokens.refusal("msgpack-array", what, outer.at)


def _check_names(tensors: list[Tensor], file: Bytes) -> None:
    seen: set[str] = set()
    for tensor in tensors:
        if tensor.name in seen:
            where = Where(file=file.path, tensor=tensor.name)
            raise broken("tensor-name-twice", "two tensors have one name", where)
        seen.add(tensor.name)
