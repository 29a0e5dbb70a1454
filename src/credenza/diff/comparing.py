"""Two artefacts, piece by piece: tensors, files that hold none, and programs."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from credenza.artifact import Artifact, Dtype, File, Tensor, open_bytes
from credenza.diff.calibration import Calibration, shipped
from credenza.diff.change import Change, measure
from credenza.diff.kinds import KINDS, Kind
from credenza.diff.layout import Placed, has_gguf, matrices, placed
from credenza.diff.matrix import Matrix, same
from credenza.diff.verdict import IDENTICAL, SEVERITIES, Named, Verdict, judge
from credenza.findings import Figure, Finding, Report, Severity, Where
from credenza.rates import rate

_PIECE: Final = 1 << 20
_NAMED: Final = 8
"""How many tensors a finding about several names."""


_FRONT: Final = 1024
"""Elements that are looked at before two tensors are compared in whole."""

_SIZEABLE: Final = 256
"""Elements of a matrix that `credenza.diff.verdict` counts."""


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """A tensor that changed, how, and what that is called."""

    tensor: Tensor
    name: str
    old: Matrix
    new: Matrix
    change: Change
    kind: Kind
    words: str


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """What changed between two artefacts: tensor by tensor, and in one verdict.

    ``shared`` are the tensors that both have in one shape, ``reshaped`` those that both have;
    ``gone`` and ``come`` those that only one has. ``seen`` are the changed ones with their words.
    """

    shared: tuple[tuple[Tensor, Tensor], ...]
    reshaped: tuple[tuple[Tensor, Tensor], ...]
    gone: tuple[Tensor, ...]
    come: tuple[Tensor, ...]
    changed: tuple[Named, ...]
    verdict: Verdict
    seen: tuple[Seen, ...]


def compare(
    old: Artifact,
    new: Artifact,
    *,
    kinds: Sequence[Kind] = KINDS,
    calibration: Calibration | None = None,
) -> Comparison:
    """What changed in the tensors from ``old`` to ``new``; files and programs are `diff`'s.

    Where one of both is GGUF, tensors are matched by the names of Hugging Face. Tensors are
    compared on as many threads as there are cores. Raises as `diff` does.
    """
    before, after = _by_name(old, new), _by_name(new, old)
    pairs = [(before[name], after[name]) for name in before if name in after]
    shared = [(a, b) for a, b in pairs if _comparable(a.tensor, b.tensor)]
    seen = _seen(old, new, shared, kinds)
    gone = tuple(p.tensor for name, p in before.items() if name not in after)
    come = tuple(p.tensor for name, p in after.items() if name not in before)
    reshaped = [(a.tensor, b.tensor) for a, b in pairs if not _comparable(a.tensor, b.tensor)]
    changed = _named(seen)
    verdict = judge(
        changed,
        matrices=sum(len(b.tensor.shape) > 1 and b.tensor.size >= _SIZEABLE for _, b in shared),
        elements=sum(b.tensor.size for _, b in shared),
        odd=len(gone) + len(come) + len(reshaped),
        calibration=calibration or shipped(),
    )
    both = tuple((a.tensor, b.tensor) for a, b in shared)
    return Comparison(both, tuple(reshaped), gone, come, changed, verdict, tuple(seen))


def diff(old: Artifact, new: Artifact, *, kinds: Sequence[Kind] = KINDS) -> Report:
    """What changed from ``old``, which is trusted, to ``new``, and what kind of change it is.

    Tensors are matched by name, so a model that was cut into other files is the same model; only
    a name that several files have is matched file by file. One block of rows is in memory at a
    time. A report without findings says that everything it covers is the same; where anything of
    a tensor changed, one finding is the verdict on the whole.

    Raises `InputError` where a file cannot be read and `MalformedError` where its bytes are not
    the tensors that they claim to be.
    """
    found = compare(old, new, kinds=kinds)
    findings = (
        *_tensor_findings(found.seen),
        *_verdict(found.verdict),
        *(_reshaped(a, b) for a, b in found.reshaped),
        *_lone(found.gone, "diff.tensor-removed", "the tensor is gone"),
        *_lone(found.come, "diff.tensor-added", "the tensor is new"),
        *_files(old, new),
        *_programs(old, new),
    )
    return Report(
        examination="diff",
        subject=str(new.path),
        covered=_covered(old, found.shared, new),
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
        figures=_figures(found.shared, found.seen),
    )


def _verdict(verdict: Verdict) -> Iterator[Finding]:
    """The verdict as a finding, with how sure it is; none where nothing differs."""
    if verdict.kind == IDENTICAL:
        return
    calibration = shipped()
    figures = []
    if verdict.rank is not None:
        text = "above what rounding explains" if verdict.exact else "where the spectrum falls off"
        figures.append(Figure(name="rank of the change", value=verdict.rank, definition=text))
    if verdict.score is not None and verdict.p_value is not None:
        text = "log odds of an edit by hand against honest changes (credenza.diff.score)"
        figures.append(Figure(name="edit score", value=verdict.score, definition=text))
        text = f"share of honest changes that score so high, at least; {calibration.population}"
        figures.append(Figure(name="p-value", value=verdict.p_value, definition=text))
    if told := calibration.of(verdict.kind):
        figures.append(
            rate(
                "named right",
                told.right,
                told.of,
                f"calibrating changes of this kind that were named so; {calibration.population}",
            )
        )
    yield Finding(
        rule="diff.verdict",
        severity=SEVERITIES[verdict.kind],
        what=f"{verdict.kind}: {verdict.words}",
        figures=tuple(figures),
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


def _figures(shared: Sequence[tuple[Tensor, Tensor]], seen: Sequence[Seen]) -> tuple[Figure, ...]:
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


def _by_name(artifact: Artifact, other: Artifact) -> dict[tuple[str, str], Placed]:
    """Tensors by name; by file and name where several files have one of that name."""
    if has_gguf(artifact) != has_gguf(other):
        tensors = list(placed(artifact))
    else:
        tensors = [Placed(t, t.name) for t in artifact.tensors]
    counts: dict[str, int] = {}
    for p in tensors:
        counts[p.name] = counts.get(p.name, 0) + 1
    return {(p.tensor.file if counts[p.name] > 1 else "", p.name): p for p in tensors}


def _comparable(a: Tensor, b: Tensor) -> bool:
    """Element by element: one shape, and of one type unless both are real and not empty."""
    if a.shape != b.shape or a.dtype is b.dtype:
        return a.shape == b.shape
    return b.size > 0 and not {a.dtype, b.dtype} & {Dtype.C64, Dtype.C128}


def _seen(
    old: Artifact, new: Artifact, shared: Sequence[tuple[Placed, Placed]], kinds: Sequence[Kind]
) -> list[Seen]:
    """What happened to each tensor that changed, the largest first to be looked at."""
    order = sorted(range(len(shared)), key=lambda i: -shared[i][1].tensor.size)
    found: list[Seen | None] = [None] * len(shared)
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as threads:
        jobs = [
            threads.submit(_compared, old, shared[i][0], new, shared[i][1], kinds) for i in order
        ]
        for i, job in zip(order, jobs, strict=True):
            found[i] = job.result()
    return [s for s in found if s is not None]


def _compared(
    old: Artifact, a: Placed, new: Artifact, b: Placed, kinds: Sequence[Kind]
) -> Seen | None:
    """What happened to a tensor of the same shape; None where nothing did."""
    was, now = matrices(old, a, new, b)
    if b.tensor.size == 0 or same(was, now):
        return None
    change = measure(was, now)
    for kind in kinds:
        if words := kind.words(change):
            return Seen(b.tensor, b.name, was, now, change, kind, words)
    return None


def _named(seen: Sequence[Seen]) -> tuple[Named, ...]:
    """The changed tensors, each with the other one whose old bits it has now, if any has."""
    fronts: dict[tuple[object, ...], list[Seen]] = {}
    for s in seen:
        fronts.setdefault(_front(s.old), []).append(s)
    return tuple(
        Named(
            s.name,
            s.change,
            s.kind,
            next((o.name for o in fronts.get(_front(s.new), ()) if same(o.old, s.new)), None),
        )
        for s in seen
    )


def _front(matrix: Matrix) -> tuple[object, ...]:
    """Type, shape and the first elements: what two equal matrices have in common."""
    rows = min(matrix.rows, max(1, _FRONT // matrix.columns)) if matrix.sliceable else matrix.rows
    bits = matrix.block(0, rows)[0]
    return matrix.dtype, matrix.rows, matrix.columns, bits.reshape(-1)[:_FRONT].tobytes()


def _tensor_findings(seen: Sequence[Seen]) -> Iterator[Finding]:
    groups: dict[tuple[Kind, str], list[Seen]] = {}
    for s in seen:
        if s.kind.together:
            groups.setdefault((s.kind, s.words), []).append(s)
        else:
            yield _pointed(s)
    for group in groups.values():
        yield _pointed(group[0]) if len(group) == 1 else _spread(group)


def _pointed(seen: Seen) -> Finding:
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


def _spread(group: Sequence[Seen]) -> Finding:
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


def _lone(tensors: Sequence[Tensor], rule: str, what: str) -> Iterator[Finding]:
    for tensor in tensors:
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
