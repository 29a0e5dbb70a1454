"""Decrypting: into private memory, into a folder, or a few tensors alone."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable
from pathlib import Path

from credenza.artifact.folder import SEAL_NAME
from credenza.artifact.paths import check_path
from credenza.attest import Trust, Verified
from credenza.errors import InputError
from credenza.files import folder_whole, write_out
from credenza.seal.contents import Contents, Sealed, VerifiedBytes, private_memory
from credenza.seal.encryption.layout import Buffer, Record, batches, each, streams
from credenza.seal.encryption.opening import Opened, open_record, opened, without_path
from credenza.seal.encryption.recipients import Identity
from credenza.seal.reading import Progress
from credenza.seal.tree import SealedFile, Segment
from credenza.seal.verifying import wanted


def read(
    path: Path | str,
    trust: Trust,
    identity: Identity,
    *,
    tensors: Collection[str] | None = None,
    progress: Progress | None = None,
) -> Verified[VerifiedBytes]:
    """Decrypt a model into private memory: exactly what `credenza.seal.read` gives for a plain one.

    Each record's tag is checked, then its bytes against the signed seal; with ``tensors`` only the
    segments that the tensors of these names view are read. Raises `AlteredError` where the model is
    not what was encrypted or not what was sealed, `NotRecipientError` where it is not for
    ``identity``, `UntrustedError` where no trusted key sealed it, `InputError` where something
    cannot be read, or for a tensor that the seal does not know.
    """
    with opened(Path(path), trust, identity) as model:
        segments = list(wanted(model.sealed.value.seal, tensors))
        contents = decrypted(model, segments, progress=progress)
    names = None if tensors is None else frozenset(tensors)
    return model.sealed.replaced(VerifiedBytes(model.sealed.value, contents, names))


def decrypt(
    path: Path | str,
    trust: Trust,
    identity: Identity,
    out: Path | str,
    *,
    progress: Progress | None = None,
) -> Verified[Sealed]:
    """Write a model back as it was encrypted, its seal too; gives the seal, of the model written.

    A model that was a folder becomes the folder ``out``; one that was a file becomes a file of its
    own name in ``out``. Files are readable by their owner alone. ``out`` gets its name when
    everything in it was verified and synced. Raises as `read` does, `InputError` where ``out``
    exists already or cannot be written, and `MalformedError` for a name that no file may have.
    """
    out = Path(out)
    with opened(Path(path), trust, identity) as model, folder_whole(out, mode=0o700) as aside:
        files = model.sealed.value.seal.files
        if model.is_file and len(files) != 1:
            raise InputError(f"{path}: a model of one file expected, {len(files)} files found")
        for file in files:
            check_path(file.path)
            (aside / file.path).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(_created(aside / file.path))
        seal_name = f"{files[0].path}.seal" if model.is_file else SEAL_NAME
        _write_seal(aside / seal_name, model.seal_data)
        _write_files(model, aside, progress)
    return without_path(model.sealed, out / files[0].path if model.is_file else out)


def decrypted(
    model: Opened,
    segments: Iterable[tuple[SealedFile, Segment]],
    *,
    progress: Progress | None = None,
) -> Contents:
    """Segments in private memory. Raises as `read` does."""
    contents = {(file.path, s.start): private_memory(s.size) for file, s in segments}

    def place(record: Record) -> memoryview:
        memory = contents[record.run.file.path, record.run.segment.start]
        return memory[record.first : record.first + record.size]

    only = batches(model.sealed.value.seal, model.first, contents.keys())
    _each_record(model, only, place, None, progress)
    return contents


def _each_record(
    model: Opened,
    all_batches: Iterable[list[Record]],
    place: Callable[[Record], memoryview],
    done: Callable[[Record, memoryview], object] | None,
    progress: Progress | None,
) -> None:
    """Decrypt and check each record where ``place`` says; then call ``done``, from any thread."""
    stream_of, buffer = streams(model.key, model.sealed.value.seal.root), Buffer()

    def work(batch: list[Record]) -> None:
        begin = batch[0].at
        cipher = buffer.take(batch[-1].stop - begin)
        model.payload.fill(cipher, begin)
        for record in batch:
            into = place(record)
            data = cipher[record.at - begin : record.stop - begin]
            open_record(model, record, stream_of(record.run), data, into)
            if done is not None:
                done(record, into)
            if progress is not None:
                progress(record.size)

    each(work, all_batches)


def _write_files(model: Opened, folder: Path, progress: Progress | None) -> None:
    buffer = Buffer()

    def write(record: Record, plain: memoryview) -> None:
        handle = os.open(folder / record.run.file.path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            write_out(handle, plain, record.run.segment.start + record.first)
        finally:
            os.close(handle)

    all_batches = batches(model.sealed.value.seal, model.first)
    _each_record(model, all_batches, lambda r: buffer.take(r.size), write, progress)


def _write_seal(path: Path, data: bytes) -> None:
    handle = _created(path)
    try:
        write_out(handle, memoryview(data), 0)
    finally:
        os.close(handle)


def _created(path: Path) -> int:
    return os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
