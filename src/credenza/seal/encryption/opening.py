"""Opening an encrypted model: its header, its seal, and the place of its records."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from credenza.artifact.folder import open_bytes
from credenza.artifact.open_file import OpenFile
from credenza.attest import Trust, Verified
from credenza.errors import AlteredError
from credenza.seal.contents import Sealed
from credenza.seal.digests import Algorithm
from credenza.seal.encryption.header import Header
from credenza.seal.encryption.layout import PREAMBLE, Record, Run, runs, stream_size
from credenza.seal.encryption.recipients import Identity
from credenza.seal.encryption.refusals import PAYLOAD_NAME, chunk_refused, payload_refused
from credenza.seal.encryption.stream import NO_ROOT, RECORD, TAG, DataKey, NotOpenedError, Stream
from credenza.seal.signing import LARGEST_SEAL, verified_seal

FOLDER, FILE = b"\0", b"\1"


@dataclass(frozen=True, slots=True)
class Opened:
    """An encrypted model whose seal was verified; its weights are still encrypted.

    ``seal_data`` is the seal file as it was, ``first`` the payload's first byte of a segment.
    """

    path: Path
    key: DataKey
    payload: OpenFile
    sealed: Verified[Sealed]
    seal_data: bytes
    is_file: bool
    first: int


@contextlib.contextmanager
def opened(path: Path, trust: Trust, identity: Identity) -> Iterator[Opened]:
    """Open the encrypted model at ``path``.

    Raises `InputError` where there is none or it cannot be read, `NotRecipientError` where it is
    not for ``identity``, `AlteredError` where its header or payload is not what was written,
    `UntrustedError` where no trusted key signed the seal in it.
    """
    header = Header.read(path)
    key = header.unwrap(identity, path)
    with open_bytes(path, PAYLOAD_NAME) as payload:
        metadata = _metadata(path, key, payload)
        kind, seal_data = metadata[:1], metadata[1:]
        first = PREAMBLE + stream_size(len(metadata))
        if kind not in (FOLDER, FILE):
            what = "a model that is neither a file nor a folder"
            raise AlteredError(payload_refused(path, what, PREAMBLE, first))
        sealed = verified_seal(seal_data, path, trust, where=path / PAYLOAD_NAME)
        end = first
        for run in runs(sealed.value.seal, first):
            end = run.at + run.nbytes
        _check_size(path, end, payload.size)
        yield Opened(path, key, payload, sealed, seal_data, kind == FILE, first)


def open_record(
    opened: Opened, record: Record, stream: Stream, data: memoryview, into: memoryview
) -> None:
    """Decrypt a record into ``into``, and hold it against the seal while it is in the cache.

    Raises `AlteredError` where it is not the record of that place, or not what was sealed; what is
    in ``into`` is worthless then.
    """
    try:
        stream.open(record.index, data, into)
    except NotOpenedError as e:
        what = f"a record of {record.run.file.path} does not open under the model's key"
        raise AlteredError(payload_refused(opened.path, what, record.at, record.stop)) from e
    check_chunks(opened.sealed.value, record, into)


def check_chunks(sealed: Sealed, record: Record, plain: memoryview) -> None:
    """Raises `AlteredError` unless a record's bytes are those that were sealed."""
    run: Run = record.run
    segment = run.segment
    make = Algorithm.maker(sealed.seal.algorithm, "chunk")
    first = record.first // segment.chunk
    for i in range(-(-record.size // segment.chunk)):
        hasher = make()
        hasher.update(plain[i * segment.chunk : (i + 1) * segment.chunk])
        found, index = hasher.digest(), first + i
        if found != segment.chunks[index * 32 : (index + 1) * 32]:
            report = chunk_refused(sealed, run.file, segment, index, found)
            raise AlteredError(report)


def without_path(sealed: Verified[Sealed], path: Path) -> Verified[Sealed]:
    """The same seal, of the model at another path."""
    return sealed.replaced(replace(sealed.value, path=path))


def _metadata(path: Path, key: DataKey, payload: OpenFile) -> bytes:
    """Streams 0 and 1: sizes, then the seal."""
    if payload.size < PREAMBLE:
        _check_size(path, PREAMBLE, payload.size)
    sizes = _read(path, payload, key.stream(0, NO_ROOT, 1), 0, 16)
    size, total = int.from_bytes(sizes[:8], "little"), int.from_bytes(sizes[8:], "little")
    _check_size(path, total, payload.size)
    if not 1 <= size <= 1 + LARGEST_SEAL or PREAMBLE + stream_size(size) > total:
        what = f"a seal of {size} bytes cannot be in it"
        raise AlteredError(payload_refused(path, what, 0, PREAMBLE))
    return _read(path, payload, key.stream(1, NO_ROOT, -(-size // RECORD)), PREAMBLE, size)


def _read(path: Path, payload: OpenFile, stream: Stream, at: int, size: int) -> bytes:
    """The plaintext of a whole small stream, which begins at ``at``."""
    plain = bytearray(size)
    for i, first in enumerate(range(0, size, RECORD)):
        piece = memoryview(plain)[first : first + RECORD]
        start = at + i * (RECORD + TAG)
        data = payload.pread(start, len(piece) + TAG)
        try:
            stream.open(i, data, piece)
        except NotOpenedError as e:
            what = "a record before the weights does not open under the model's key"
            report = payload_refused(path, what, start, start + len(data))
            raise AlteredError(report) from e
    return bytes(plain)


def _check_size(path: Path, expected: int, found: int) -> None:
    if found != expected:
        what, least = "the payload has another size", min(expected, found)
        report = payload_refused(
            path,
            what,
            least,
            max(expected, found),
            expected=f"{expected} bytes",
            found=f"{found} bytes",
        )
        raise AlteredError(report)
