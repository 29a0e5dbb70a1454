"""Making a seal, writing it beside the model, and reading it back from there."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING

from credenza.artifact import SEAL_NAME, Artifact
from credenza.attest import Envelope, Trust, Verified, sign
from credenza.attest.statement import Signer
from credenza.errors import InputError, UnsealedError, UntrustedError
from credenza.files import read_whole, write_whole
from credenza.seal import sealing, wire
from credenza.seal.contents import Sealed
from credenza.seal.digests import Algorithm
from credenza.seal.reading import Progress
from credenza.seal.tree import Seal

if TYPE_CHECKING:
    from credenza.seal.cache import Cache

LARGEST_SEAL = 2**30


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
    Raises `InputError` where there is no signer, or
    where a file cannot be read or the seal not be written; the earlier seal is kept then.
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
    write_whole(seal_path(artifact.path), bytes(sign(statement, signers)))
    return taken


def read_seal(path: Path | str, trust: Trust) -> Verified[Sealed]:
    """The seal of a model, its signature checked. The model itself is not looked at.

    Raises as `verify` does, except `AlteredError`.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"{path}: a model's file or folder expected, there is none")
    if not seal_path(path).exists():
        raise UnsealedError(
            f"{path} has no seal ({seal_path(path)} expected)",
            hint="credenza seal MODEL --key KEY makes one",
        )
    data = read_whole(seal_path(path), limit=LARGEST_SEAL)
    try:
        statement = trust.verify(Envelope.parse(data))
        seal_, sealed_at = wire.from_statement(statement.value)
    except InputError as e:
        raise UntrustedError(f"{seal_path(path)} is no seal: {e}") from e
    name = statement.value.subjects[0].name
    return statement.replaced(Sealed(path, name, seal_, sealed_at))


def seal_path(path: Path) -> Path:
    """Where the seal of a model is: in its folder, or beside its file."""
    return path / SEAL_NAME if path.is_dir() else path.with_name(path.name + ".seal")
