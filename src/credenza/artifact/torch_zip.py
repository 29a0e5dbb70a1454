"""What ``torch.save`` has written since PyTorch 1.6, and ``torch.jit.save``: a ZIP archive.

One folder holds ``data.pkl``, a member ``data/KEY`` for each storage, ``version``,
``byteorder``; a TorchScript archive adds ``constants.pkl``, ``constants/KEY`` and source under
``code/`` (pytorch ``caffe2/serialize/inline_container.h``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final, final

from credenza.artifact.interface import Bytes
from credenza.artifact.model import File, Program, Region, Tensor
from credenza.artifact.pickle_tensors import Found, Places, find
from credenza.artifact.pickles import BrokenPickleError, Pickle, broken, interpret
from credenza.artifact.zips import Member, content, is_zip, members
from credenza.errors import MalformedError
from credenza.findings import Finding, Where

_SUFFIXES: Final = (".pt", ".pth", ".bin", ".ckpt", ".pkl", ".pickle", ".zip")
_NOTES: Final = frozenset({"version", "byteorder", ".format_version", ".storage_alignment"})
_SILENT: Final = frozenset({".data/serialization_id"})
_STORAGE: Final = re.compile(r"(data|constants)/([^/]+)")
_PICKLES: Final = (".pkl", ".debug_pkl", ".pickle")
_LONGEST_NOTE: Final = 256
_MAIN: Final = "data.pkl"


@final
@dataclass(frozen=True, slots=True)
class TorchZip:
    """Reads checkpoints and TorchScript archives.

    It also claims an archive that cannot be read, under any name that PyTorch uses, so that one
    that is broken on purpose is refused and not passed over.
    """

    def claims(self, file: Bytes) -> bool:
        if not is_zip(file):
            return False
        try:
            found = members(file)
        except MalformedError:
            return file.path.lower().endswith(_SUFFIXES)
        return any(m.name.count("/") == 1 and m.name.endswith(f"/{_MAIN}") for m in found)

    def read(self, file: Bytes) -> File:
        return _Archive.open(file).read()


@dataclass(frozen=True, slots=True)
class _Archive:
    """An archive whose members are known, by their names below its one folder."""

    file: Bytes
    prefix: str
    members: dict[str, Member]
    foreign: tuple[str, ...]

    @classmethod
    def open(cls, file: Bytes) -> _Archive:
        found = members(file)
        prefixes = [m.name.removesuffix(_MAIN) for m in found if m.name.endswith(f"/{_MAIN}")]
        if not prefixes or prefixes[0].count("/") != 1:
            raise broken("torch-layout", "no data.pkl in the archive's folder", _where(file))
        prefix = prefixes[0]
        own = {m.name.removeprefix(prefix): m for m in found if m.name.startswith(prefix)}
        foreign = tuple(m.name for m in found if not m.name.startswith(prefix))
        return cls(file, prefix, own, foreign)

    def read(self) -> File:
        programs = list(self._sources())
        try:
            pickles = self._pickles(programs)
            found = list(self._found(pickles))
        except BrokenPickleError as e:
            raise e.after(programs) from e
        tensors = [t for f in found for t in f.tensors]
        _check_names(tensors, self.file)
        used = frozenset(key for f in found for key in f.used)
        return File(
            path=self.file.path,
            size=self.file.size,
            format="torchscript" if "constants.pkl" in self.members else "torch",
            tensors=tuple(tensors),
            programs=tuple(programs),
            metadata=tuple(self._notes()),
            unread=(*(u for f in found for u in f.unread), *self._unread(used)),
        )

    def _sources(self) -> Iterator[Program]:
        """Source code in the archive: TorchScript's own, or a package's."""
        for name, member in self.members.items():
            if name.endswith(".py"):
                kind = "torchscript source" if name.startswith("code/") else "python source"
                yield Program(kind=kind, name=name, start=0, member=member.name)

    def _pickles(self, programs: list[Program]) -> dict[str, Pickle]:
        """Every pickle, interpreted; what they hold is added to ``programs`` as it is found."""
        pickles = {}
        for name, member in self.members.items():
            if not name.endswith(_PICKLES):
                continue
            inner = content(self.file, member)
            try:
                pickle = interpret(inner)
            except BrokenPickleError as e:
                programs += (replace(p, member=member.name) for p in e.programs)
                raise BrokenPickleError(_within(e, member)) from e
            programs += (replace(p, member=member.name) for p in pickle.programs)
            if pickle.stop != inner.size:
                what = f"bytes follow the pickle in {member.name}"
                raise broken("pickle-trailing", what, _where(self.file))
            pickles[name] = pickle
        return pickles

    def _found(self, pickles: dict[str, Pickle]) -> Iterator[Found]:
        """The tensors of data.pkl, and of constants.pkl under ``constants``."""
        for folder, prefix in (("data", ""), ("constants", "constants")):
            pickle = pickles.get(f"{folder}.pkl")
            if pickle is None:
                continue
            member = self.members[f"{folder}.pkl"]
            storages = self._storages(folder)
            places = Places(
                path=self.file.path,
                pickle=None if member.deflated else member.start,
                storages=storages,
                prefix=prefix,
                byteorder=self._byteorder(),
            )
            found = find(pickle, places)
            yield replace(found, used=frozenset(f"{folder}/{key}" for key in found.used))

    def _storages(self, folder: str) -> dict[str, Region]:
        matches = ((_STORAGE.fullmatch(name), m) for name, m in self.members.items())
        return {f[2]: m.region for f, m in matches if f is not None and f[1] == folder}

    def _byteorder(self) -> str:
        """``little`` or ``big``; archives before PyTorch 2.1 do not say, and are little."""
        order = dict(self._notes()).get("byteorder", "little")
        if order not in ("little", "big"):
            what = f"byte order {order!r}, where little or big is known"
            raise broken("torch-layout", what, _where(self.file))
        return order

    def _notes(self) -> Iterator[tuple[str, str]]:
        for name, member in self.members.items():
            if name in _NOTES and member.size <= _LONGEST_NOTE:
                note = content(self.file, member).pread(0, member.size)
                yield name, note.decode("ascii", "backslashreplace").strip()

    def _unread(self, used: frozenset[str]) -> Iterator[str]:
        """In words, each member that nothing above has read or referred to."""
        for name in self.members:
            if name in _NOTES | _SILENT | used or name.endswith((*_PICKLES, ".py")):
                continue
            if _STORAGE.fullmatch(name):
                yield f"{name}: a storage that no tensor read here refers to"
            else:
                yield f"{name}: a member of a kind that is not known"
        for name in self.foreign:
            yield f"{name}: a member outside the archive's folder {self.prefix}"


def _check_names(tensors: list[Tensor], file: Bytes) -> None:
    """No tensor of data.pkl is called as one of constants.pkl is."""
    names = [t.name for t in tensors]
    if len(set(names)) != len(names):
        raise broken("tensor-name-twice", "two tensors have one name", _where(file))


def _within(error: BrokenPickleError, member: Member) -> Finding:
    """The finding, with the member that its offset counts in."""
    return replace(error.finding, what=f"{error.finding.what}, in {member.name}")


def _where(file: Bytes) -> Where:
    return Where(file=file.path)
