"""Two artefacts, piece by piece: tensors, files that hold none, and programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from credenza.artifact import Artifact, Dtype, File, Tensor, open_bytes
from credenza.diff.change import Change, measure
from credenza.diff.kinds import KINDS, Kind
from credenza.diff.matrix import Stored, same
from credenza.findings import Figure, Finding, Report, Severity, Where

_PIECE: Final = 1 << 20
_NAMED: Final = 8
"""How many tensors a finding about several names."""


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    """A tensor that changed, how, and what that is called."""

    tensor: Tensor
    change: Change
    kind: Kind
    words: str


def diff(old: Artifact, new: Artifact, *, kinds: Sequence[Kind] = KINDS) -> Report:
    """What changed from ``old``, which is trusted, to ``new``, and what kind of change it is.

    Tensors are matched by name, so a model that was cut into other files is the same model; only
    a name that several files have is matched file by file. One block of rows is in memory at a
    time. A report without findings says that everything it covers is the same.

    Raises `InputError` where a file cannot be read and `MalformedError` where its bytes are not
    the tensors that they claim to be.
    """
    before, after = _by_name(old), _by_name(new)
    pairs = [(before[name], after[name]) for name in before if name in after]
    shared = [(a, b) for a, b in pairs if _comparable(a, b)]
    seen = [s for a, b in shared if (s := _compared(old, a, new, b, kinds)) is not None]
    findings = (
        *_tensor_findings(seen),
        *(_reshaped(a, b) for a, b in pairs if not _comparable(a, b)),
        *_lone(before, after, "diff.tensor-removed", "the tensor is gone"),
        *_lone(after, before, "diff.tensor-added", "the tensor is new"),
        *_files(old, new),
        *_programs(old, new),
    )
    return Report(
        examination="diff",
        subject=str(new.path),
        covered=_covered(old, shared, new),
        uncovered=(
            "whether the old version is good",
            *(
                f"{which} {file.path}: {what}"
                for which, artifact in (("old", old), ("new", new))
                for file in artifact.files
                for what in file.unread
            ),
        ),
        findings=tuple(sorted(findings, key=lambda f: -f.severity.rank)),
        figures=_figures(shared, seen),
    )


def _covered(
    old: Artifact, shared: Sequence[tuple[Tensor, Tensor]], new: Artifact
) -> tuple[str, ...]:
    elements = sum(b.size for _, b in shared)
    return (
        f"compared with {old.path}",
        f"{len(shared)} tensors that both have in one shape, {elements} elements, bit by bit",
        f"{sum(not f.tensors for f in new.files)} files without tensors, byte by byte",
        "names of tensors and files, types, shapes, metadata and programs",
    )


def _figures(shared: Sequence[tuple[Tensor, Tensor]], seen: Sequence[_Seen]) -> tuple[Figure, ...]:
    elements = sum(b.size for _, b in shared)
    changed = sum(s.change.changed for s in seen)
    return (
        Figure(
            name="tensors compared", value=len(shared), definition="that both have, in one shape"
        ),
        Figure(name="tensors changed", value=len(seen), definition="of those, in any bit"),
        Figure(
            name="changed share",
            value=changed / elements if elements else 0.0,
            definition="elements that differ / elements of the tensors compared",
        ),
    )


def _by_name(artifact: Artifact) -> dict[tuple[str, str], Tensor]:
    """Tensors by name; by file and name where several files have one of that name."""
    counts: dict[str, int] = {}
    for tensor in artifact.tensors:
        counts[tensor.name] = counts.get(tensor.name, 0) + 1
    return {(t.file if counts[t.name] > 1 else "", t.name): t for t in artifact.tensors}


def _comparable(a: Tensor, b: Tensor) -> bool:
    """Element by element: one shape, and of one type unless both are real and not empty."""
    if a.shape != b.shape or a.dtype is b.dtype:
        return a.shape == b.shape
    return b.size > 0 and not {a.dtype, b.dtype} & {Dtype.C64, Dtype.C128}


def _compared(
    old: Artifact, a: Tensor, new: Artifact, b: Tensor, kinds: Sequence[Kind]
) -> _Seen | None:
    """What happened to a tensor of the same shape; None where nothing did."""
    was, now = Stored(old, a), Stored(new, b)
    if b.size == 0 or same(was, now):
        return None
    change = measure(was, now)
    for kind in kinds:
        if words := kind.words(change):
            return _Seen(b, change, kind, words)
    return None


def _tensor_findings(seen: Sequence[_Seen]) -> Iterator[Finding]:
    groups: dict[tuple[Kind, str], list[_Seen]] = {}
    for s in seen:
        if s.kind.together:
            groups.setdefault((s.kind, s.words), []).append(s)
        else:
            yield _pointed(s)
    for group in groups.values():
        yield _pointed(group[0]) if len(group) == 1 else _spread(group)


def _pointed(seen: _Seen) -> Finding:
    where = Where(file=seen.tensor.file, tensor=seen.tensor.name)
    if not seen.kind.together:
        where = Where(file=seen.tensor.file, tensor=seen.tensor.name, rows=seen.change.carrying)
    return Finding(
        rule=seen.kind.rule,
        severity=seen.kind.severity,
        what=seen.words,
        where=where,
        figures=seen.change.figures,
    )


def _spread(group: Sequence[_Seen]) -> Finding:
    names = ", ".join(s.tensor.name for s in group[:_NAMED])
    if len(group) > _NAMED:
        names += f" and {len(group) - _NAMED} more"
    most = max(group, key=lambda s: s.change.relative)
    return Finding(
        rule=group[0].kind.rule,
        severity=group[0].kind.severity,
        what=f"{len(group)} tensors ({names}): {group[0].words}",
        figures=(
            Figure(
                name="largest relative change",
                value=most.change.relative,
                definition=f"‖new - old‖ / ‖old‖ of {most.tensor.name}, Frobenius norms",
            ),
        ),
    )


def _reshaped(a: Tensor, b: Tensor) -> Finding:
    return Finding(
        rule="diff.shape-changed",
        severity=Severity.MEDIUM,
        what="the tensor has another shape, or numbers of another kind; values were not compared",
        where=Where(file=b.file, tensor=b.name),
        expected=_shape(a),
        found=_shape(b),
    )


def _shape(tensor: Tensor) -> str:
    return f"{tensor.dtype.label} {'×'.join(map(str, tensor.shape)) or 'scalar'}"


def _lone(
    these: dict[tuple[str, str], Tensor],
    others: dict[tuple[str, str], Tensor],
    rule: str,
    what: str,
) -> Iterator[Finding]:
    for name, tensor in these.items():
        if name not in others:
            yield Finding(
                rule=rule,
                severity=Severity.MEDIUM,
                what=f"{what}: {_shape(tensor)}",
                where=Where(file=tensor.file, tensor=tensor.name),
            )


def _files(old: Artifact, new: Artifact) -> Iterator[Finding]:
    """Files whose bytes no tensor stands for, and what others carry beside theirs."""
    before, after = ({f.path: f for f in a.files} for a in (old, new))
    if old.path.is_file() and new.path.is_file():  # one file each: its name is no part of it
        before = dict(zip(after, before.values(), strict=True))
    for path, file in after.items():
        if path not in before:
            if not file.tensors:
                yield _file("diff.file-added", "the file is new", file)
        elif before[path].tensors and file.tensors:
            if before[path].metadata != file.metadata:
                yield _file("diff.file-changed", "what it carries beside its tensors changed", file)
        elif not _same_bytes(old, before[path], new, file):
            yield _file("diff.file-changed", "its bytes differ", file)
    for path, file in before.items():
        if path not in after and not file.tensors:
            yield _file("diff.file-removed", "the file is gone", file)


def _file(rule: str, what: str, file: File) -> Finding:
    return Finding(rule=rule, severity=Severity.MEDIUM, what=what, where=Where(file=file.path))


def _same_bytes(old: Artifact, a: File, new: Artifact, b: File) -> bool:
    if a.size != b.size:
        return False
    with open_bytes(old.path, a.path) as was, open_bytes(new.path, b.path) as now:
        return all(
            was.pread(at, min(_PIECE, a.size - at)) == now.pread(at, min(_PIECE, a.size - at))
            for at in range(0, a.size, _PIECE)
        )


def _programs(old: Artifact, new: Artifact) -> Iterator[Finding]:
    known = {(p.kind, p.name) for _, p in old.programs}
    for file, program in new.programs:
        if (program.kind, program.name) not in known and not program.allowed:
            member = f" in {program.member}" if program.member else ""
            yield Finding(
                rule="diff.program-added",
                severity=Severity.HIGH,
                what=f"loading it would run {program.kind} {program.name}{member}, as it did not",
                where=Where(file=file.path, start=program.start),
            )
