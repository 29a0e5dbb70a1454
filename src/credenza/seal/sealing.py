"""Making a seal: cutting each file into segments and chunks, and hashing them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from credenza.artifact.folder import Place
from credenza.artifact.model import Artifact, File, Region, Tensor
from credenza.seal.digests import Algorithm
from credenza.seal.reading import Progress, Span, digest_spans
from credenza.seal.tree import Seal, SealedFile, Segment

if TYPE_CHECKING:
    from credenza.seal.cache import Cache

_LARGEST = 2**20
_PAGE = 4096
"""In bytes: bytes without rows are told apart by so many."""
_SMALL = 2**20
"""In bytes: a tensor up to here, such as a classifier's head, is named almost row by row."""


def take(
    artifact: Artifact,
    *,
    algorithm: Algorithm = Algorithm.BLAKE3,
    cache: Cache | None = None,
    progress: Progress | None = None,
) -> Seal:
    """The seal of an artefact as it is on disk now. Every byte of every file is read once.

    With a ``cache``, the files that it knows are not read.

    Raises `InputError` where a file cannot be read, or became shorter meanwhile.
    """
    files = sorted(artifact.files, key=lambda file: file.path.encode())
    spans = {file.path: tuple(_spans(file)) for file in files}
    with Place(artifact.path) as place:
        known: dict[str, SealedFile] = {}
        pending = None
        if cache is not None:
            known, pending = cache.look_up(place, spans, algorithm)
        same = {
            file.path: known[file.path]
            for file in files
            if file.path in known and _is_laid_out(known[file.path], file, spans[file.path])
        }
        unread = (s for path, of in spans.items() if path not in same for s in of)
        digests = digest_spans(place, unread, algorithm, progress)
        sealed = (same.get(f.path) or _sealed(f, spans[f.path], digests) for f in files)
        seal = Seal(algorithm, tuple(sealed), artifact.ignored)
        if pending is not None:
            pending.learn(seal)
    return seal


def _is_laid_out(known: SealedFile, file: File, spans: Sequence[Span]) -> bool:
    """Whether a file would be cut and read today as it was when it became known."""
    cuts = [(s.start, s.stop, s.chunk) for s in known.segments]
    return (
        known.format == file.format
        and cuts == [(s.start, s.stop, s.chunk) for s in spans]
        and known.tensors == tuple(map(_placed, file.tensors))
    )


def _sealed(file: File, spans: Sequence[Span], digests: Iterator[bytes]) -> SealedFile:
    segments = tuple(Segment(s.start, s.stop, s.chunk, next(digests)) for s in spans)
    tensors = tuple(_placed(tensor) for tensor in file.tensors)
    return SealedFile(file.path, file.size, file.format, segments, tensors)


def _placed(tensor: Tensor) -> Tensor:
    """The tensor; one without bytes views none, wherever its header says it would have been."""
    if tensor.reach:
        return tensor
    return replace(tensor, region=Region(start=0, stop=0, nbytes=0), offset=0)


def _spans(file: File) -> Iterator[Span]:
    """The segments of a file: each region that tensors view, and each run between two."""
    end = 0
    viewed: dict[int, Tensor] = {}
    for tensor in file.tensors:
        if tensor.region.stop > tensor.region.start:
            viewed.setdefault(tensor.region.start, tensor)
    for start in sorted(viewed):
        stop = viewed[start].region.stop
        if start > end:
            yield Span(file.path, end, start, _chunk_size(start - end, _PAGE))
        yield Span(file.path, start, stop, _chunk_size(stop - start, _row_bytes(viewed[start])))
        end = stop
    if file.size > end:
        yield Span(file.path, end, file.size, _chunk_size(file.size - end, _PAGE))


def _row_bytes(tensor: Tensor) -> int:
    """The bytes of one index along the first axis; a page where the rows are not bytes in a row."""
    plain = not tensor.strides and not tensor.offset and tensor.region.encoding == "raw"
    if not plain or not tensor.shape or tensor.nbytes % tensor.shape[0]:
        return _PAGE
    row = tensor.nbytes // tensor.shape[0]
    return row if row <= _LARGEST else _PAGE


def _chunk_size(size: int, row: int) -> int:
    """Whole rows, some 32 chunks, for a small segment; for a large one a power of two, 4 or more.

    Each chunk costs 44 bytes in the seal and a call when it is verified, and BLAKE3 is up to a
    fifth slower on sizes that are no power of two: sixteen chunks of its tree go at a time.
    """
    if size > _SMALL:
        return min(1 << ((size // 4).bit_length() - 1), _LARGEST)
    return -(-max(256, size // 32) // row) * row
