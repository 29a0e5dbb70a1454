"""Holding a model against a verified manifest. Nothing of the model is parsed."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from credenza.errors import AlteredError, MalformedError
from credenza.findings import Finding, Report, Severity, Where
from credenza.seal.oms import ignoring, listing
from credenza.seal.oms.hashing import Progress, Span, digests
from credenza.seal.oms.manifest import ONE_FILE, Manifest, Resource
from credenza.seal.oms.trust import VerifiedManifest


@dataclass(frozen=True, slots=True, kw_only=True)
class Leave:
    """Files that need not be signed: those of the verifier's own ``entries``, or all."""

    entries: Collection[str] = ()
    unsigned: bool = False


def compare(
    verified: VerifiedManifest,
    subject: Path,
    signature: Path,
    leave: Leave,
    progress: Progress | None = None,
) -> Report:
    """Hash every signed byte of ``subject``, and look at every name in it.

    What comes back has notes on the files that are not signed. Raises `AlteredError`, whose
    report names every difference: files missing, added, resized, left out though they load, and
    the files and shards whose bytes differ.
    """
    manifest = verified.manifest
    try:
        found = listing.present(subject)
        own = (*ignoring.OWN, *listing.inside(subject, signature))
        findings = list(_names(manifest, subject, found, own, leave))
        resources = [r for r in manifest.resources if _is_whole(manifest, subject, r, found)]
        spans = [_span(r, subject, found) for r in resources]
        hashed = digests(subject, spans, manifest.hash, progress)
        for span, resource, digest in zip(spans, resources, hashed, strict=True):
            if digest != resource.digest:
                findings.append(_altered(span, resource, digest))
        findings.extend(_changes(found, listing.present(subject)))
    except MalformedError as e:
        raise AlteredError(_report(verified, subject, [e.finding])) from e
    report = _report(verified, subject, findings)
    if any(f.severity > Severity.NOTE for f in findings):
        raise AlteredError(report)
    return report


def _changes(before: Mapping[str, int], after: Mapping[str, int]) -> Iterator[Finding]:
    """What was added, removed, grew or shrank while the rest was read."""
    for path in sorted(before.keys() | after.keys()):
        sizes = [f"{p[path]} bytes" if path in p else "no such file" for p in (before, after)]
        if sizes[0] != sizes[1]:
            what = "the file changed while the model was read"
            yield _finding("file-resized", what, Where(file=path), *sizes)


def _names(
    manifest: Manifest,
    subject: Path,
    found: Mapping[str, int],
    own: Collection[str],
    leave: Leave,
) -> Iterator[Finding]:
    """What the names and sizes alone tell."""
    sizes = _sizes(manifest, subject)
    for path, size in sizes.items():
        if path not in found:
            yield _finding("file-missing", "the file is missing", Where(file=path))
        elif size is not None and found[path] != size:
            sides = (f"{size} bytes", f"{found[path]} bytes")
            yield _finding("file-resized", "the file has another size", Where(file=path), *sides)
    unsigned = {path: size for path, size in found.items() if path not in sizes}
    yield from _unsigned(manifest, unsigned, own, leave)


def _unsigned(
    manifest: Manifest, unsigned: Mapping[str, int], own: Collection[str], leave: Leave
) -> Iterator[Finding]:
    """Files that nobody vouches for: a note where they may be there, else against the model."""
    by_signer = {*manifest.ignore_paths, *ignoring.DEFAULT}
    by_verifier = {*own, *leave.entries}
    notes: dict[str, int] = {}
    for path in sorted(unsigned):
        mine = ignoring.covering(path, by_verifier)
        theirs = ignoring.covering(path, by_signer)
        if mine is None and leave.unsigned:
            mine = theirs if theirs is not None else path
        if mine is None and theirs is not None and ignoring.is_loadable(path):
            what = f"the file may be loaded, and the signature leaves {theirs!a} out"
            yield _finding("ignored-loadable", what, Where(file=path))
        elif mine is None and theirs is None:
            yield _added(path, manifest, unsigned[path])
        else:
            entry = mine if mine is not None else theirs or ""
            notes[entry] = notes.get(entry, 0) + 1
    for entry, count in notes.items():
        if entry not in own:
            yield _note(entry, count)


def _added(path: str, manifest: Manifest, size: int) -> Finding:
    what = "the file is not signed"
    if manifest.shard_size is not None and not size:
        what = "the file is empty, and a signature by shards names no empty files"
    return _finding("file-added", what, Where(file=path))


def _note(entry: str, count: int) -> Finding:
    files = "1 file is" if count == 1 else f"{count} files are"
    what = f"{files} not signed"
    where = Where(file=entry)
    return Finding(rule="seal.ignored-file", severity=Severity.NOTE, what=what, where=where)


def _sizes(manifest: Manifest, subject: Path) -> dict[str, int | None]:
    """Each signed file, and how many bytes it has where the manifest tells: in shards."""
    sizes: dict[str, int | None] = {}
    for resource in manifest.resources:
        path = _path(resource, subject)
        stops = (sizes.get(path), resource.stop)
        sizes[path] = max((s for s in stops if s is not None), default=None)
    return sizes


def _is_whole(
    manifest: Manifest, subject: Path, resource: Resource, found: Mapping[str, int]
) -> bool:
    """Whether the file is there, and long enough for this part of it."""
    size = found.get(_path(resource, subject))
    return size is not None and (manifest.shard_size is None or (resource.stop or 0) <= size)


def _span(resource: Resource, subject: Path, found: Mapping[str, int]) -> Span:
    path = _path(resource, subject)
    return Span(path, resource.start, found[path] if resource.stop is None else resource.stop)


def _path(resource: Resource, subject: Path) -> str:
    if resource.path == ONE_FILE and not subject.is_dir():
        return subject.name
    return resource.path


def _altered(span: Span, resource: Resource, found: bytes) -> Finding:
    where = Where(file=span.path)
    if resource.stop is not None:
        where = Where(file=span.path, start=span.start, stop=span.stop)
    what = "its bytes are not those that were signed"
    return _finding("bytes-altered", what, where, resource.digest.hex(), found.hex())


def _finding(name: str, what: str, where: Where, expected: str = "", found: str = "") -> Finding:
    return Finding(
        rule=f"seal.{name}",
        severity=Severity.CRITICAL,
        what=what,
        where=where,
        expected=expected,
        found=found,
    )


def _report(verified: VerifiedManifest, subject: Path, findings: Sequence[Finding]) -> Report:
    return Report(
        examination="verify",
        subject=str(subject),
        root=verified.manifest.digest,
        covered=("every byte of every signed file", "every name in the folder"),
        uncovered=(
            "whether the model was good when it was signed",
            "whether a newer model has been signed since",
            *verified.unchecked,
        ),
        findings=tuple(sorted(findings, key=lambda f: -f.severity.rank)),
    )
