"""Any other pickle: its programs, and the NumPy arrays in it as byte ranges of the file."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, final

from credenza.artifact.interface import Bytes
from credenza.artifact.model import File, Program, Tensor
from credenza.artifact.pickle_tensors import Places, find
from credenza.artifact.pickles import BrokenPickleError, Limits, Pickle, broken, interpret
from credenza.artifact.zips import is_zip
from credenza.findings import Where

SUFFIXES: Final = (".pkl", ".pickle", ".p", ".joblib")
_TRIAL: Final = Limits(opcodes=100_000)
"""For a file that only looks as if it might be one: text fails within a few opcodes."""
_OPCODES: Final = frozenset(b"(.012FGIJKLMNPQRSTUVX]abcdeghijlopqrstu}")
_MOST_STREAMS: Final = 1000


@final
@dataclass(frozen=True, slots=True)
class PickleFile:
    """Reads a pickle, or several one behind the other.

    From protocol 2 on a pickle begins with 0x80 and the protocol. Older ones have no magic:
    those are claimed where the whole file is a pickle, whatever its name, and always by the
    names ``.pkl``, ``.pickle``, ``.p`` and ``.joblib``, if their first byte is an opcode. Arrays
    that joblib has put between the opcodes make it a file of joblib's.
    """

    def claims(self, file: Bytes) -> bool:
        head = file.pread(0, min(2, file.size))
        if len(head) < 2 or is_zip(file):  # P is an opcode too, and PK is a magic
            return False
        named = file.path.lower().endswith(SUFFIXES)
        if named and (head[0] == 0x80 or head[0] in _OPCODES):
            return True
        return looks_like_one(file)

    def read(self, file: Bytes) -> File:
        return read_pickles(file, pickle_at=0)


def read_pickles(file: Bytes, pickle_at: int | None) -> File:
    """What a file of pickles holds, whose byte 0 is ``pickle_at`` of the file on disk.

    None where the pickles on disk are compressed: then no array is a run of its bytes.
    Raises as `interpret` and `find` do.
    """
    pickles = _streams(file)
    programs = tuple(p for pickle in pickles for p in pickle.programs)
    try:
        tensors, unread = _tensors(file, pickles, pickle_at)
    except BrokenPickleError as e:
        raise e.after(programs) from e
    return File(
        path=file.path,
        size=file.size,
        format="joblib" if any(pickle.arrays for pickle in pickles) else "pickle",
        tensors=tensors,
        programs=programs,
        metadata=(("protocol", str(pickles[0].protocol)), ("pickles", str(len(pickles)))),
        unread=unread,
    )


def looks_like_one(file: Bytes) -> bool:
    """True for what begins as a pickle of protocol 2 or higher, or of a lower one is one."""
    head = file.pread(0, min(3, file.size))
    if head[:1] == b"\x80":
        # NUL is no opcode, and what follows in safetensors with a header of 128 + 256 n bytes
        return len(head) > 1 and head[1] <= 5 and head[2:] != b"\0"
    return bool(head) and head[0] in _OPCODES and _parses(file)


def _parses(file: Bytes) -> bool:
    """True where the bytes are one pickle to the end, or call something before they are not.

    A name looked up is too little: ``cat``, ``dog`` and ``bird`` on three lines look one up.
    """
    try:
        pickle = interpret(file, limits=_TRIAL, joblib=True)
    except BrokenPickleError as e:
        return e.calls > 0 or e.finding.rule == "artifact.pickle-limit"
    return pickle.stop == file.size or pickle.calls > 0


def _streams(file: Bytes) -> list[Pickle]:
    """Every pickle of the file. A loader may read on behind the first, so all are read."""
    pickles: list[Pickle] = []
    at = 0
    while at < file.size:
        found = tuple(p for pickle in pickles for p in pickle.programs)
        if len(pickles) >= _MOST_STREAMS:
            what = f"more than {_MOST_STREAMS} pickles one behind the other"
            raise broken("pickle-limit", what, Where(file=file.path, start=at), programs=found)
        try:
            pickles.append(interpret(file, at, joblib=True))
        except BrokenPickleError as e:
            raise _broken_stream(file, at, e, found) from e
        at = pickles[-1].stop
    if not pickles:
        raise broken("pickle-truncated", "pickle: the file is empty", Where(file=file.path))
    return pickles


def _broken_stream(
    file: Bytes, at: int, error: BrokenPickleError, found: tuple[Program, ...]
) -> BrokenPickleError:
    """The error as it is for the first pickle; behind it, bytes that are no pickle."""
    programs = (*found, *error.programs)
    if at == 0:
        return error
    what = f"bytes behind the pickle that are no pickle: {error.finding.what}"
    where = Where(file=file.path, start=at, stop=file.size)
    return broken("pickle-trailing", what, where, programs=programs)


def _tensors(
    file: Bytes, pickles: list[Pickle], pickle_at: int | None
) -> tuple[tuple[Tensor, ...], tuple[str, ...]]:
    """The arrays of all pickles; of several, each under the number of its pickle."""
    tensors: list[Tensor] = []
    unread: list[str] = []
    places = Places(path=file.path, pickle=pickle_at, storages=None, whole="array")
    for number, pickle in enumerate(pickles):
        prefix = f"pickle{number}" if len(pickles) > 1 else ""
        found = find(pickle, replace(places, prefix=prefix))
        tensors += found.tensors
        unread += found.unread
    return tuple(tensors), tuple(unread)
