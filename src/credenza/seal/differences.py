"""What differs between a model and its seal, as findings that name the place."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence

from credenza.artifact.model import Tensor
from credenza.findings import Finding, Severity, Where
from credenza.seal.digests import Digest
from credenza.seal.tree import Seal, SealedFile, Segment

_MOST_ROWS = 10_000
"""How many rows of a tensor a finding names; its byte range tells where the last difference is."""


def listing(seal: Seal, present: Mapping[str, int]) -> Iterator[Finding]:
    """What the names and sizes alone tell."""
    sealed = {file.path: file.size for file in seal.files}
    for path, size in sealed.items():
        if path not in present:
            yield _finding("file-missing", "the file is missing", Where(file=path))
        elif present[path] != size:
            yield _finding(
                "file-resized",
                "the file has another size",
                Where(file=path),
                f"{size} bytes",
                f"{present[path]} bytes",
            )
    for path in sorted(present.keys() - sealed.keys()):
        yield _finding("file-added", "the file is not sealed", Where(file=path))


class Differences:
    """Names what differs in segments; a file's tensors are sorted by segment only once."""

    def __init__(self) -> None:
        self._views: dict[str, dict[int, list[Tensor]]] = {}

    def __call__(self, file: SealedFile, segment: Segment, found: bytes) -> Iterator[Finding]:
        """One finding for each tensor on the segment, or one for its bytes where it has none."""
        wrong = [
            (start, stop, expected, actual)
            for (start, stop, expected), actual in zip(segment.spans(), _split(found), strict=True)
            if expected != actual
        ]
        start, stop, expected, actual = wrong[0][0], wrong[-1][1], wrong[0][2], wrong[0][3]
        places = [(a, b) for a, b, _, _ in wrong]
        tensors = self._on(file, segment)
        for tensor in tensors:
            rows = _rows(tensor, segment, places)
            where = Where(file=file.path, start=start, stop=stop, tensor=tensor.name, rows=rows)
            what = "its parameters are not those that were sealed"
            yield _finding("tensor-altered", what, where, expected.hex(), actual.hex())
        if not tensors:
            where = Where(file=file.path, start=start, stop=stop)
            what = "these bytes are not those that were sealed"
            yield _finding("bytes-altered", what, where, expected.hex(), actual.hex())

    def _on(self, file: SealedFile, segment: Segment) -> list[Tensor]:
        if file.path not in self._views:
            views = self._views.setdefault(file.path, {})
            for tensor in file.tensors:
                if tensor.reach:
                    views.setdefault(tensor.region.start, []).append(tensor)
        return self._views[file.path].get(segment.start, [])


def _rows(tensor: Tensor, segment: Segment, places: Sequence[tuple[int, int]]) -> tuple[int, ...]:
    """The rows that chunks which differ hold; none where the tensor is not laid out in rows."""
    plain = not tensor.strides and tensor.region.encoding == "raw" and tensor.shape
    if not plain or tensor.nbytes % tensor.shape[0]:
        return ()
    row = tensor.nbytes // tensor.shape[0]
    first = segment.start + tensor.offset
    rows: set[int] = set()
    for start, stop in places:
        last = min(-(-(stop - first) // row), tensor.shape[0])
        rows.update(itertools.islice(range(max(0, (start - first) // row), last), _MOST_ROWS))
        if len(rows) >= _MOST_ROWS:
            break
    return tuple(sorted(rows)[:_MOST_ROWS])


def _split(digests: bytes) -> list[Digest]:
    return [digests[i : i + 32] for i in range(0, len(digests), 32)]


def _finding(name: str, what: str, where: Where, expected: str = "", found: str = "") -> Finding:
    return Finding(
        rule=f"seal.{name}",
        severity=Severity.CRITICAL,
        what=what,
        where=where,
        expected=expected,
        found=found,
    )
