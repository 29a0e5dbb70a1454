"""Making a seal, writing it beside the model, and reading it back from there."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Iterator
from pathlib import Path

from credenza.artifact import SEAL_NAME, Artifact
from credenza.attest import Trust, Verified, sign
from credenza.attest.bundle import Bundle
from credenza.attest.statement import Signer
from credenza.errors import InputError, UnsealedError, UntrustedError
from credenza.files import locked, read_whole, write_whole
from credenza.seal import sealing, wire
from credenza.seal.contents import Sealed
from credenza.seal.digests import Algorithm
from credenza.seal.reading import Progress
from credenza.seal.tree import Seal

LARGEST_SEAL = 2**30


def seal(
    artifact: Artifact,
    *signers: Signer,
    algorithm: Algorithm = Algorithm.BLAKE3,
    now: dt.datetime | None = None,
    progress: Progress | None = None,
) -> Seal:
    """Seal a model as it is on disk now, and write the seal beside it (`seal_path`).

    An earlier seal is replaced in one step. Raises `InputError` where there is no signer, or
    where a file cannot be read or the seal not be written; the earlier seal is kept then.
    """
    if not signers:
        raise InputError("seal: at least one signer expected, none given")
    from credenza.artifact import open as open_artifact  # with all readers, which verifying spares

    taken = sealing.take(artifact, algorithm=algorithm, progress=progress)
    if open_artifact(artifact.path) != artifact:
        raise InputError(f"{artifact.path}: it changed while it was being sealed; nothing written")
    statement = wire.to_statement(
        taken, artifact.path.resolve().name, now or dt.datetime.now(dt.UTC)
    )
    written = seal_path(artifact.path)
    with locked(written.parent):
        write_whole(written, bytes(sign(statement, signers)))
    return taken


def read_seal(path: Path | str, trust: Trust, *, unfinished: bool = False) -> Verified[Sealed]:
    """The seal of a model, with all that was said about it, held against what the trust demands.

    The model itself is not looked at. With ``unfinished``, what is missing still is no refusal: for
    who is about to add to it. Raises as `verify` does, except `AlteredError`.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"{path}: a model's file or folder expected, there is none")
    return judged(path, read_bundle(path), trust, unfinished=unfinished)


def read_bundle(path: Path) -> Bundle:
    """What stands beside a model; nothing of it is verified.

    Raises `UnsealedError` where there is nothing, `UntrustedError` where it is no bundle.
    """
    if not seal_path(path).exists():
        raise UnsealedError(
            f"{path} has no seal ({seal_path(path)} expected)",
            hint="credenza seal MODEL --key KEY makes one",
        )
    data = read_whole(seal_path(path), limit=LARGEST_SEAL)
    with _refused(path):
        return Bundle.parse(data)


def judged(path: Path, bundle: Bundle, trust: Trust, *, unfinished: bool) -> Verified[Sealed]:
    """The seal that a bundle holds, for the model at that path. Raises as `read_seal` does."""
    with _refused(path):
        statement = trust.verify(bundle.seal)
        seal_, sealed_at = wire.from_statement(statement.value)
    name = statement.value.subjects[0].name
    held = trust.judge(statement, sealed_at, bundle.others, unfinished=unfinished)
    return held.replaced(Sealed(path, name, seal_, sealed_at))


@contextlib.contextmanager
def _refused(path: Path) -> Iterator[None]:
    """What is no seal is a refusal, not a question that could not be answered."""
    try:
        yield
    except InputError as e:
        raise UntrustedError(f"{seal_path(path)} is no seal: {e}") from e


def seal_path(path: Path) -> Path:
    """Where the seal of a model is: in its folder, or beside its file."""
    return path / SEAL_NAME if path.is_dir() else path.with_name(path.name + ".seal")
