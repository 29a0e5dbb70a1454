"""``.npz``: a ZIP archive of ``.npy`` files, one for each array (``numpy.savez``)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, final

from credenza.artifact.interface import Bytes
from credenza.artifact.model import File, Program
from credenza.artifact.npy import MOST_HEADER, Content, contents, holds_objects, read_header
from credenza.artifact.pickles import BrokenPickleError, broken
from credenza.artifact.zips import Member, content, is_zip, members, opening
from credenza.errors import MalformedError
from credenza.findings import Where

_SUFFIX: Final = ".npy"


@final
@dataclass(frozen=True, slots=True)
class Npz:
    """Reads archives whose members are all .npy files, stored or deflated.

    A tensor is called as its member is, without ``.npy``. One that cannot be read as an archive
    is claimed by the name ``.npz``.
    """

    def claims(self, file: Bytes) -> bool:
        if not is_zip(file):
            return False
        if file.path.lower().endswith(".npz"):
            return True
        try:
            found = members(file)
        except MalformedError:
            return False
        return bool(found) and all(m.name.endswith(_SUFFIX) for m in found)

    def read(self, file: Bytes) -> File:
        found: list[Content] = []
        for member in members(file):
            try:
                found.append(_member(file, member))
            except BrokenPickleError as e:
                before = (p for c in found for p in c.programs)
                inside = BrokenPickleError(e.finding, _in_member(e.programs, member))
                raise inside.after(before) from e
        return File(
            path=file.path,
            size=file.size,
            format="npz",
            tensors=tuple(c.tensor for c in found if c.tensor),
            programs=tuple(p for c in found for p in c.programs),
            unread=tuple(c.unread for c in found if c.unread),
        )


def _member(file: Bytes, member: Member) -> Content:
    """What one array is. Only an array of objects is inflated beyond its header."""
    if not member.name.endswith(_SUFFIX):
        where = Where(file=file.path, start=member.start, stop=member.stop)
        raise broken("npz-layout", f"{member.name} is no .npy file", where)
    name = member.name.removesuffix(_SUFFIX)
    inner = opening(file, member, MOST_HEADER + 12)
    if holds_objects(read_header(inner).descr):
        inner = content(file, member)
    found = contents(inner, member.region, name)
    return replace(found, programs=_in_member(found.programs, member))


def _in_member(programs: tuple[Program, ...], member: Member) -> tuple[Program, ...]:
    return tuple(replace(p, member=member.name) for p in programs)
