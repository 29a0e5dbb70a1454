"""The Python beside a model, in its archives and in notebooks; TorchScript, which looks like it."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final, final

from credenza.findings import Finding, Severity, Unread, Where
from credenza.scan import credentials
from credenza.scan.interface import Piece, Seen
from credenza.scan.source import Kind, Reach, Sighting, UnreadableSourceError, judged, parsed
from credenza.scan.source.reading import MOST_BYTES

SUFFIXES: Final = (".py", ".pyw", ".ipynb")
_SHEBANG: Final = re.compile(rb"#!.{0,80}\bpython", re.IGNORECASE)
_MOST_TEXT: Final = 120

_DOES: Final = {
    Kind.EXECUTES: "it executes code that it makes or is given",
    Kind.PROCESS: "it starts a process",
    Kind.NETWORK: "it speaks to the network",
    Kind.UNPICKLES: "it reads a format that runs code",
    Kind.IMPORTS: "it imports what it does not name",
    Kind.REMOTE: "it loads and runs code from elsewhere",
    Kind.NATIVE: "it loads native code",
    Kind.WRITES: "it names a place from which code is started again",
    Kind.HARVESTS: "it reads credentials",
    Kind.HIDDEN: "it is written so that it cannot be read",
    Kind.PATCHES: "it replaces what others rely on",
    Kind.ESCAPES: "it reaches modules by a way that hides which",
}
_WHEN: Final = {
    Reach.CALLED: "where it is called",
    Reach.HOOK: "when a model is made, loaded or used",
    Reach.IMPORT: "as soon as it is imported",
}


@final
@dataclass(frozen=True, slots=True)
class PythonSource:
    """Reads source by its syntax tree: what it reaches, under any name, and when it runs.

    Python that parses nowhere is unread, which is no accusation.
    """

    name: str = "python source"

    def claims(self, piece: Piece) -> bool:
        if piece.path.lower().endswith(SUFFIXES):
            return True
        return piece.head(2) == b"#!" and _SHEBANG.match(piece.head(128)) is not None

    def examine(self, piece: Piece) -> Iterator[Seen]:
        if piece.size > MOST_BYTES:
            yield Unread(where=Where(), why=f"more than {MOST_BYTES} bytes of source")
            return
        data = piece.pread(0, piece.size)
        yield from credentials.found(data)
        try:
            if piece.path.lower().endswith(".ipynb"):
                yield from _notebook(data)
                return
            source = parsed(data)
        except UnreadableSourceError as e:
            yield Unread(where=Where(), why=str(e))
            return
        yield from _findings(judged(source), source.offset)
        if _is_torchscript(piece, data):
            yield from _torchscript(source.tree)


def _findings(sightings: Iterable[Sighting], offset: Any = None) -> Iterator[Finding]:
    """A finding for each name and way, at its first place, with how often it is there."""
    groups: dict[tuple[Kind, str], list[Sighting]] = {}
    for sighting in sightings:
        groups.setdefault((sighting.kind, sighting.name), []).append(sighting)
    for (kind, name), group in groups.items():
        worst = max(group, key=lambda s: (s.severity, s.hidden))
        more = f", and {len(group) - 1} times more" if len(group) > 1 else ""
        hidden = ", in a way that hides it" if worst.hidden and kind is not Kind.HIDDEN else ""
        start = offset(worst.line, worst.column) if offset else None
        yield Finding(
            rule=kind.value,
            severity=worst.severity,
            what=f"line {worst.line}: {_DOES[kind]} {_WHEN[worst.reach]}{hidden}{more}",
            where=Where(start=start),
            found=_shown(name),
        )


def _shown(name: str) -> str:
    known = name.removeprefix("builtins.")
    return known if len(known) <= _MOST_TEXT else f"{known[:_MOST_TEXT]}…"


# --- notebooks ------------------------------------------------------------------

_INSTALLS: Final = re.compile(
    r"!\s*(?:python3? -m )?(?:pip3?|conda|mamba) (?:install|list|show|freeze)\b"
    r"[\w\s.\-\[\]<>=~,'\"]*$"
    r"|!\s*(?:nvidia-smi|ls|pwd)\b[\w\s./\-]*$"
)
"""What most notebooks begin with: nothing that one shell command could hide another behind."""


def _notebook(data: bytes) -> Iterator[Seen]:
    """Cells are judged each; no cell runs unless a person runs it, so little is worse than medium.

    Raises `UnreadableSourceError` where it is no notebook.
    """
    for number, text in enumerate(_cells(data), start=1):
        shell, code = _without_magic(text)
        where = Where()
        if shell:
            yield Finding(
                rule=Kind.PROCESS.value,
                severity=Severity.LOW if _INSTALLS.match(shell) else Severity.MEDIUM,
                what=f"cell {number}: a command of the shell, run where the cell is run",
                where=where,
                found=_shown(shell),
            )
        try:
            sightings = judged(parsed(code))
        except UnreadableSourceError as e:
            yield Unread(where=where, why=f"cell {number}: {e}")
            continue
        for finding in _findings(_by_hand(s) for s in sightings):
            yield replace(finding, what=f"cell {number}, {finding.what}")


def _by_hand(sighting: Sighting) -> Sighting:
    hidden = sighting.hidden or sighting.kind in (Kind.HIDDEN, Kind.HARVESTS)
    most = sighting.severity if hidden else min(sighting.severity, Severity.MEDIUM)
    return replace(sighting, reach=Reach.CALLED, severity=most)


def _cells(data: bytes) -> Iterator[str]:
    """The code of a notebook (nbformat 4, section "Code cells"; nbformat 3 has worksheets)."""
    try:
        notebook = json.loads(data)
        sheets = notebook.get("worksheets", [notebook])
        for cell in (c for sheet in sheets for c in sheet["cells"]):
            if cell["cell_type"] == "code":
                text = cell.get("source", cell.get("input", ""))
                yield "".join(text) if isinstance(text, list) else str(text)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, MemoryError) as e:
        raise UnreadableSourceError(f"not a notebook: {type(e).__name__}") from e


def _without_magic(text: str) -> tuple[str, str]:
    """The first command of the shell in a cell, and the cell without IPython's own lines."""
    if text.lstrip().startswith("%%"):
        first, _, rest = text.lstrip().partition("\n")
        python = first.split()[0] in ("%%time", "%%timeit", "%%capture", "%%prun")
        return ("" if python else first), (rest if python else "")
    shell, kept = "", []
    for line in text.splitlines():
        bare = line.lstrip()
        if bare.startswith(("!", "%")):
            shell = shell or (bare if bare.startswith(("!", "%sx", "%system")) else "")
            line = line[: len(line) - len(bare)] + "pass"
        elif bare.endswith("?") and "=" not in bare:
            line = "pass"
        kept.append(line)
    return shell, "\n".join(kept)


# --- TorchScript ------------------------------------------------------------------

_TORCHSCRIPT: Final = re.compile(r"(^|/)code/")
_FILES: Final = frozenset({"save", "from_file", "load", "load_library"})
_KNOWN_OPS: Final = frozenset(
    [
        "aten",
        "prim",
        "quantized",
        "torchvision",
        "torchaudio",
        "torchtext",
        "sparse",
        "mkldnn",
        "mkldnn_prepacked",
        "prepacked",
        "xnnpack",
        "inductor",
        "onednn",
        "_quantized",
        "cuda",
        "sgd",
        "profiler",
        "static_runtime",
        "torch_ipex",
        "_caffe2",
        "c10d",
    ]
)


def _is_torchscript(piece: Piece, data: bytes) -> bool:
    """Source as `torch.jit.save` writes it: under ``code/`` of an archive."""
    if not (piece.inside and _TORCHSCRIPT.search(piece.path)):
        return False
    return "__torch__" in piece.path or b"__parameters__" in data or b"op_version_set" in data


def _torchscript(tree: ast.Module) -> Iterator[Finding]:
    """Operators that read or write files by a path in the program; those of nobody known.

    ``aten::save`` and ``aten::from_file`` run from TorchScript, also where it is loaded with
    ``weights_only`` (torch/csrc/jit/runtime/register_prim_ops.cpp).
    """
    seen: dict[str, Severity] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            match node.value:
                case ast.Name(id="torch") if node.attr in _FILES:
                    seen[f"aten::{node.attr}"] = Severity.HIGH
                case ast.Attribute(value=ast.Name(id="ops"), attr=space):
                    if space == "aten" and node.attr in _FILES:
                        seen[f"aten::{node.attr}"] = Severity.HIGH
                    elif space not in _KNOWN_OPS:
                        seen[f"{space}::{node.attr}"] = Severity.MEDIUM
        elif isinstance(node, ast.Import | ast.ImportFrom):
            named = [a.name for a in node.names] if isinstance(node, ast.Import) else [node.module]
            for name in named:
                if not str(name).startswith("__torch__"):
                    seen[f"import {name}"] = Severity.HIGH
    for name, severity in seen.items():
        high = severity is Severity.HIGH
        yield Finding(
            rule="scan.torchscript-operator",
            severity=severity,
            what="TorchScript that reaches files or modules" if high else "a custom operator",
            found=_shown(name),
        )
