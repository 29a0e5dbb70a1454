"""Comparing files with their seal, which says where their bytes are. None of them is parsed."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from credenza.artifact.folder import files
from credenza.artifact.model import Tensor
from credenza.errors import AlteredError, MalformedError
from credenza.findings import Finding, Report, Severity, Where
from credenza.seal.contents import Contents
from credenza.seal.digests import Digest
from credenza.seal.reading import Progress, Span, digest_spans
from credenza.seal.tree import Seal, SealedFile, Segment

_MOST_ROWS = 10_000
"""How many rows of a tensor a finding names; its byte range tells where the last difference is."""


def compare(
    seal: Seal, subject: Path, *, keep: bool = False, progress: Progress | None = None
) -> Contents:
    """Hash every byte of ``subject`` (a folder, or one file) against its seal.

    Gives back the very bytes that were hashed where they are to be kept, else nothing.

    Raises `AlteredError`, whose report names every difference: files missing, added or resized,
    and the tensors, rows and bytes that differ.
    """
    present = _present(seal, subject)
    findings = list(_listing(seal, present))
    segments = [
        (file, segment)
        for file in seal.files
        if present.get(file.path) == file.size
        for segment in file.segments
    ]
    contents = _room(segments) if keep and not findings else {}
    spans = (
        Span(f.path, s.start, s.stop, s.chunk, contents.get((f.path, s.start))) for f, s in segments
    )
    try:
        digests = digest_spans(subject, spans, seal.algorithm, progress)
        for (file, segment), found in zip(segments, digests, strict=True):
            if found != segment.chunks:
                findings.extend(differences(file, segment, found))
    except MalformedError as e:  # a file that became something else since it was listed
        findings.append(e.finding)
    if not findings:  # what was added, or grew, while the rest was read
        findings.extend(_listing(seal, _present(seal, subject)))
    if findings:
        raise AlteredError(report(seal, subject, findings))
    return contents


def check_listing(seal: Seal, subject: Path) -> None:
    """Raises `AlteredError` where the names and sizes alone tell that it is not the sealed one."""
    if findings := list(_listing(seal, _present(seal, subject))):
        raise AlteredError(report(seal, subject, findings))


def _present(seal: Seal, subject: Path) -> dict[str, int]:
    """The files that are there. What may not be in an artefact at all was not sealed either."""
    try:
        return {file.path: file.size for file in files(subject)}
    except MalformedError as e:
        raise AlteredError(report(seal, subject, [e.finding])) from e


def _room(segments: Iterable[tuple[SealedFile, Segment]]) -> Contents:
    return {(file.path, s.start): memoryview(bytearray(s.size)) for file, s in segments}


def _listing(seal: Seal, present: dict[str, int]) -> Iterator[Finding]:
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


def differences(file: SealedFile, segment: Segment, found: bytes) -> Iterator[Finding]:
    """One finding for each tensor on the segment, or one for its bytes where it has none."""
    wrong = [
        (start, stop, expected, actual)
        for (start, stop, expected), actual in zip(segment.spans(), _split(found), strict=True)
        if expected != actual
    ]
    start, stop, expected, actual = wrong[0][0], wrong[-1][1], wrong[0][2], wrong[0][3]
    places = [(a, b) for a, b, _, _ in wrong]
    tensors = [t for t in file.tensors if t.region.start == segment.start and t.reach]
    for tensor in tensors:
        rows = _rows(tensor, segment, places)
        where = Where(file=file.path, start=start, stop=stop, tensor=tensor.name, rows=rows)
        what = "its parameters are not those that were sealed"
        yield _finding("tensor-altered", what, where, expected.hex(), actual.hex())
    if not tensors:
        where = Where(file=file.path, start=start, stop=stop)
        what = "these bytes are not those that were sealed"
        yield _finding("bytes-altered", what, where, expected.hex(), actual.hex())


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


def report(seal: Seal, subject: Path, findings: Sequence[Finding]) -> Report:
    """What a comparison that looked at everything found."""
    return Report(
        examination="verify",
        subject=str(subject),
        root=seal.root.hex(),
        covered=("every byte of every sealed file", "every name in the folder"),
        uncovered=(
            "whether the model was good when it was sealed",
            "whether a newer model has been sealed since",
        ),
        findings=tuple(findings),
    )
