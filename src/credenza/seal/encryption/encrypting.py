"""Encrypting a sealed model: what is encrypted are the bytes that were verified, read once."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from credenza.artifact.folder import open_bytes
from credenza.attest import Trust, Verified
from credenza.errors import AlteredError, InputError, MalformedError
from credenza.files import check_free, folder_whole, write_out
from credenza.seal.contents import Sealed
from credenza.seal.differences import report
from credenza.seal.digests import u
from credenza.seal.encryption.header import Header
from credenza.seal.encryption.layout import (
    PREAMBLE,
    Buffer,
    Record,
    batches,
    each,
    runs,
    stream_size,
    streams,
)
from credenza.seal.encryption.opening import FILE, FOLDER, check_chunks
from credenza.seal.encryption.recipients import Recipient
from credenza.seal.encryption.refusals import PAYLOAD_NAME
from credenza.seal.encryption.stream import NO_ROOT, RECORD, TAG, DataKey, Stream
from credenza.seal.reading import Progress
from credenza.seal.signing import seal_bytes, seal_path, verified_seal
from credenza.seal.verifying import check_listing


def encrypt(
    path: Path | str,
    trust: Trust,
    recipients: Sequence[Recipient],
    out: Path | str,
    *,
    progress: Progress | None = None,
) -> Verified[Sealed]:
    """Verify a sealed model, and write it to the folder ``out``, encrypted to each recipient.

    The model is read once: what is encrypted are the very bytes that were verified. ``out`` gets
    its name when it is complete and synced. Raises as `credenza.seal.verify` does, and
    `InputError` where there is no recipient, or ``out`` exists already or cannot be written.
    """
    path, out = Path(path), Path(out)
    check_free(out)
    data = seal_bytes(path)
    sealed = verified_seal(data, path, trust, where=seal_path(path))
    if path.is_dir() and path.resolve() in out.resolve().parents:
        raise InputError(f"{out} is inside the model; a place outside of it expected")
    check_listing(sealed.value)
    key = DataKey.new()
    header = Header.of(key, recipients)
    with folder_whole(out) as aside:
        header.write(aside)
        handle = os.open(aside / PAYLOAD_NAME, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
        try:
            metadata = (FOLDER if path.is_dir() else FILE) + data
            _write(sealed.value, key, metadata, handle, progress)
        finally:
            os.close(handle)
        check_listing(sealed.value)  # what was added meanwhile
    return sealed


def _write(
    sealed: Sealed, key: DataKey, metadata: bytes, handle: int, progress: Progress | None
) -> None:
    """All streams of the payload."""
    seal = sealed.seal
    first = PREAMBLE + stream_size(len(metadata))
    total = first + sum(run.nbytes for run in runs(seal, first))
    _write_small(key.stream(0, NO_ROOT, 1), u(len(metadata)) + u(total), handle, 0)
    count = -(-len(metadata) // RECORD)
    _write_small(key.stream(1, NO_ROOT, count), metadata, handle, PREAMBLE)
    stream_of = streams(key, seal.root)
    plain, sealed_buffer = Buffer(), Buffer()

    def work(batch: list[Record]) -> None:
        begin = batch[0].at
        cipher = sealed_buffer.take(batch[-1].stop - begin)
        for record in batch:
            piece = plain.take(record.size)
            _read(sealed, record, piece)
            check_chunks(sealed, record, piece)
            into = cipher[record.at - begin : record.stop - begin]
            stream_of(record.run).seal(record.index, piece, into)
            if progress is not None:
                progress(record.size)
        write_out(handle, cipher, begin)

    each(work, batches(seal, first))


def _read(sealed: Sealed, record: Record, into: memoryview) -> None:
    file, segment = record.run.file, record.run.segment
    try:
        with open_bytes(sealed.path, file.path) as opened:
            opened.fill(into, segment.start + record.first)
    except MalformedError as e:  # a file that became something else since it was listed
        raise AlteredError(report(sealed, [e.finding])) from e


def _write_small(stream: Stream, plain: bytes, handle: int, at: int) -> None:
    for i, first in enumerate(range(0, len(plain), RECORD)):
        piece = plain[first : first + RECORD]
        cipher = memoryview(bytearray(len(piece) + TAG))
        stream.seal(i, piece, cipher)
        write_out(handle, cipher, at + i * (RECORD + TAG))
