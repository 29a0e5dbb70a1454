"""YAML: tags that make Python objects, and what configurations have a loader import.

The events of libyaml's parser are read. Nothing is constructed, and what an alias stands for is
looked at once, where it is written out, so that none multiplies.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, final

import yaml

from credenza.findings import Finding, Severity, Unread, Where
from credenza.scan.configs import Members
from credenza.scan.configs.checks import looked_at, matters
from credenza.scan.configs.members import finding, is_under
from credenza.scan.configs.names import names
from credenza.scan.interface import Piece, Said, Seen
from credenza.scan.kept import Kept

_LONGEST: Final = 1 << 20
_LONGEST_SLOW: Final = 1 << 17
"""In bytes, where PyYAML was built without libyaml."""
_DEEPEST: Final = 200
_MOST_SEEN: Final = 200
_FRONT: Final = re.compile(rb"\n(?:---|\.\.\.)[ \t]*(?:\r?\n|\Z)")
_TAG: Final = "tag:yaml.org,2002:"
_PLAIN: Final = frozenset(
    ("null", "bool", "int", "float", "str", "seq", "map", "binary", "timestamp", "omap", "set")
) | frozenset(("pairs", "merge", "value"))
_LOADER: Final[Any] = getattr(yaml, "CBaseLoader", yaml.BaseLoader)


@final
@dataclass(frozen=True, slots=True)
class YamlConfigs:
    """Reads every document of a YAML file, in a form that keeps names that are given twice.

    Of a file of another name that begins as YAML does, the first document is read: pages in
    Markdown have such a front, and go on as what they are.
    """

    name: str = "yaml"

    def claims(self, piece: Piece) -> bool:
        if piece.said == Said.DATA:
            return False
        return _is_named(piece) or piece.head(5).startswith(
            (b"%YAML", b"---\n", b"---\r", b"--- !")
        )

    def examine(self, piece: Piece) -> Iterator[Seen]:
        most = _LONGEST if hasattr(yaml, "CBaseLoader") else _LONGEST_SLOW
        if piece.size > most:
            yield Unread(where=Where(), why=f"YAML of {piece.size} bytes, over {most}")
            return
        named, text = _is_named(piece), piece.pread(0, piece.size)
        reading = _Reading()
        why = reading.read(text if named else _FRONT.split(text, maxsplit=1)[0])
        yield from reading.kept.seen
        if why and named:
            yield Unread(where=Where(), why=why)


def _is_named(piece: Piece) -> bool:
    path = piece.path.lower()
    return path.endswith((".yaml", ".yml")) or path.rpartition("/")[2] == "mlmodel"


@dataclass(slots=True)
class _Open:
    """A collection that is being read: its members, or its names and values in turn."""

    is_map: bool
    anchor: str | None
    parts: list[Any] = field(default_factory=list)

    def closed(self) -> Any:
        if not self.is_map:
            return self.parts
        pairs = zip(self.parts[::2], self.parts[1::2], strict=False)
        return Members([(k if isinstance(k, str) else "", v) for k, v in pairs])


class _Reading:
    def __init__(self) -> None:
        self.kept = Kept(_MOST_SEEN)
        self.open: list[_Open] = []
        self.anchors: dict[str, Any] = {}

    def read(self, data: bytes) -> str:
        """Look at all of it; why that did not reach the end, or nothing."""
        try:
            for event in yaml.parse(data, Loader=_LOADER):
                if len(self.open) > _DEEPEST:
                    return f"collections nest more than {_DEEPEST} deep"
                self._event(event)
        except (yaml.YAMLError, ValueError) as e:
            return f"it is not YAML to its end: {_problem(e)}"[:200]
        return ""

    def _event(self, event: Any) -> None:
        if getattr(event, "tag", None):
            self._tagged(str(event.tag))
        match event:
            case yaml.ScalarEvent():
                self._add(event.value, event.anchor)
            case yaml.AliasEvent():
                self._add(self.anchors.get(event.anchor), None)
            case yaml.SequenceStartEvent():
                self.open.append(_Open(is_map=False, anchor=event.anchor))
            case yaml.MappingStartEvent():
                self.open.append(_Open(is_map=True, anchor=event.anchor))
            case yaml.SequenceEndEvent() | yaml.MappingEndEvent():
                closing = self.open.pop()
                value = closing.closed()
                if isinstance(value, Members) and matters(value):
                    for seen in looked_at(value):
                        self.kept.add(seen)
                self._add(value, closing.anchor)

    def _add(self, value: Any, anchor: str | None) -> None:
        if anchor is not None:
            self.anchors[anchor] = value
        if self.open:
            self.open[-1].parts.append(value)

    def _tagged(self, tag: str) -> None:
        kind = tag.removeprefix(_TAG)
        if kind in _PLAIN or tag == "!":
            return
        if kind.startswith("python/"):
            self.kept.add(_python(kind))
        elif not tag.startswith(_TAG):
            what = "it has a tag of its own, for which a loader must have a constructor"
            self.kept.add(finding("yaml-tag", Severity.LOW, what, tag))
        else:
            what = "it has a tag that YAML has not"
            self.kept.add(finding("yaml-tag", Severity.MEDIUM, what, kind))


def _python(kind: str) -> Finding:
    form, _, name = kind.removeprefix("python/").partition(":")
    if form in ("tuple", "str", "unicode", "int", "long", "float", "complex", "bool", "none"):
        what = "it has a tag for a plain value of Python's"
        return finding("yaml-tag", Severity.LOW, what, kind)
    if form in ("list", "dict", "bytes"):
        return finding("yaml-tag", Severity.LOW, "it has a tag for a plain value", kind)
    calls = form in ("object/apply", "object/new", "module") or is_under(name, names("dangerous"))
    what = "an unsafe loader would call, build or import what it names"
    return finding("yaml-tag", Severity.CRITICAL if calls else Severity.HIGH, what, kind)


def _problem(error: yaml.YAMLError | ValueError) -> str:
    """What a parser complains of, on one line and without the name that it gives its input."""
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        return f"{error.problem} in line {error.problem_mark.line + 1}"
    return " ".join(str(error).split())
