"""ONNX's TensorProto: where a tensor's bytes are, in the model's file or in one beside it.

https://github.com/onnx/onnx/blob/main/onnx/onnx.proto and, for the latter, docs/ExternalData.md.
"""

from __future__ import annotations

import math
import posixpath
import re
from collections.abc import Iterator
from typing import Final, NamedTuple, NoReturn

from credenza.artifact.external import joined
from credenza.artifact.model import Dtype, Region, Tensor
from credenza.artifact.onnx_schemas import PAIR
from credenza.artifact.protobuf import Field, Message, refuse
from credenza.artifact.window import Window

MOST_AXES: Final = 64
MOST_ELEMENTS: Final = 1 << 56


class _Type(NamedTuple):
    """An element type, and the field that holds its values where raw_data does not."""

    dtype: Dtype
    field: str = "int32_data"


_STRING: Final = 8
_TYPES: Final = {
    1: _Type(Dtype.F32, "float_data"),
    2: _Type(Dtype.U8),
    3: _Type(Dtype.I8),
    4: _Type(Dtype.U16),
    5: _Type(Dtype.I16),
    6: _Type(Dtype.I32),
    7: _Type(Dtype.I64, "int64_data"),
    9: _Type(Dtype.BOOL),
    10: _Type(Dtype.F16),
    11: _Type(Dtype.F64, "double_data"),
    12: _Type(Dtype.U32, "uint64_data"),
    13: _Type(Dtype.U64, "uint64_data"),
    14: _Type(Dtype.C64, "float_data"),
    15: _Type(Dtype.C128, "double_data"),
    16: _Type(Dtype.BF16),
    17: _Type(Dtype.F8_E4M3),
    18: _Type(Dtype.F8_E4M3FNUZ),
    19: _Type(Dtype.F8_E5M2),
    20: _Type(Dtype.F8_E5M2FNUZ),
    21: _Type(Dtype.U4),
    22: _Type(Dtype.I4),
    23: _Type(Dtype.F4),
    24: _Type(Dtype.F8_E8M0),
    25: _Type(Dtype.U2),
    26: _Type(Dtype.I2),
    27: _Type(Dtype.F6_E2M3),
    28: _Type(Dtype.F6_E3M2),
}
_TYPED: Final[tuple[str, ...]] = (
    "float_data",
    "int32_data",
    "string_data",
    "int64_data",
    "double_data",
    "uint64_data",
)
_LAID_OUT: Final = ("float_data", "double_data")
"""Fields whose packed form is the elements themselves, little-endian."""

_EXTERNAL: Final = 1
_DIGITS: Final = re.compile(r"0|[1-9][0-9]{0,18}")
_SHA1: Final = re.compile(r"[0-9a-fA-F]{40}")
_LOCATION, _OFFSET, _LENGTH, _CHECKSUM = "location", "offset", "length", "checksum"
_KEYS: Final = frozenset({_LOCATION, _OFFSET, _LENGTH, _CHECKSUM, "basepath"})
_MOST_KEYS: Final = 64
_MEMORY: Final = "_ORT_MEM_ADDR_"
"""In a location, ONNX Runtime takes it for an address of its own memory."""


class Placed(NamedTuple):
    """A tensor, or in words why it is not read; and the checksum of the file that it is in."""

    tensor: Tensor | None
    unread: str = ""
    checksum: tuple[str, str] | None = None


def placed(window: Window, message: Message, name: str) -> Placed:
    """Where a tensor's bytes are, under that name.

    Raises `MalformedError` where its entry contradicts itself or leads out of the artefact.
    """
    kind = message.number("data_type")
    shape = _shape(window, message, name)
    if kind == _STRING:
        return Placed(None, f"{name}: a tensor of strings")
    if kind not in _TYPES:
        what = "the element type is not one of ONNX"
        refuse(window, "onnx-dtype", message.start, what, "1 to 28", f"{kind}", name)
    if "segment" in message.singular:
        return Placed(None, f"{name}: a piece of a tensor, which nobody puts together")
    dtype = _TYPES[kind].dtype
    size = (math.prod(shape) * dtype.bits + 7) // 8
    held = [f for f in _TYPED if f in message.repeated]
    held += ["raw_data"] if "raw_data" in message.singular else []
    elsewhere = message.number("data_location") == _EXTERNAL
    _check_one_place(window, message, name, held, elsewhere)
    checksum = None
    if elsewhere:
        file, start, checksum = _elsewhere(window, message, name, size)
    else:
        file = window.file.path
        span = _span(window, message, name, _TYPES[kind].field, held)
        if span is None:
            return Placed(None, f"{name}: numbers that are not laid out as elements ({held[0]})")
        start, found = span
        if found != size:
            _refuse(window, message, name, "onnx-size", f"{size} bytes", f"{found}")
    region = Region(start=start, stop=start + size, nbytes=size)
    tensor = Tensor(name=name, dtype=dtype, shape=shape, file=file, region=region)
    return Placed(tensor, checksum=checksum)


def _shape(window: Window, message: Message, name: str) -> tuple[int, ...]:
    dims = message.numbers("dims", MOST_AXES)
    if (
        dims is None
        or any(n >= 1 << 63 for n in dims)
        or (math.prod(filter(None, dims)) > MOST_ELEMENTS)
    ):
        wanted = f"up to {MOST_AXES} axes and {MOST_ELEMENTS} elements"
        found = "more axes" if dims is None else str(dims)[:120]
        _refuse(window, message, name, "onnx-shape", wanted, found)
    return dims


def _check_one_place(
    window: Window, message: Message, name: str, held: list[str], elsewhere: bool
) -> None:
    location = message.number("data_location")
    if location > _EXTERNAL:
        _refuse(window, message, name, "onnx-two-places", "data_location 0 or 1", f"{location}")
    external = "external_data" in message.repeated
    places = [*held, *(["external_data"] if external or elsewhere else [])]
    if len(places) > 1 or external != elsewhere:
        found = ", ".join(places) + ("" if external == elsewhere else f" at location {location}")
        _refuse(window, message, name, "onnx-two-places", "one of them", found)


def _span(
    window: Window, message: Message, name: str, field: str, held: list[str]
) -> tuple[int, int] | None:
    """Where the elements begin, and their size in bytes; None where they are not laid out so."""
    if not held:
        return message.start, 0
    if held == ["raw_data"]:
        raw = message.singular["raw_data"]
        return raw.start, raw.stop - raw.start
    if held != [field]:
        _refuse(window, message, name, "onnx-values", f"raw_data or {field}", held[0])
    if field not in _LAID_OUT:
        return None
    first: Field | None = None
    for _, found in message.each(field):
        if first is not None or found.wire != 2:
            return None  # in pieces
        first = found
    return (first.start, first.stop - first.start) if first else None


def _elsewhere(
    window: Window, message: Message, name: str, size: int
) -> tuple[str, int, tuple[str, str] | None]:
    """The file that external data lie in, and at which byte; and the file's checksum."""
    found = _pairs(window, message, name)
    location = found.get(_LOCATION, "")
    path = joined(posixpath.dirname(window.file.path), location)
    if path is None or path == window.file.path or _MEMORY in location:
        wanted = "a relative path to another file that stays inside the model"
        _refuse(window, message, name, "external-path", wanted, ascii(location)[:120])
    for key in (_OFFSET, _LENGTH):
        if key in found and not _DIGITS.fullmatch(found[key]):
            value = ascii(found[key])[:60]
            _refuse(window, message, name, "external-entry", f"a number of bytes as {key}", value)
    if int(found.get(_LENGTH, size)) != size:
        _refuse(window, message, name, "onnx-size", f"{size} bytes", found[_LENGTH])
    checksum = found.get(_CHECKSUM)
    if checksum is not None and not _SHA1.fullmatch(checksum):
        value = ascii(checksum)[:60]
        _refuse(window, message, name, "external-entry", "a SHA-1 in hex as checksum", value)
    said = (path, checksum.lower()) if checksum else None
    return path, int(found.get(_OFFSET, "0")), said


def _pairs(window: Window, message: Message, name: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for key, value, _ in pairs(window, message, "external_data"):
        if key in found or len(found) == _MOST_KEYS:
            _refuse(window, message, name, "external-entry", "each key once", ascii(key)[:60])
        found[key] = value
    if unknown := sorted(found.keys() - _KEYS - {k for k in found if k.startswith("prepacked_")}):
        wanted = ", ".join(sorted(_KEYS))
        _refuse(window, message, name, "external-entry", wanted, ascii(unknown[0])[:60])
    return found


def pairs(window: Window, message: Message, name: str) -> Iterator[tuple[str, str, int]]:
    """The keys and values of a repeated field of pairs, and where each is in the file.

    Long values are shown as size and digest.
    """
    for _, field in message.each(name):
        pair = Message.read(window, PAIR, field.start, field.stop)
        yield pair.text("key"), pair.shown("value"), field.at


_WHAT: Final = {
    "onnx-shape": "the shape is too large to compute with",
    "onnx-size": "the tensor's bytes have not the size of its elements",
    "onnx-values": "the values are in a field of another type",
    "onnx-two-places": "the tensor's data have not one place",
    "external-path": "the path of the tensor's data leads elsewhere",
    "external-entry": "what is said of the tensor's data is not what it must be",
}


def _refuse(
    window: Window, message: Message, name: str, rule: str, expected: str, found: str
) -> NoReturn:
    refuse(window, rule, message.start, _WHAT[rule], expected, found or "nothing", name)
