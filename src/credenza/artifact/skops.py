"""``.skops``: a scikit-learn model as ``skops.io.dump`` writes it, a ZIP archive without pickles.

``schema.json`` is a tree of nodes, each of which names a class that loading looks up and builds
(``__module__``, ``__class__``, ``__loader__``); arrays are .npy members, sparse matrices .npz
members (``skops/io/_numpy.py``, ``_scipy.py``).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import Any, Final, final

from credenza.artifact import json_text
from credenza.artifact.interface import Bytes
from credenza.artifact.model import File, Program, Tensor
from credenza.artifact.npy import MOST_HEADER, Content, contents, holds_objects, read_header
from credenza.artifact.npz import Npz
from credenza.artifact.pickles import BrokenPickleError, broken
from credenza.artifact.pickles.lists import allowed
from credenza.artifact.zips import Member, content, is_zip, members, opening
from credenza.errors import MalformedError
from credenza.findings import Where

_SUFFIX: Final = ".skops"
_SCHEMA: Final = "schema.json"
_LONGEST_PATH: Final = 1024
_TRANSPARENT: Final = "content"
"""The key under which a node keeps what it holds; left out of names, as pickles' keys are."""
_NUMBERS: Final = frozenset(
    f"{kind}{bits}" for kind in ("int", "uint", "float", "complex") for bits in (8, 16, 32, 64, 128)
) | {"bool", "bool_"}


@final
@dataclass(frozen=True, slots=True)
class Skops:
    """Reads a .skops archive: every class that its schema names, and its arrays.

    An array's name is its path in the schema (``steps.0.1.mean_``).
    """

    def claims(self, file: Bytes) -> bool:
        if not is_zip(file):
            return False
        if file.path.lower().endswith(_SUFFIX):
            return True
        try:
            return any(m.name == _SCHEMA for m in members(file))
        except MalformedError:
            return False

    def read(self, file: Bytes) -> File:
        found = {m.name: m for m in members(file)}
        if _SCHEMA not in found:
            raise broken("skops-layout", "no schema.json in the archive", Where(file=file.path))
        schema = _Schema(file, found)
        try:
            return schema.read()
        except BrokenPickleError as e:
            raise e.after(schema.programs) from e


@dataclass(slots=True)
class _Schema:
    """A schema, and what has been found through it."""

    file: Bytes
    members: dict[str, Member]
    programs: list[Program] = field(default_factory=list)
    tensors: dict[str, Tensor] = field(default_factory=dict)
    unread: list[str] = field(default_factory=list)
    contents: dict[str, tuple[Content, ...]] = field(default_factory=dict)

    def read(self) -> File:
        text = self._text(self.members[_SCHEMA])
        tree = json_text.parse(self.file, text, self.members[_SCHEMA].start, "skops-schema")
        if not isinstance(tree, dict):
            where = Where(file=self.file.path, start=self.members[_SCHEMA].start)
            found = type(tree).__name__
            raise broken("skops-schema", "no node", where, expected="an object", found=found)
        files: list[tuple[str, str]] = []
        types: dict[tuple[str, str], None] = {}
        for path, node in _nodes(self.file, tree):
            module, class_ = node.get("__module__"), node.get("__class__")
            if isinstance(class_, str):
                types[module if isinstance(module, str) else "", class_] = None
            if isinstance(node.get("file"), str):
                files.append((path, node["file"]))
        self.programs += _types(text, types)
        for path, name in files:
            self._file(path, name)
        self.unread += (
            f"{name}: a member to which the schema does not refer"
            for name in self.members
            if name not in self.contents and name != _SCHEMA
        )
        return File(
            path=self.file.path,
            size=self.file.size,
            format="skops",
            tensors=tuple(self.tensors.values()),
            programs=tuple(self.programs),
            metadata=tuple(_versions(tree)),
            unread=tuple(self.unread),
        )

    def _text(self, member: Member) -> str:
        inner = content(self.file, member, json_text.LONGEST)
        where = Where(file=self.file.path, start=member.start)
        if inner.size > json_text.LONGEST:
            raise broken("skops-schema", f"{member.name} is too long to be a schema", where)
        try:
            return inner.pread(0, inner.size).decode("utf-8")
        except UnicodeDecodeError as e:
            raise broken("skops-schema", f"{member.name} is not UTF-8", where) from e

    def _file(self, path: str, name: str) -> None:
        """What a node's member holds, under the node's path."""
        member = self.members.get(name)
        if member is None:
            where = Where(file=self.file.path, tensor=path)
            what = "the schema refers to a member that is not there"
            raise broken("skops-layout", what, where, expected=name)
        if name not in self.contents:
            self.contents[name] = tuple(self._contents(member))
            self.programs += (p for c in self.contents[name] for p in c.programs)
        for found in self.contents[name]:
            if found.unread:
                self.unread.append(f"{path}: {found.unread}")
            if found.tensor is not None:
                self._tensor(path, name, found.tensor)

    def _tensor(self, path: str, name: str, tensor: Tensor) -> None:
        own = PurePosixPath(name).stem == tensor.name
        full = path if own else f"{path}.{tensor.name}"
        if full in self.tensors:
            where = Where(file=self.file.path, tensor=full)
            raise broken("tensor-name-twice", "two tensors have one name", where)
        self.tensors[full] = replace(tensor, name=full)

    def _contents(self, member: Member) -> Iterator[Content]:
        """The arrays in a member; of a sparse matrix, its parts."""
        stem = PurePosixPath(member.name).stem
        if member.name.endswith(".npy"):
            inner = opening(self.file, member, MOST_HEADER + 12)
            if holds_objects(read_header(inner).descr):
                inner = content(self.file, member)
            found = contents(inner, member.region, stem)
            programs = tuple(replace(p, member=member.name) for p in found.programs)
            yield replace(found, programs=programs)
        elif member.name.endswith(".npz") and not member.deflated:
            yield from self._sparse(member)
        else:
            yield Content(unread=f"{member.name}, a member of a kind that is not read")

    def _sparse(self, member: Member) -> Iterator[Content]:
        found = Npz().read(content(self.file, member))
        for tensor in found.tensors:
            region = tensor.region
            start, stop = member.start + region.start, member.start + region.stop
            yield Content(tensor=replace(tensor, region=replace(region, start=start, stop=stop)))
        for unread in found.unread:
            yield Content(unread=unread)
        yield Content(programs=tuple(replace(p, member=member.name) for p in found.programs))


def _nodes(file: Bytes, tree: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every object of a schema with its path, in the order of the schema."""
    todo: list[tuple[str, Iterator[tuple[str, Any]]]] = [("", iter([("", tree)]))]
    while todo:
        above, rest = todo[-1]
        part, value = next(rest, ("", None))
        if value is None:
            todo.pop()
            continue
        path = _joined(above, part)
        if len(path) > _LONGEST_PATH:
            what = f"a path of more than {_LONGEST_PATH} characters"
            raise broken("skops-schema", what, Where(file=file.path))
        if isinstance(value, dict):
            yield path or "array", value
        todo.append((path, _below(value)))


def _below(value: Any) -> Iterator[tuple[str, Any]]:
    """What a node or list holds that is a node or list itself, each with its part of the name."""
    parts = value.items() if isinstance(value, dict) else enumerate(value)
    return ((str(part), v) for part, v in parts if isinstance(v, dict | list))


def _joined(path: str, part: str) -> str:
    if part in ("", _TRANSPARENT):
        return path
    return f"{path}.{part}" if path else part


def _types(text: str, types: dict[tuple[str, str], None]) -> Iterator[Program]:
    """The types that a schema names, each once, where its class first stands."""
    places = json_text.places(text, {class_ for _, class_ in types})
    for module, class_ in types:
        known = allowed(module, class_) is not None or (module == "numpy" and class_ in _NUMBERS)
        name = f"{module}.{class_}" if module else class_
        start = places.get(class_, 0)
        yield Program(kind="skops type", name=name, start=start, member=_SCHEMA, allowed=known)


def _versions(tree: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Who wrote the schema, and by which protocol."""
    for name in ("_skops_version", "protocol"):
        if isinstance(tree.get(name), str | int):
            yield name, str(tree[name])
