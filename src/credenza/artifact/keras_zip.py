"""``.keras``: what Keras 3 saves, a ZIP archive of ``config.json``, ``metadata.json`` and weights.

The weights are HDF5, ``model.weights.h5``, and a model that is saved in shards has several such
members (``keras/src/saving/saving_lib.py``). ``assets/`` holds what layers keep beside weights.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final, final

from credenza.artifact import hdf5, json_text
from credenza.artifact.interface import Bytes
from credenza.artifact.keras_config import programs_of
from credenza.artifact.model import File, Program, Tensor
from credenza.artifact.pickles import BrokenPickleError, broken
from credenza.artifact.zips import Member, content, is_zip, members
from credenza.errors import MalformedError
from credenza.findings import Where

_SUFFIX: Final = ".keras"
_CONFIG: Final = "config.json"
_METADATA: Final = "metadata.json"
_WEIGHTS: Final = "model.weights.h5"
_PROGRAMS: Final = (
    ".py",
    ".pyc",
    ".so",
    ".dylib",
    ".dll",
    ".sh",
    ".pkl",
    ".pickle",
    ".joblib",
    ".pt",
)
"""Names of members that run when something loads them; Keras itself writes none of them."""


@final
@dataclass(frozen=True, slots=True)
class Keras:
    """Reads a .keras archive: what its configuration names, and the tensors of its weights.

    A tensor's name is its path in the weights; in a member of another name than
    ``model.weights.h5``, behind that member's name.
    """

    def claims(self, file: Bytes) -> bool:
        if not is_zip(file):
            return False
        if file.path.lower().endswith(_SUFFIX):
            return True
        try:
            names = {m.name for m in members(file)}
        except MalformedError:
            return False
        return {_CONFIG, _METADATA} <= names

    def read(self, file: Bytes) -> File:
        found = {m.name: m for m in members(file)}
        if _CONFIG not in found:
            raise broken("keras-layout", "no config.json in the archive", Where(file=file.path))
        programs: list[Program] = []
        try:
            programs += _config(file, found[_CONFIG])
            return _read(file, found, programs)
        except BrokenPickleError as e:
            raise e.after(programs) from e


def _read(file: Bytes, found: dict[str, Member], programs: list[Program]) -> File:
    """The file; ``programs`` is filled as they are found, and stays so if this raises."""
    tensors: list[Tensor] = []
    unread: list[str] = []
    for name, member in found.items():
        if name.lower().endswith(_PROGRAMS):
            programs.append(Program(kind="archived program", name=name, start=0, member=name))
        elif name.endswith(hdf5.SUFFIXES):
            weights = hdf5.contents(content(file, member), member.region)
            programs += (replace(p, member=name) for p in weights.programs)
            prefix = "" if name == _WEIGHTS else f"{name}/"
            tensors += (replace(t, name=prefix + t.name) for t in weights.tensors)
            unread += (f"{name}: {u}" for u in weights.unread)
        elif name not in (_CONFIG, _METADATA):
            unread.append(f"{name}: a member of a kind that is not known")
    return File(
        path=file.path,
        size=file.size,
        format="keras",
        tensors=tuple(tensors),
        programs=tuple(programs),
        metadata=tuple(_metadata(file, found)),
        unread=tuple(unread),
    )


def _config(file: Bytes, member: Member) -> list[Program]:
    return programs_of(file, _text(file, member), 0, member.name)


def _metadata(file: Bytes, found: dict[str, Member]) -> Iterator[tuple[str, str]]:
    """Who wrote the model, and when, as strings by name."""
    member = found.get(_METADATA)
    if member is None:
        return
    value: Any = json_text.parse(file, _text(file, member), member.start, "keras-config")
    if isinstance(value, dict):
        yield from ((name, v) for name, v in value.items() if isinstance(v, str))


def _text(file: Bytes, member: Member) -> str:
    """A member that is text."""
    inner = content(file, member, json_text.LONGEST)
    if inner.size > json_text.LONGEST:
        what = f"{member.name} is too long to be a configuration"
        raise broken("keras-config", what, Where(file=file.path, start=member.start))
    try:
        return inner.pread(0, inner.size).decode("utf-8")
    except UnicodeDecodeError as e:
        where = Where(file=file.path, start=member.start + e.start)
        raise broken("keras-config", f"{member.name} is not UTF-8", where) from e
