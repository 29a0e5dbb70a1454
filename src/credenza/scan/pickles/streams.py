"""Every pickle of a file, by every way in which some loader would read it."""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass, field, replace
from typing import Final

from credenza.artifact.interface import Bytes
from credenza.artifact.pickles import (
    BrokenPickleError,
    Frames,
    Limits,
    Names,
    Pickle,
    Uses,
    broken,
    interpret,
)
from credenza.artifact.torch_legacy import MAGIC, PROTOCOL, TorchLegacy
from credenza.findings import Where
from credenza.scan.pickles.judging import plausible

OPCODES: Final = 5_000_000
"""Opcodes of one file: some seconds, and what a vocabulary of a million words takes."""
_OBJECTS: Final = 500_000
_BYTES_PER_OBJECT: Final = 24
MOST_STREAMS: Final = 20_000
_CANDIDATE: Final = re.compile(
    rb"\x80[\x02-\x05](?=[\x80-\x97()}\]a-zA-Z])|c[\w.]{1,80}\n[\w.]{1,80}\n"
)
_TRIAL: Final = Limits(opcodes=2000, objects=2000)
_MOST_CANDIDATES: Final = 200
_SEARCHED: Final = 16 << 20
_CHUNK: Final = 1 << 20


@dataclass(slots=True)
class Reading:
    """What one file of pickles holds.

    ``uses`` has seen all that the file's own loaders would read, ``by_pickle`` what pickle would in
    the place of joblib, where these differ; ``pickles`` are those that were read to their
    STOP. ``error`` is where the first that was not breaks, and ``two_ways`` is true where loaders
    read it differently. Bytes from ``trailing`` on are no pickle; None where there are none.
    ``hidden`` are the places of further pickles in them that name something.
    """

    uses: Uses
    by_pickle: Uses
    pickles: int = 0
    error: BrokenPickleError | None = None
    two_ways: bool = False
    trailing: int | None = None
    hidden: list[int] = field(default_factory=list)
    first: Pickle | None = None


def limits(size: int) -> Limits:
    """What reading a file of that size may cost: time and, with the objects, memory."""
    objects = _OBJECTS + size // _BYTES_PER_OBJECT
    return Limits(opcodes=OPCODES, objects=objects, memo=1 << 63)


def read(file: Bytes, names: Names, most: Limits | None = None) -> Reading:
    """Every pickle in ``file``, one behind the other, each with a memo of its own."""
    found = Reading(Uses(names), Uses(names))
    most = most or limits(file.size)
    at, values = 0, list[Pickle]()
    if not file.size:
        where = Where(file=file.path)
        found.error = broken("pickle-truncated", "pickle: there is none in 0 bytes", where)
    while at < file.size:
        if found.pickles >= MOST_STREAMS or found.uses.opcodes > most.opcodes:
            found.error = _too_many(file, at)
            break
        pickle = _one(file, at, found, most)
        if pickle is None:
            break
        found.pickles += 1
        found.first = found.first or pickle
        at = pickle.stop
        values = [*values, pickle] if len(values) < 5 else values
        if len(values) == 5 and _is_legacy(values):
            _storages(file, at, found)
            break
    return found


def _too_many(file: Bytes, at: int) -> BrokenPickleError:
    what = "pickle: more of them, or of opcodes, one behind the other than are read"
    return broken("pickle-limit", what, Where(file=file.path, start=at))


def _one(file: Bytes, at: int, found: Reading, most: Limits) -> Pickle | None:
    """The pickle at byte ``at``; None where there is none to its end, which ``found`` then says."""
    before = len(found.uses.looked_up), found.uses.calls, len(found.uses.misuses)
    try:
        pickle = interpret(file, at, most, joblib=True, uses=found.uses)
    except BrokenPickleError as e:
        named = before != (len(found.uses.looked_up), found.uses.calls, len(found.uses.misuses))
        if e.finding.rule == "artifact.pickle-frame":
            found.two_ways = True
            _other_readings(file, at, found, most)
        elif found.pickles and not named and not _begins(file, at):
            _behind(file, at, found)
            return None
        found.error = e
        return None
    if any(m.between for m in found.uses.misuses[before[2] :]):
        _without_joblib(file, at, found, most)
    return pickle


def _begins(file: Bytes, at: int) -> bool:
    """True where a pickle of protocol 2 or higher begins."""
    head = file.pread(at, min(2, file.size - at))
    return len(head) == 2 and head[0] == 0x80 and 2 <= head[1] <= 5


def _other_readings(file: Bytes, at: int, found: Reading, most: Limits) -> None:
    """What the two other loaders of CPython see of a pickle whose frames do not fit."""
    most = replace(most, opcodes=most.opcodes // 4)
    for frames in (Frames.THROUGH, Frames.SKIP):
        with contextlib.suppress(BrokenPickleError):
            interpret(file, at, most, joblib=True, uses=found.uses, frames=frames)


def _without_joblib(file: Bytes, at: int, found: Reading, most: Limits) -> None:
    """What pickle sees where joblib reads an array's bytes: opcodes, which soon break off."""
    with contextlib.suppress(BrokenPickleError):
        interpret(file, at, most, uses=found.by_pickle)


# --- torch's stacked format ------------------------------------------------------------------


def _is_legacy(pickles: list[Pickle]) -> bool:
    """True for the head of the stacked format; a magic that is computed counts, and is a call."""
    magic, protocol = pickles[0].value, pickles[1].value
    return protocol == PROTOCOL and (magic == MAGIC or pickles[0].calls > 0)


def _storages(file: Bytes, at: int, found: Reading) -> None:
    """Storages follow the five pickles to the end of the file, or something is behind them."""
    try:
        TorchLegacy().read(file)
    except BrokenPickleError as e:
        found.error = e
        found.hidden = hidden(file, at, found.uses.names)


# --- what follows a pickle ---------------------------------------------------------------------


def _behind(file: Bytes, at: int, found: Reading) -> None:
    """Bytes behind STOP that are no pickle: fillings are no more than that."""
    if not _is_filling(file, at):
        found.trailing = at
        found.hidden = hidden(file, at, found.uses.names)


def _is_filling(file: Bytes, at: int) -> bool:
    """True for zeros, or white space, up to the end."""
    for start in range(at, file.size, _CHUNK):
        if file.pread(start, min(_CHUNK, file.size - start)).strip(b"\0 \t\r\n"):
            return False
    return True


def hidden(file: Bytes, at: int, names: Names) -> list[int]:
    """Where in the first `_SEARCHED` bytes from ``at`` a pickle stands that names something."""
    places: list[int] = []
    tried = 0
    for start in range(at, min(file.size, at + _SEARCHED), _CHUNK):
        piece = file.pread(start, min(_CHUNK + 256, file.size - start))
        for match in _CANDIDATE.finditer(piece):
            tried += 1
            if tried > _MOST_CANDIDATES:
                return places
            if _names_something(file, start + match.start(), names):
                places.append(start + match.start())
    return list(dict.fromkeys(places))


def _names_something(file: Bytes, at: int, names: Names) -> bool:
    """True for a pickle that calls a name that is not allowed, before it breaks or stops."""
    uses = Uses(names)
    with contextlib.suppress(BrokenPickleError):
        interpret(file, at, _TRIAL, uses=uses)
    return any(plausible(g) for g in uses.first_calls)
