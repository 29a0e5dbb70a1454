"""Writing files so that a refused, full or killed run leaves the old one or the new one whole."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from credenza.errors import InputError


def write_whole(path: Path, data: bytes, *, mode: int = 0o644, replace: bool = True) -> None:
    """Write ``data`` aside, sync it, and only then give it its name.

    With ``replace`` false an existing file is kept. Raises `InputError` where the file exists and
    is to be kept, or cannot be written; nothing is left behind then.
    """
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        aside = Path(name)
        try:
            with os.fdopen(handle, "wb") as out:
                os.fchmod(out.fileno(), mode)
                out.write(data)
                out.flush()
                os.fsync(out.fileno())
            if replace:
                aside.replace(path)
            else:
                path.hardlink_to(aside)  # unlike a rename, it fails where the name is taken
        finally:
            aside.unlink(missing_ok=True)
        _sync_folder(path.parent)
    except FileExistsError as e:
        raise InputError(f"{path} exists already, and is kept") from e
    except OSError as e:
        raise InputError(f"{path} cannot be written: {e.strerror}") from e


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def read_whole(path: Path, *, limit: int) -> bytes:
    """All of a small file.

    Raises `InputError` where it cannot be read, or holds more than ``limit`` bytes.
    """
    try:
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except OSError as e:
        raise InputError(f"{path} cannot be read: {e.strerror}") from e
    if len(data) > limit:
        raise InputError(f"{path}: at most {limit} bytes expected, more found")
    return data
