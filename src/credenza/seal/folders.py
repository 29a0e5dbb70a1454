"""A verified copy of a model, for what loads by path and cannot be handed bytes."""

from __future__ import annotations

import contextlib
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from credenza.attest import Trust
from credenza.errors import InputError
from credenza.seal.reading import Progress
from credenza.seal.signing import read_seal
from credenza.seal.tree import Seal
from credenza.seal.verifying import compare, who_sealed


@contextlib.contextmanager
def verified_folder(
    path: Path | str,
    trust: Trust,
    *,
    within: Path | None = None,
    progress: Progress | None = None,
) -> Iterator[Path]:
    """A private, read-only copy of a model, made of the very bytes that were verified.

    For libraries that load by path, such as ``AutoModel.from_pretrained``: the model itself could
    be exchanged between being verified and being loaded, the copy lies in a folder that only this
    user can enter. It is made below ``within`` (the system's folder for temporary files, which may
    be memory), has the model's name, and is removed at the end of the ``with`` statement. The
    result is the copy's path: a folder, or a file where the model is one.

    Raises as `credenza.verify` does, and `InputError` where the copy cannot be written.
    """
    sealed = read_seal(path, trust)
    top = _made(within)
    try:
        name = Path(path).resolve().name
        single = not Path(path).is_dir()
        copy = top if single else top / name
        _lay_out(sealed.value.seal, copy)
        compare(sealed.value, copy_to=copy, sealer=who_sealed(sealed), progress=progress)
        _close(copy)
        yield copy / name if single else copy
    finally:
        _remove(top)


def _made(within: Path | None) -> Path:
    try:
        return Path(tempfile.mkdtemp(prefix="credenza-", dir=within))  # mode 0700
    except OSError as e:
        raise InputError(f"no folder can be made in {within or tempfile.gettempdir()}: {e}") from e


def _lay_out(seal: Seal, copy: Path) -> None:
    """Each file of the seal with its size, without its bytes."""
    try:
        for file in seal.files:
            place = copy / file.path
            place.parent.mkdir(parents=True, exist_ok=True)
            with place.open("xb") as empty:
                empty.truncate(file.size)
    except OSError as e:
        raise InputError(f"{copy} cannot be written: {e.strerror}") from e


def _close(copy: Path) -> None:
    """Take away the right to write."""
    for path in [copy, *copy.rglob("*")]:
        path.chmod(0o500 if path.is_dir() else 0o400)


def _remove(top: Path) -> None:
    for folder in [top, *(path for path in top.rglob("*") if path.is_dir())]:
        folder.chmod(stat.S_IRWXU)
    shutil.rmtree(top)
