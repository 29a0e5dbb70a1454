"""The digest tree as values: chunks in segments, tensors over segments, files, and the model root.

Specification: docs/formats/seal.md.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from credenza.artifact.model import Tensor
from credenza.artifact.paths import check_ignorable
from credenza.errors import InputError, MalformedError
from credenza.seal.digests import Algorithm, Digest, s, several, u

LARGEST_CHUNK = 16 * 2**20
_DIGEST_SIZE = 32


@dataclass(frozen=True, slots=True)
class Segment:
    """A run of a file's bytes, and the digests of its chunks.

    ``chunks`` holds them joined, 32 bytes each; there are size / chunk size of them, rounded up.
    """

    start: int
    stop: int
    chunk: int
    chunks: bytes

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.stop:
            raise InputError(f"seal: an empty or inverted segment, {self.start} to {self.stop}")
        if not 1 <= self.chunk <= LARGEST_CHUNK:
            raise InputError(f"seal: a chunk of 1 to {LARGEST_CHUNK} bytes expected: {self.chunk}")
        expected = -(-(self.stop - self.start) // self.chunk) * _DIGEST_SIZE
        if len(self.chunks) != expected:
            raise InputError(
                f"seal: {expected} bytes of chunk digests expected, {len(self.chunks)} found"
            )

    @property
    def size(self) -> int:
        """How many bytes of the file it covers."""
        return self.stop - self.start

    def spans(self) -> Iterator[tuple[int, int, Digest]]:
        """Each chunk: its first byte in the file, the byte after its last, its digest."""
        for i, start in enumerate(range(self.start, self.stop, self.chunk)):
            digest = self.chunks[i * _DIGEST_SIZE : (i + 1) * _DIGEST_SIZE]
            yield start, min(start + self.chunk, self.stop), digest

    def digest(self, algorithm: Algorithm) -> Digest:
        """The digest of level ``segment``."""
        count = len(self.chunks) // _DIGEST_SIZE
        return algorithm.digest("segment", u(self.size, self.chunk, count) + self.chunks)


@dataclass(frozen=True, slots=True)
class SealedFile:
    """A file as it was sealed: all of its bytes in segments, and the tensors that view them."""

    path: str
    size: int
    format: str
    segments: tuple[Segment, ...]
    tensors: tuple[Tensor, ...]

    def __post_init__(self) -> None:
        if not _is_proper(self.path):
            raise InputError(f"seal: a relative path without '.', '..' expected: {self.path!r}")
        end = 0
        for segment in self.segments:
            if segment.start != end:
                raise InputError(f"seal: {self.path}: bytes {end} to {segment.start} do not fit")
            end = segment.stop
        if end != self.size:
            raise InputError(f"seal: {self.path}: segments end at {end}, the file at {self.size}")
        if len({tensor.name for tensor in self.tensors}) != len(self.tensors):
            raise InputError(f"seal: {self.path}: two tensors of one name")

    def views(self) -> Iterator[tuple[Tensor, int | None]]:
        """Each tensor, with the index of the segment that it views; None where it is empty.

        Raises `InputError` where a tensor's region is no segment, or it reaches out of it.
        """
        starts = {segment.start: i for i, segment in enumerate(self.segments)}
        for tensor in self.tensors:
            if tensor.region.start == tensor.region.stop and not tensor.reach:
                yield tensor, None
                continue
            i = starts.get(tensor.region.start)
            if i is None or self.segments[i].stop != tensor.region.stop:
                raise InputError(f"seal: {self.path}: tensor {tensor.name!r} views no segment")
            if tensor.reach > tensor.region.nbytes:
                raise InputError(f"seal: {self.path}: tensor {tensor.name!r} leaves its segment")
            yield tensor, i

    def digest(self, algorithm: Algorithm) -> Digest:
        """The digest of level ``file``."""
        segments = [segment.digest(algorithm) for segment in self.segments]
        tensors = [_tensor_digest(algorithm, t, segments, i) for t, i in self.views()]
        return algorithm.digest(
            "file",
            s(self.path) + u(self.size) + s(self.format) + several(segments) + several(tensors),
        )


@dataclass(frozen=True, slots=True)
class Seal:
    """Exactly which parameters: every file of a model, and how its tensors are read from it.

    ``ignored`` names what lies beside the model and is no part of it (`credenza.artifact.files`).
    ``root`` is computed from the files: the model root, 32 bytes, the model's identity everywhere.
    """

    algorithm: Algorithm
    files: tuple[SealedFile, ...]
    ignored: tuple[str, ...] = ()
    root: Digest = field(init=False)

    def __post_init__(self) -> None:
        check_ignored(self.ignored)
        paths = [file.path.encode() for file in self.files]
        if not paths:
            raise InputError("seal: at least one file expected, none found")
        if any(a >= b for a, b in itertools.pairwise(paths)):
            raise InputError("seal: files in the order of their paths expected, each once")
        digests = [file.digest(self.algorithm) for file in self.files]
        object.__setattr__(self, "root", self.algorithm.digest("model", several(digests)))


def check_ignored(paths: Sequence[str]) -> None:
    """Raise `InputError` unless the paths may be left out, and are sorted, each once."""
    if any(a >= b for a, b in itertools.pairwise(p.encode() for p in paths)):
        raise InputError("seal: ignored paths in order expected, each once")
    try:
        check_ignorable(paths)
    except MalformedError as e:
        raise InputError(f"seal: {e}") from e


def _tensor_digest(
    algorithm: Algorithm, tensor: Tensor, segments: Sequence[Digest], index: int | None
) -> Digest:
    view = u(len(segments)) if index is None else u(index) + segments[index]
    shape, strides, region = tensor.shape, tensor.strides, tensor.region
    return algorithm.digest(
        "tensor",
        s(tensor.name)
        + s(tensor.dtype.label)
        + u(len(shape), *shape, tensor.offset, len(strides), *strides)
        + s(tensor.byteorder)
        + s(region.encoding)
        + u(region.nbytes)
        + view,
    )


def _is_proper(path: str) -> bool:
    parts = path.split("/")
    return "\0" not in path and "\\" not in path and not {"", ".", ".."} & set(parts)
