"""safetensors: a length, a JSON header, and tensor bytes without gaps.

The format is specified at https://github.com/huggingface/safetensors#format. Everything that it
says holds is checked here, and whatever has two readings is refused, so that no two parsers
can see two models in one file: duplicate names, overlaps, holes, bytes that belong to nobody.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, NoReturn, final

from credenza.artifact.interface import Bytes
from credenza.artifact.model import Dtype, File, Region, Tensor
from credenza.errors import MalformedError
from credenza.findings import Finding, Severity, Where

SUFFIX = ".safetensors"

LONGEST_HEADER = 100_000_000
"""In bytes; the reference implementation's ``MAX_HEADER_SIZE``."""

MOST_ELEMENTS = 1 << 56
"""Of one tensor, an axis of length 0 counted as 1. More than any disk holds, and far enough under
2^63 that no size computed from it overflows in numpy or torch."""

MOST_AXES = 64
"""numpy's own limit (``NPY_MAXDIMS``)."""

_LENGTH = 8
_MOST_SHOWN = 120  # characters of a header in a finding
_LARGEST = (1 << 64) - 1
_METADATA = "__metadata__"
_INTEGERS = frozenset({int})  # JSON's true and false are no numbers, though Python's bool is
_FIELDS = frozenset({"dtype", "shape", "data_offsets"})
_OPENING = re.compile(r'[ \t\n\r]*(?=")')
_COLON = re.compile(r"[ \t\n\r]*:[ \t\n\r]*")
_COMMA = re.compile(r'[ \t\n\r]*,[ \t\n\r]*(?=")')
_CLOSING = re.compile(r"[ \t\n\r]*}")
_LABELS = {
    label: Dtype.of(label)
    for label in (
        *("BOOL", "F4", "F6_E2M3", "F6_E3M2", "U8", "I8", "F8_E5M2", "F8_E4M3", "F8_E8M0"),
        *("F8_E4M3FNUZ", "F8_E5M2FNUZ", "I16", "U16", "F16", "BF16", "I32", "U32", "F32"),
        *("I64", "U64", "F64", "C64"),
    )
}


@final
@dataclass(frozen=True, slots=True)
class Safetensors:
    """Reads the header of a ``.safetensors`` file, and no byte after it.

    The format has no magic: a file is claimed by its name, or where a length that fits is
    followed by ``{``.
    """

    def claims(self, file: Bytes) -> bool:
        if file.path.endswith(SUFFIX):
            return True
        if file.size < _LENGTH + 2:
            return False
        start = file.pread(0, _LENGTH + 1)
        length = int.from_bytes(start[:_LENGTH], "little")
        return start.endswith(b"{") and 2 <= length <= min(LONGEST_HEADER, file.size - _LENGTH)

    def read(self, file: Bytes) -> File:
        header = _header(file)
        tensors, metadata = _contents(header)
        _check_layout(header, tensors)
        return File(
            path=file.path,
            size=file.size,
            format="safetensors",
            tensors=tensors,
            metadata=metadata,
        )


@dataclass(frozen=True, slots=True)
class _Header:
    """``text`` is the header. Tensor bytes begin at ``data``, from where ``data_offsets`` count,
    and end with the file, at ``end``.
    """

    path: str
    text: str
    data: int
    end: int

    def byte(self, at: int) -> int:
        """The file offset of character ``at`` of the text."""
        return _LENGTH + len(self.text[:at].encode())


class _Member(NamedTuple):
    """One member of the header's object, from character ``start`` to ``stop`` of the text."""

    name: str
    value: Any
    start: int
    stop: int


class _ValueRefusedError(ValueError):
    """Raised inside the JSON decoder, which knows no offsets; `_decode` adds them."""

    def __init__(self, rule: str, what: str, expected: str, found: str) -> None:
        super().__init__(what)
        self.rule, self.what, self.expected, self.found = rule, what, expected, found


def _header(file: Bytes) -> _Header:
    if file.size < _LENGTH:
        where = Where(file=file.path, start=0, stop=file.size)
        what = "the file ends before its header"
        _refuse("safetensors-truncated", what, where, f"{_LENGTH} bytes", f"{file.size}")
    length = int.from_bytes(file.pread(0, _LENGTH), "little")
    if not 2 <= length <= LONGEST_HEADER:
        where = Where(file=file.path, start=0, stop=_LENGTH)
        what, wanted = "the header has an impossible length", f"2 to {LONGEST_HEADER} bytes"
        _refuse("safetensors-header-length", what, where, wanted, f"{length}")
    if _LENGTH + length > file.size:
        where = Where(file=file.path, start=_LENGTH, stop=file.size)
        what, wanted = "the file ends inside its header", f"{_LENGTH + length} bytes"
        _refuse("safetensors-truncated", what, where, wanted, f"{file.size}")
    data = file.pread(_LENGTH, length)
    if not data.startswith(b"{"):
        where = Where(file=file.path, start=_LENGTH, stop=_LENGTH + 1)
        what = "the header does not begin with a brace"
        _refuse("safetensors-header-start", what, where, "'{'", ascii(data[:1])[1:])
    return _Header(file.path, _text(file.path, data), _LENGTH + length, file.size)


def _text(path: str, data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as e:
        where = Where(file=path, start=_LENGTH + e.start, stop=_LENGTH + e.end)
        found = data[e.start : e.end].hex(" ")
        _refuse("safetensors-utf8", "the header is not UTF-8", where, "UTF-8", found)


def _contents(header: _Header) -> tuple[tuple[Tensor, ...], tuple[tuple[str, str], ...]]:
    """The tensors, in the order of the header, and the metadata."""
    tensors: list[Tensor] = []
    metadata: tuple[tuple[str, str], ...] = ()
    seen: set[str] = set()
    for member in _members(header):
        if member.name in seen:
            what = "a name is given twice"
            _refuse_member(header, member, "safetensors-duplicate-name", what, "each name once")
        seen.add(member.name)
        _check_whole(header, member, member.name)
        if member.name == _METADATA:
            metadata = _metadata(header, member)
        else:
            tensors.append(_tensor(header, member))
    return tuple(tensors), metadata


def _members(header: _Header) -> Iterator[_Member]:
    """The members of the header's object in order, duplicates included.

    The outermost object is walked here and not by `json`, so that every refusal can say at which
    byte its member stands.
    """
    text, at = header.text, 1
    separator = _OPENING.match(text, at)
    while separator:
        start = separator.end()
        name, at = _decode(header, start, start)
        colon = _COLON.match(text, at)
        if colon is None:
            _refuse_text(header, at, "':'")
        value, at = _decode(header, colon.end(), start)
        yield _Member(name, value, start, at)
        separator = _COMMA.match(text, at)
    closing = _CLOSING.match(text, at)
    if closing is None:
        _refuse_text(header, at, "a name in quotes, or '}'")
    if text[closing.end() :].strip(" "):
        _refuse_text(header, closing.end(), "nothing but spaces after the header's object")


def _unsigned(digits: str) -> int:
    """JSON allows any number; offsets and shapes are unsigned 64-bit ones."""
    if digits.startswith("-") or len(digits) > 20 or int(digits) > _LARGEST:
        raise _ValueRefusedError(
            "safetensors-number", "a number is out of range", "0 to 2^64 - 1", digits[:40]
        )
    return int(digits)


def _no_fraction(digits: str) -> NoReturn:
    raise _ValueRefusedError(
        "safetensors-number", "a number is not a whole one", "digits alone", digits[:40]
    )


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members: dict[str, Any] = {}
    for name, value in pairs:
        if name in members:
            what = "an object gives one name twice"
            raise _ValueRefusedError(
                "safetensors-duplicate-name", what, "each name once", ascii(name)[:60]
            )
        members[name] = value
    return members


_DECODER = json.JSONDecoder(
    object_pairs_hook=_unique,
    parse_int=_unsigned,
    parse_float=_no_fraction,
    parse_constant=_no_fraction,
)


def _decode(header: _Header, at: int, start: int) -> tuple[Any, int]:
    """The JSON value at ``at``, of the member that starts at ``start``, and where it ends."""
    try:
        value, stop = _DECODER.raw_decode(header.text, at)
    except _ValueRefusedError as e:
        where = Where(file=header.path, start=header.byte(start))
        _refuse(e.rule, e.what, where, e.expected, e.found)
    except json.JSONDecodeError as e:
        _refuse_text(header, e.pos, f"JSON ({e.msg})")
    except RecursionError:
        _refuse_text(header, at, "JSON of a few levels")
    return value, stop


def _check_whole(header: _Header, member: _Member, text: str) -> None:
    """JSON may escape one half of a surrogate pair alone, which no UTF-8 can hold."""
    if not text.isascii() and any("\ud800" <= c <= "\udfff" for c in text):
        _refuse_member(
            header, member, "safetensors-utf8", "a string holds half a character", "UTF-8"
        )


def _metadata(header: _Header, member: _Member) -> tuple[tuple[str, str], ...]:
    value = member.value
    if not isinstance(value, dict) or not all(isinstance(v, str) for v in value.values()):
        what = "the metadata is not strings by name"
        _refuse_member(header, member, "safetensors-metadata", what, "an object of strings")
    for text in (*value, *value.values()):
        _check_whole(header, member, text)
    return tuple(value.items())


def _tensor(header: _Header, member: _Member) -> Tensor:
    entry = member.value
    if not isinstance(entry, dict) or entry.keys() != _FIELDS:
        what = "a tensor's entry has other members than it must"
        _refuse_member(header, member, "safetensors-entry", what, ", ".join(sorted(_FIELDS)))
    dtype = _LABELS.get(entry["dtype"]) if isinstance(entry["dtype"], str) else None
    if dtype is None:
        what = "the element type is not one of safetensors"
        _refuse_member(header, member, "safetensors-dtype", what, "F32, BF16, …")
    shape = _numbers(header, member, "shape")
    begin, end = _offsets(header, member)
    _check_size(header, member, dtype, shape, end - begin)
    region = Region(start=header.data + begin, stop=header.data + end, nbytes=end - begin)
    return Tensor(name=member.name, dtype=dtype, shape=shape, file=header.path, region=region)


def _numbers(header: _Header, member: _Member, field: str) -> tuple[int, ...]:
    value = member.value[field]
    if type(value) is not list or not {*map(type, value)} <= _INTEGERS:
        what = f"{field} is not a list of numbers"
        _refuse_member(header, member, "safetensors-entry", what, "[0, 1, …]")
    return tuple(value)


def _offsets(header: _Header, member: _Member) -> tuple[int, int]:
    offsets = _numbers(header, member, "data_offsets")
    if len(offsets) != 2 or offsets[0] > offsets[1]:
        what = "the offsets are not a beginning and an end"
        _refuse_member(header, member, "safetensors-offsets", what, "[begin, end]")
    begin, end = offsets
    size = header.end - header.data
    if end > size:
        what = "the tensor lies beyond the end of the file"
        _refuse_member(
            header, member, "safetensors-outside", what, f"an end up to {size}", f"{end}"
        )
    return begin, end


def _check_size(
    header: _Header, member: _Member, dtype: Dtype, shape: tuple[int, ...], found: int
) -> None:
    if len(shape) > MOST_AXES or math.prod(filter(None, shape)) > MOST_ELEMENTS:
        what = "the shape is too large to compute with"
        wanted = f"up to {MOST_AXES} axes and {MOST_ELEMENTS} elements"
        _refuse_member(header, member, "safetensors-shape", what, wanted)
    bits = math.prod(shape) * dtype.bits
    if bits % 8:
        what = "the elements do not fill whole bytes"
        _refuse_member(
            header, member, "safetensors-size", what, "a multiple of 8 bits", f"{bits} bits"
        )
    if bits // 8 != found:
        what = "the byte range has not the size of the elements"
        _refuse_member(header, member, "safetensors-size", what, f"{bits // 8} bytes", f"{found}")


def _check_layout(header: _Header, tensors: tuple[Tensor, ...]) -> None:
    """The regions, in order, must cover all that follows the header, each byte once."""
    at = header.data
    for tensor in sorted(tensors, key=lambda t: (t.region.start, t.region.stop)):
        start = tensor.region.start
        if start < at:
            what = "bytes of the tensor belong to one before it too"
            wanted, found = f"a beginning of {at - header.data}", f"{start - header.data}"
            member = next(m for m in _members(header) if m.name == tensor.name)
            _refuse_member(header, member, "safetensors-overlap", what, wanted, found)
        if start > at:
            where = Where(file=header.path, start=at, stop=start)
            _refuse(
                "safetensors-hole",
                "bytes belong to no tensor",
                where,
                "none",
                f"{start - at} bytes",
            )
        at = tensor.region.stop
    if at != header.end:
        where = Where(file=header.path, start=at, stop=header.end)
        found = f"{header.end - at} bytes"
        _refuse("safetensors-trailing-bytes", "bytes follow the last tensor", where, "none", found)


def _refuse_member(
    header: _Header, member: _Member, rule: str, what: str, expected: str, found: str = ""
) -> NoReturn:
    """Refuse a member; what was found is, unless it is said, how the header writes it."""
    name = member.name if member.name.isprintable() else ascii(member.name)
    where = Where(
        file=header.path,
        start=header.byte(member.start),
        stop=header.byte(member.stop),
        tensor=name,
    )
    written = header.text[member.start : min(member.stop, member.start + _MOST_SHOWN)]
    _refuse(rule, what, where, expected, found or ascii(written))


def _refuse_text(header: _Header, at: int, expected: str) -> NoReturn:
    where = Where(file=header.path, start=header.byte(at))
    found = ascii(header.text[at : at + 20]) if at < len(header.text) else "the header's end"
    _refuse("safetensors-json", "the header is not the JSON it must be", where, expected, found)


def _refuse(rule: str, what: str, where: Where, expected: str, found: str) -> NoReturn:
    raise MalformedError(
        Finding(
            rule=f"artifact.{rule}",
            severity=Severity.HIGH,
            what=what,
            where=where,
            expected=expected,
            found=found,
        )
    )
