"""A seal as an in-toto statement, and back. Specification: docs/formats/seal.md, "Statement"."""

from __future__ import annotations

import base64
import datetime as dt
import math
import struct

import msgspec

from credenza.artifact.model import Dtype, Region, Tensor
from credenza.attest import Statement, Subject
from credenza.errors import InputError
from credenza.seal.digests import Algorithm
from credenza.seal.tree import Seal, SealedFile, Segment

MOST_AXES = 64
"""As many as any reader of ours gives a tensor."""

MOST_ELEMENTS = 2**56
"""Of a tensor, axes of 0 counted as 1: more fit in no memory, and would overflow numpy's sums."""

PREDICATE_TYPE = "https://credenza.dev/seal/v1"


def to_statement(seal: Seal, name: str, sealed_at: dt.datetime) -> Statement:
    """The statement to sign. ``name`` is for people; ``sealed_at`` must have a time zone."""
    predicate = _Predicate(
        algorithm=seal.algorithm.value,
        sealed_at=sealed_at.astimezone(dt.UTC).replace(microsecond=0),
        ignored=list(seal.ignored),
        files=[wire_file(file) for file in seal.files],
    )
    subject = Subject(name, f"credenza-{seal.algorithm.value}", seal.root.hex())
    return Statement((subject,), PREDICATE_TYPE, msgspec.json.encode(predicate))


def from_statement(statement: Statement) -> tuple[Seal, dt.datetime]:
    """The seal that the statement holds, and when it was made.

    Raises `InputError` where it holds none, where it is not well-formed, or where its subject is
    not the root that its digests add up to.
    """
    if statement.predicate_type != PREDICATE_TYPE:
        raise InputError(f"seal: {PREDICATE_TYPE} expected, {statement.predicate_type!r} found")
    try:
        predicate = msgspec.json.decode(statement.predicate, type=_Predicate)
        algorithm = Algorithm(predicate.algorithm)
        files = tuple(sealed_file(file) for file in predicate.files)
        seal = Seal(algorithm, files, tuple(predicate.ignored))
    except (ValueError, KeyError, OverflowError, RecursionError, struct.error) as e:
        raise InputError(f"seal: not well-formed: {e}") from e
    if predicate.sealed_at.tzinfo is None:
        raise InputError("seal: a time with its zone expected")
    expected = (f"credenza-{algorithm.value}", seal.root.hex())
    if [(s.algorithm, s.digest) for s in statement.subjects] != [expected]:
        raise InputError(f"seal: its digests add up to {expected[1]}, which it is not about")
    return seal, predicate.sealed_at


class _Segment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    start: int
    chunk: int
    digests: str


class _Tensor(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    name: str
    dtype: str
    shape: list[int]
    segment: int | None = None
    offset: int = 0
    strides: list[int] = []
    byteorder: str = "little"
    encoding: str = "raw"
    decoded: int | None = None


class WireFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file of a seal, as it is written."""

    path: str
    size: int
    format: str
    segments: list[_Segment]
    tensors: list[_Tensor]


class _Predicate(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    algorithm: str
    sealed_at: dt.datetime
    ignored: list[str]
    files: list[WireFile]


def wire_file(file: SealedFile) -> WireFile:
    """A file as it is written."""
    return WireFile(
        path=file.path,
        size=file.size,
        format=file.format,
        segments=[
            _Segment(s.start, s.chunk, base64.b64encode(s.chunks).decode()) for s in file.segments
        ],
        tensors=[_wire_tensor(tensor, index) for tensor, index in file.views()],
    )


def _wire_tensor(tensor: Tensor, segment: int | None) -> _Tensor:
    region = tensor.region
    return _Tensor(
        name=tensor.name,
        dtype=tensor.dtype.label,
        shape=list(tensor.shape),
        segment=segment,
        offset=tensor.offset,
        strides=list(tensor.strides),
        byteorder=tensor.byteorder,
        encoding=region.encoding,
        decoded=None if region.nbytes == region.stop - region.start else region.nbytes,
    )


def sealed_file(wire: WireFile) -> SealedFile:
    """The file that was written. Raises `InputError` or `ValueError` where it is malformed."""
    ends = [segment.start for segment in wire.segments[1:]] + [wire.size]
    segments = tuple(
        Segment(s.start, end, s.chunk, base64.b64decode(s.digests, validate=True))
        for s, end in zip(wire.segments, ends if wire.segments else [], strict=True)
    )
    tensors = tuple(_tensor(tensor, wire.path, segments) for tensor in wire.tensors)
    return SealedFile(wire.path, wire.size, wire.format, segments, tensors)


def _tensor(wire: _Tensor, path: str, segments: tuple[Segment, ...]) -> Tensor:
    region = _region(wire, segments)
    if len(wire.shape) > MOST_AXES or max([wire.offset, *wire.shape, *wire.strides]) >= 2**63:
        raise InputError(f"seal: {path}: tensor {wire.name!r} has too many axes, or too large ones")
    if math.prod(max(n, 1) for n in wire.shape) > MOST_ELEMENTS:
        raise InputError(f"seal: {path}: tensor {wire.name!r} has too many elements")
    if min([wire.offset, *wire.shape, *wire.strides]) < 0:
        raise InputError(f"seal: {path}: tensor {wire.name!r} has a negative size or step")
    if wire.strides and len(wire.strides) != len(wire.shape):
        raise InputError(f"seal: {path}: tensor {wire.name!r} needs a stride a dimension")
    if wire.byteorder not in ("little", "big") or wire.encoding not in ("raw", "deflate"):
        raise InputError(f"seal: {path}: tensor {wire.name!r}: unknown byte order or encoding")
    tensor = Tensor(
        name=wire.name,
        dtype=Dtype.of(wire.dtype),
        shape=tuple(wire.shape),
        file=path,
        region=region,
        offset=wire.offset,
        strides=tuple(wire.strides),
        byteorder=wire.byteorder,
    )
    if wire.segment is not None and not tensor.reach:
        raise InputError(f"seal: {path}: tensor {wire.name!r} is empty, and views a segment")
    return tensor


def _region(wire: _Tensor, segments: tuple[Segment, ...]) -> Region:
    if wire.segment is None:
        if wire.encoding != "raw" or wire.decoded is not None:
            raise InputError(f"seal: tensor {wire.name!r} is encoded, and views nothing")
        return Region(start=0, stop=0, nbytes=0)
    if not 0 <= wire.segment < len(segments):
        raise InputError(f"seal: tensor {wire.name!r} views segment {wire.segment}, there is none")
    segment = segments[wire.segment]
    nbytes = segment.size if wire.decoded is None else wire.decoded
    if not 0 <= nbytes < 2**63 or (wire.encoding == "raw" and nbytes != segment.size):
        raise InputError(f"seal: tensor {wire.name!r}: {nbytes} bytes decoded cannot be")
    return Region(start=segment.start, stop=segment.stop, nbytes=nbytes, encoding=wire.encoding)
