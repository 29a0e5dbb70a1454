"""A model's files, and which of them a signature is about."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from credenza.artifact.folder import SEAL_NAME, files, open_bytes
from credenza.errors import InputError
from credenza.seal.oms import ignoring


@dataclass(frozen=True, slots=True)
class Left:
    """A file that is not signed, and the entry that leaves it out; an empty one: none does."""

    path: str
    entry: str


def present(subject: Path) -> dict[str, int]:
    """The model's files and their sizes in bytes, our own seal among them.

    Raises `InputError` and `MalformedError` as `artifact.files` does.
    """
    found = {file.path: file.size for file in files(subject)}
    if subject.is_dir() and (subject / SEAL_NAME).exists():
        with open_bytes(subject, SEAL_NAME) as seal:
            found[SEAL_NAME] = seal.size
    return found


def inside(subject: Path, signature: Path) -> tuple[str, ...]:
    """The signature's path in the model's folder, as an entry to leave out; none elsewhere."""
    try:
        root, path = os.path.realpath(subject), os.path.realpath(signature)
    except ValueError as e:  # a NUL: such a path cannot even be asked for
        raise InputError(f"{str(signature)!a} cannot be a path: {e}") from e
    if not subject.is_dir() or not path.startswith(root.rstrip(os.sep) + os.sep):
        return ()
    return (os.path.relpath(path, root).replace(os.sep, "/"),)


def check_entries(entries: Collection[str]) -> None:
    """Refuse what section 6.2.1 forbids in a list of paths to leave out. Raises `InputError`."""
    for entry in entries:
        parts = entry.split("/")
        if any(c in entry for c in "*?[\\") or any(p in ("", ".", "..") for p in parts):
            raise InputError(
                f"ignore: a path below the model's top expected, {entry!a} given",
                hint="paths are relative to MODEL, joined by /, without wildcards",
            )


def left_out(found: Mapping[str, int], entries: Collection[str]) -> tuple[Left, ...]:
    """The files that one of ``entries`` leaves out, sorted."""
    known = set(entries)
    covered = ((path, ignoring.covering(path, known)) for path in sorted(found))
    return tuple(Left(path, entry) for path, entry in covered if entry is not None)
