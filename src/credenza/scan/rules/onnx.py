"""ONNX: operators that are not in the model, data that are not, and code in its metadata."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final, final

from credenza.artifact.model import Tensor
from credenza.artifact.onnx import SUFFIX, Examined, examined, is_onnx
from credenza.artifact.onnx_operators import STANDARD, is_brought
from credenza.findings import Finding, Severity, Unread, Where
from credenza.scan.interface import Piece, Seen
from credenza.scan.kept import kept

_ACCUSES: Final = frozenset(
    {
        "artifact.external-path",  # CVE-2022-25882, CVE-2024-27318, CVE-2025-51480
        "artifact.external-entry",  # CVE-2026-34445: any key was set on an object
        "artifact.onnx-two-places",
        "artifact.onnx-duplicate-name",
        "artifact.onnx-duplicate-key",
        "artifact.onnx-nested",
        "artifact.onnx-shape",
        "artifact.protobuf-twice",
    }
)
"""What no writer does by mistake, and what is one thing to one reader and another to the next. A
file that is cut short, damaged, or newer than what is known here is unread, and no more."""
_PYTHON: Final = re.compile(r"(?:Py|Python)(?:Custom)?Op(?:Def|Float)?|PythonOp(?:Grad)?|PyFunc")
"""Operators of Python in ONNX Runtime and its extensions, in whatever domain."""
_COMPILED: Final = frozenset({"EPContext", "Snpe"})
_KNOWN_DOMAINS: Final = frozenset(
    {
        "ai.onnx.contrib",
        "com.microsoft",
        "com.microsoft.experimental",
        "com.microsoft.extensions",
        "com.microsoft.dml",
        "com.microsoft.nchwc",
        "com.ms.internal.nhwc",
        "org.pytorch.aten",
        "org.pytorch.prim",
    }
)
"""Domains of ONNX Runtime and of what its makers ship beside it."""
_CODE: Final = re.compile(
    rb"__import__\s*\(|\b(?:eval|exec|compile|getattr)\s*\(\s*\S"
    rb"|\b(?:os\.(?:system|popen|exec\w+)|subprocess\.\w+|builtins\.\w+|pty\.spawn)\b"
    rb"|<\s*script\b|javascript:|\.__(?:class|globals|subclasses|builtins)__\b",
    re.IGNORECASE,
)
_LONGEST_NOTE: Final = 1 << 20
_MOST: Final = 50
_MOST_NOTES: Final = 10_000


@final
@dataclass(frozen=True, slots=True)
class Onnx:
    """A model, by its name or where all of a file is one message that describes one."""

    name: str = "onnx"

    def claims(self, piece: Piece) -> bool:
        return piece.path.lower().endswith(SUFFIX) or is_onnx(piece)

    def examine(self, piece: Piece) -> Iterator[Seen]:
        found = examined(piece)
        yield from kept(_operators(found), _MOST)
        for number, (start, stop) in enumerate(found.notes):
            if number == _MOST_NOTES:
                yield Unread(where=Where(start=start), why="more entries of metadata than are read")
                break
            yield from _note(piece, start, stop)
        yield from _overlaps(piece, found.tensors)
        yield from (Unread(where=Where(), why=words) for words in found.unknown[:_MOST])
        accusing = (f for f in found.refused if f.rule in _ACCUSES)
        yield from (replace(f, where=replace(f.where, file=None)) for f in kept(accusing, _MOST))
        for finding in found.refused[:_MOST]:
            yield from _refused(finding)


def _operators(found: Examined) -> Iterator[Finding]:
    for domain, name, at in found.operators:
        severity, what = _judged(domain, name)
        if severity is not None:
            called = f"{domain or 'ai.onnx'}::{name}"
            yield _finding("scan.onnx-operator", severity, what, at, called)
    for program in found.functions:
        what = "the model brings a function of its own in the place of an operator"
        yield _finding("scan.onnx-operator", Severity.HIGH, what, program.start, program.name)


def _judged(domain: str, name: str) -> tuple[Severity | None, str]:
    """How bad an operator is, and why; None where it is one of ONNX or of ONNX Runtime."""
    if _PYTHON.fullmatch(name):
        return Severity.CRITICAL, "a graph calls Python"
    if name in _COMPILED and domain not in STANDARD:
        return Severity.HIGH, "a graph hands compiled code, or the path to it, to a driver"
    if domain in STANDARD or is_brought(domain, name):
        return None, ""
    if domain in _KNOWN_DOMAINS:
        return Severity.LOW, "a graph calls an operator of an extension of ONNX Runtime"
    return Severity.HIGH, "a graph calls an operator that only some other library brings"


def _note(piece: Piece, start: int, stop: int) -> Iterator[Seen]:
    """Code in an entry of the metadata."""
    if stop - start > _LONGEST_NOTE:
        why = "an entry of the metadata is too long to be looked through"
        yield Unread(where=Where(start=start, stop=stop), why=why)
        stop = start + _LONGEST_NOTE
    code = _CODE.search(piece.pread(start, stop - start))
    if code is not None:
        found = code.group().decode("ascii", "backslashreplace")
        what = "an entry of the metadata is code"
        yield _finding("scan.onnx-metadata", Severity.HIGH, what, start + code.start(), found)


def _overlaps(piece: Piece, tensors: tuple[Tensor, ...]) -> Iterator[Finding]:
    """Tensors in another file that share some of their bytes and not all."""
    held = sorted(
        {(t.file, t.region.start, t.region.stop) for t in tensors if t.file != piece.path}
    )
    file, end = "", 0
    for other, start, stop in held:
        if other == file and start < end:
            what, found = "two tensors share some bytes", f"{other} from {start}"
            yield _finding("artifact.external-overlap", Severity.HIGH, what, 0, found)
            return
        file, end = other, stop


def _refused(finding: Finding) -> Iterator[Seen]:
    place = replace(finding.where, file=None)
    if finding.rule not in ("artifact.external-path", "artifact.external-entry"):
        yield Unread(where=place, why=finding.what)


def _finding(rule: str, severity: Severity, what: str, at: int, found: str) -> Finding:
    shown = ascii(found[:120])[1:-1]
    return Finding(rule=rule, severity=severity, what=what, where=Where(start=at), found=shown)
