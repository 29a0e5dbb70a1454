"""Making a seal: cutting each file into segments and chunks, and hashing them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from credenza.artifact.folder import Place
from credenza.artifact.model import Artifact, File, Region, Tensor
from credenza.seal.digests import Algorithm
from credenza.seal.reading import Progress, Span, digest_spans
from credenza.seal.tree import Seal, SealedFile, Segment

_LARGEST = 2**20
_SMALL = 2**20
"""In bytes: a tensor up to here, such as a classifier's head, is named almost row by row."""


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
    with Place(artifact.path) as place:
        digests = digest_spans(place, (s for of in spans for s in of), algorithm, progress)
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
    return Seal(algorithm, sealed, artifact.ignored)


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
    return row if row <= _LARGEST else 1


def _chunk_size(size: int, row: int) -> int:
    """Whole rows: some 32 chunks of a small segment, 8 or more of a large one, 1 MiB at most.

    Each chunk costs 44 bytes in the seal, and a call when it is verified.
    """
    target = max(256, size // 32) if size <= _SMALL else min(size // 8, _LARGEST)
    return -(-target // row) * row
