"""Native code beside a model, under its own name or under another, and before or behind data."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, final

from credenza.errors import InputError
from credenza.findings import Finding, Severity, Where
from credenza.scan import executables
from credenza.scan.interface import Piece, Said, Seen

_WINDOW: Final = 64 << 10
_OPEN: Final = re.compile(
    r"\.(so(\.\d+)*|dylib|dll|pyd|exe|o|a|node|wasm|class|dex|llamafile|com|sys|lnk|ko|elf)$",
    re.IGNORECASE,
)
"""Names that say that they are native code."""
_PROMISING: Final = re.compile(
    r"\.(safetensors|npy|npz|gguf|onnx|tflite|h5|hdf5|keras|skops|msgpack|json|txt|md|csv|ya?ml|"
    r"toml|xml|html?|png|jpe?g|gif|wav|pdf|py|ipynb)$",
    re.IGNORECASE,
)
"""Names that promise that they are not."""
_ARCHIVES: Final = (b"PK\3\4", b"PK\5\6", b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"7z\xbc\xaf", b"Rar!")
"""What lies in them is looked at member by member."""


@final
@dataclass(frozen=True, slots=True)
class Native:
    """Looks for headers at the start of a piece, and in its first and last 64 KiB.

    A header counts where its fields agree with each other and with the size. What is openly named
    needs a person's eye; what bears another name is hidden.
    """

    name: str = "native code"

    def claims(self, piece: Piece) -> bool:
        if _OPEN.search(piece.path) is not None:
            return True
        try:
            return next(_found(piece), None) is not None
        except InputError:  # it became shorter: another rule will say so
            return False

    def examine(self, piece: Piece) -> Iterator[Seen]:
        named = _OPEN.search(piece.path)
        if named is not None:
            kind = executables.kind(piece.head(executables.HEAD), piece.size)
            yield Finding(
                rule="scan.native-code",
                severity=Severity.MEDIUM,
                what="native code, under a name that says so",
                found=kind or named[0].lower(),
            )
            return
        for at, kind in _found(piece):
            yield _embedded(at, kind) if at else _whole(kind, piece.path)


def _found(piece: Piece) -> Iterator[tuple[int, str]]:
    """Where an executable begins, and of which kind. Of an array's elements, the first alone."""
    size = piece.size
    head = piece.head(executables.HEAD if piece.said == Said.DATA else _WINDOW)
    whole = executables.kind(head[: executables.HEAD], size)
    if whole is not None:
        yield 0, whole
        return
    if piece.said == Said.DATA or head.startswith(_ARCHIVES) or head[257:262] == b"ustar":
        return
    yield from executables.inside(head[1:], 1, size)
    tail = max(len(head), size - _WINDOW)
    if tail < size:
        yield from executables.inside(piece.pread(tail, size - tail), tail, size)


def _whole(kind: str, path: str) -> Finding:
    return Finding(
        rule="scan.native-hidden",
        severity=Severity.CRITICAL if _PROMISING.search(path) else Severity.HIGH,
        what="native code, under a name that does not say so",
        where=Where(start=0),
        found=kind,
    )


def _embedded(at: int, kind: str) -> Finding:
    return Finding(
        rule="scan.native-hidden",
        severity=Severity.HIGH,
        what="native code lies within the file",
        where=Where(start=at),
        found=kind,
    )
