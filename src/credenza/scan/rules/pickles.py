"""Pickles: what they would look up and call when they are loaded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, final

from credenza.artifact.npy import MAGIC as NPY
from credenza.artifact.pickles import BrokenPickleError, Limits, Uses, interpret
from credenza.artifact.pickles.machine import is_opcode
from credenza.artifact.slices import Slice
from credenza.artifact.zips import is_zip
from credenza.findings import Finding, Severity, Unread, Where
from credenza.scan.interface import Piece, Said, Seen
from credenza.scan.pickles import PickleNames, Reading, dangers, judged, payloads, read, spoken
from credenza.scan.pickles.expansion import expands
from credenza.scan.pickles.judging import names_something
from credenza.scan.pickles.names import dangerous

SUFFIXES: Final = (".pkl", ".pickle", ".p", ".pck", ".pcl", ".pk", ".joblib", ".jbl", ".dill")
_TRIAL: Final = Limits(opcodes=100_000, objects=100_000, memo=1 << 63)
_SURE: Final = 4
"""So many opcodes behind the magic of a pickle are more than an accident."""
_MOST_STREAMS: Final = 8


@final
@dataclass(frozen=True, slots=True)
class Pickles:
    """Interprets pickles, and judges each name and each use of one by exact lists.

    Claimed are pieces that somebody says are pickles, by their name or by what they lie in, and all
    whose bytes are one as far as that they name something. ``allowed`` are names that the user
    takes the blame for, each as ``module.Name``.
    """

    allowed: frozenset[str] = frozenset()
    name: str = "pickle"

    def claims(self, piece: Piece) -> bool:
        head = piece.head(4)
        if not head or not is_opcode(head[0]) or (piece.said != Said.PICKLE and is_zip(piece)):
            return piece.said == Said.PICKLE
        return _is_said(piece) or self._is_one(piece, head)

    def examine(self, piece: Piece) -> Iterator[Seen]:
        names = PickleNames(self.allowed)
        found = read(piece, names)
        whole = piece.head(1) == b"\x80" and found.error is None
        yield from judged(found.uses, strictly=whole or _is_said(piece))
        yield from dangers(found.by_pickle)
        yield from _unread(found)
        yield from _behind(piece, found)
        if found.first is not None and expands(found.first.value):
            yield _laughs()
        yield from payloads(piece, found.uses, names)

    def _is_one(self, piece: Piece, head: bytes) -> bool:
        """True for bytes of which nothing but they themselves say that they are a pickle."""
        magic = head[0] == 0x80 and len(head) > 1 and head[1] <= 5
        uses = Uses(PickleNames(self.allowed))
        at = 0
        for _ in range(_MOST_STREAMS):
            try:
                at = interpret(piece, at, _TRIAL, joblib=True, uses=uses).stop
            except BrokenPickleError as e:
                if e.finding.rule == "artifact.pickle-frame":
                    return True
                if e.finding.rule == "artifact.pickle-limit":
                    return magic or bool(uses.looked_up) or names_something(piece)
                sure = magic and piece.said != Said.DATA and uses.opcodes > _SURE
                return sure or _speaks(uses, magic=magic)
            if magic or uses.looked_up or uses.misuses:
                return True
            if at >= piece.size:
                break
        return False


def _is_said(piece: Piece) -> bool:
    return piece.said == Said.PICKLE or (
        piece.said != Said.DATA and piece.path.lower().endswith(SUFFIXES)
    )


def _speaks(uses: Uses, *, magic: bool) -> bool:
    """True where bytes that break off have named something that a module could have.

    Behind no magic they must have called it, or it must be known to do harm: ``cat``, ``dog`` and
    ``bird`` on three lines look a name up, too.
    """
    named = spoken(uses)
    if magic:
        return bool(named)
    return any(n in uses.first_calls or dangerous(n.module, n.name) for n in named)


def _unread(found: Reading) -> Iterator[Finding | Unread]:
    """Where it breaks off; a finding where loaders then read different pickles."""
    error = found.error
    if error is None:
        return
    if found.two_ways:
        yield error.finding
    yield Unread(where=error.finding.where, why=error.finding.what)


def _laughs() -> Finding:
    what = "its references multiply to more than 2⁴⁰ when it is printed, hashed or copied"
    return Finding(rule="scan.pickle-expansion", severity=Severity.LOW, what=what)


def _behind(piece: Piece, found: Reading) -> Iterator[Seen]:
    """Bytes behind the pickles, and the pickles that are hidden in those."""
    for at in found.hidden:
        said = Slice(piece.content, at, piece.size - at)
        yield piece.member(f"bytes at {at}", said, said=Said.DATA)
    at_ = found.trailing
    if at_ is None or (piece.said == Said.DATA and not found.uses.looked_up):
        return  # or four numbers of an array look like a pickle of nothing
    rest = Slice(piece.content, at_, piece.size - at_)
    if rest.pread(0, min(len(NPY), rest.size)) == NPY:  # people write files of both
        yield piece.member(f"bytes at {at_}", rest)
        return
    what = "bytes follow the last pickle, which no unpickler reads"
    where = Where(start=at_, stop=piece.size)
    yield Finding(rule="artifact.pickle-trailing", severity=Severity.MEDIUM, what=what, where=where)
    yield Unread(where=where, why=what)
