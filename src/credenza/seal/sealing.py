"""Making a seal: cutting each file into segments and chunks, and hashing them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from credenza.artifact.model import Artifact, File, Region, Tensor
from credenza.seal.digests import Algorithm
from credenza.seal.reading import Progress, Span, digest_spans
from credenza.seal.tree import Seal, SealedFile, Segment

_SMALLEST_TARGET = 256
_LARGEST_TARGET = 2**20
_CHUNKS = 32


def take(
    artifact: Artifact,
    *,
    algorithm: Algorithm = Algorithm.BLAKE3,
    progress: Progress | None = None,
) -> Seal:
    """The seal of an artefact as it is on disk now. Every byte of every file is read once.

    Raises `InputError` where a file cannot be read, or became shorter meanwhile.
    """
    files = sorted(artifact.files, key=lambda file: file.path.encode())
    spans = [list(_spans(file)) for file in files]
    digests = digest_spans(artifact.path, (s for of in spans for s in of), algorithm, progress)
    sealed = tuple(
        SealedFile(
            file.path,
            file.size,
            file.format,
            tuple(Segment(s.start, s.stop, s.chunk, next(digests)) for s in of),
            tuple(_placed(tensor) for tensor in file.tensors),
        )
        for file, of in zip(files, spans, strict=True)
    )
    return Seal(algorithm, sealed)


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
            yield Span(file.path, end, start, _chunk_size(start - end, 1))
        yield Span(file.path, start, stop, _chunk_size(stop - start, _row_bytes(viewed[start])))
        end = stop
    if file.size > end:
        yield Span(file.path, end, file.size, _chunk_size(file.size - end, 1))


def _row_bytes(tensor: Tensor) -> int:
    """The bytes of one index along the first axis; 1 where the rows are not bytes in a row."""
    plain = not tensor.strides and not tensor.offset and tensor.region.encoding == "raw"
    if not plain or not tensor.shape or tensor.nbytes % tensor.shape[0]:
        return 1
    row = tensor.nbytes // tensor.shape[0]
    return row if row <= _LARGEST_TARGET else 1


def _chunk_size(size: int, row: int) -> int:
    target = min(max(-(-size // _CHUNKS), _SMALLEST_TARGET), _LARGEST_TARGET)
    return -(-target // row) * row
