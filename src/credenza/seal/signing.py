"""Making a seal, writing it beside the model, and reading it back from there."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from credenza.artifact import SEAL_NAME, Artifact
from credenza.attest import Statement, Trust, Verified, sign
from credenza.attest.bundle import Bundle
from credenza.attest.statement import Signer
from credenza.errors import InputError, UnsealedError, UntrustedError
from credenza.files import locked, read_whole, write_whole
from credenza.seal import sealing, wire
from credenza.seal.contents import Sealed
from credenza.seal.digests import Algorithm
from credenza.seal.reading import Progress
from credenza.seal.tree import Seal

if TYPE_CHECKING:
    from credenza.seal.cache import Cache

LARGEST_SEAL = 2**30
ENCRYPTED_NAME = "credenza.encrypted"
"""The file that makes a folder an encrypted model; see `credenza.seal.encryption`."""


def seal(
    artifact: Artifact,
    *signers: Signer,
    algorithm: Algorithm = Algorithm.BLAKE3,
    now: dt.datetime | None = None,
    cache: Cache | None = None,
    progress: Progress | None = None,
) -> Seal:
    """Seal a model as it is on disk now, and write the seal beside it (`seal_path`).

    An earlier seal is replaced in one step. With a ``cache``, files that it knows are not read.
    Raises `InputError` where there is no signer, or where a file cannot be read or the seal not be
    written; the earlier seal is kept then.
    """
    if not signers:
        raise InputError("seal: at least one signer expected, none given")
    from credenza.artifact import open as open_artifact  # with all readers, which verifying spares

    taken = sealing.take(artifact, algorithm=algorithm, cache=cache, progress=progress)
    if open_artifact(artifact.path, ignore=artifact.ignored) != artifact:
        raise InputError(f"{artifact.path}: it changed while it was being sealed; nothing written")
    statement = wire.to_statement(
        taken, artifact.path.resolve().name, now or dt.datetime.now(dt.UTC)
    )
    written = seal_path(artifact.path)
    with locked(written.parent):
        write_whole(written, bytes(sign(statement, signers)))
    return taken


def read_seal(path: Path | str, trust: Trust) -> Verified[Sealed]:
    """The seal of a model, with all that was said about it, held against what the trust demands.

    The model itself is not looked at. Raises as `verify` does, except `AlteredError`.
    """
    path = Path(path)
    return verified_seal(seal_bytes(path), path, trust, where=seal_path(path))


def seal_bytes(path: Path) -> bytes:
    """What stands beside a model; nothing of it is verified.

    Raises `InputError` where there is no model, `UnsealedError` where there is no seal, and
    `UntrustedError` where something else is in its place.
    """
    if not path.exists():
        raise InputError(f"{path}: a model's file or folder expected, there is none")
    if (path / ENCRYPTED_NAME).exists():
        raise UnsealedError(f"{path} is encrypted: the key of a recipient is needed to read it")
    place = seal_path(path)
    if not place.exists():
        raise UnsealedError(
            f"{path} has no seal ({place} expected)",
            hint="credenza seal MODEL --key KEY makes one",
        )
    if not place.is_file():
        raise UntrustedError(f"{place} is no seal: a regular file expected, another kind found")
    return read_whole(place, limit=LARGEST_SEAL)


def read_bundle(path: Path) -> Bundle:
    """What was said of a model, beside it; nothing of it is verified. Raises as `seal_bytes`."""
    data = seal_bytes(path)
    with _refused(seal_path(path)):
        return Bundle.parse(data)


def verified_seal(data: bytes, path: Path, trust: Trust, *, where: Path) -> Verified[Sealed]:
    """The seal in ``data``, which was read from ``where``, of the model at ``path``.

    Raises `UntrustedError`, or a leaf of it, where it is no seal, or not what the trust demands.
    """
    with _refused(where):
        bundle = Bundle.parse(data)
    statement, sealed = opened(path, bundle, trust, where=where)
    return trust.judge(statement, sealed.sealed_at, bundle.others).replaced(sealed)


def opened(
    path: Path, bundle: Bundle, trust: Trust, *, where: Path | None = None
) -> tuple[Verified[Statement], Sealed]:
    """The seal in a bundle, signed by somebody who may; how many it takes was not asked yet.

    Raises as `read_seal` does.
    """
    with _refused(where or seal_path(path)):
        statement = trust.verify(bundle.seal)
        seal_, sealed_at = wire.from_statement(statement.value)
    return statement, Sealed(path, statement.value.subjects[0].name, seal_, sealed_at)


@contextlib.contextmanager
def _refused(where: Path) -> Iterator[None]:
    """What is no seal is a refusal, not a question that could not be answered."""
    try:
        yield
    except InputError as e:
        raise UntrustedError(f"{where} is no seal: {e}") from e


def seal_path(path: Path) -> Path:
    """Where the seal of a model is: in its folder, or beside its file."""
    return path / SEAL_NAME if path.is_dir() else path.with_name(path.name + ".seal")
