"""Names against contents: what a name promises, and what lies under it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, final

from credenza.artifact.promises import FORMAT_OF_NAME
from credenza.errors import CredenzaError
from credenza.findings import Finding, Severity, Where
from credenza.scan.interface import Piece, Said, Seen

_TRIAL: Final = 20_000
"""Opcodes, for what only looks as if it might be a pickle."""
_BEGINNINGS: Final = frozenset(b"\x80(.012FGIJKLMNPQRSTUVX]abcdeghijlopqrstu}")
"""With which a pickle can begin."""
_TEXTS: Final = (
    *(".json", ".jsonl", ".txt", ".md", ".csv", ".tsv", ".yaml", ".yml", ".toml", ".ini", ".cfg"),
    *(".xml", ".html", ".rst", ".jinja", ".vocab", ".merges", ".py", ".ipynb", ".sh"),
)
_MEDIA: Final = (".png", ".jpg", ".jpeg", ".gif", ".webp", ".wav", ".mp3", ".mp4", ".pdf", ".svg")
_PROMISES: Final = {
    **FORMAT_OF_NAME,
    **dict.fromkeys(_TEXTS, "text"),
    **dict.fromkeys(_MEDIA, "media"),
}
"""By suffix. ``.bin``, ``.pt``, ``.pth``, ``.ckpt``, ``.pkl``, ``.model`` and ``.dat`` promise
nothing: every loader has put something else there."""

_KEEPS: Final = {
    "npz": {"zip"},
    "keras": {"zip", "hdf5"},  # Keras 2 wrote HDF5 under that name, too
    "skops": {"zip"},
    "media": {"text"},  # of SVG
}
"""The contents, by the words below, that keep a promise under another name than its own."""

_CONTENTS: Final = (
    (0, b"PK\3\4", "zip", Severity.HIGH),
    (0, b"PK\5\6", "zip", Severity.HIGH),
    (257, b"ustar", "tar", Severity.HIGH),
    (0, b"7z\xbc\xaf\x27\x1c", "7z", Severity.HIGH),
    (0, b"Rar!\x1a\x07", "rar", Severity.HIGH),
    (0, b"\x1f\x8b\x08", "gzip", Severity.MEDIUM),
    (0, b"BZh", "bzip2", Severity.MEDIUM),
    (0, b"\xfd7zXZ\0", "xz", Severity.MEDIUM),
    (0, b"\x28\xb5\x2f\xfd", "zstd", Severity.MEDIUM),
    (0, b"\x04\x22\x4d\x18", "lz4", Severity.MEDIUM),
    (0, b"\x93NUMPY", "npy", Severity.LOW),
    (0, b"GGUF", "gguf", Severity.LOW),
    (0, b"\x89HDF\r\n\x1a\n", "hdf5", Severity.LOW),
    (4, b"TFL3", "tflite", Severity.LOW),
)
"""What begins like that, and how much it weighs under a name that promises another thing: archives
are opened by loaders that go by content, and can hold pickles."""

_RUN: Final = r"exe|scr|com|pif|bat|cmd|ps1|vbs|vbe|js|jse|wsf|hta|msi|lnk|jar|dll|sh|command"
_READ: Final = (
    r"pt|pth|bin|ckpt|safetensors|onnx|h5|keras|gguf|pkl|npy|npz|tflite|json|txt|md|csv|pdf|png|"
    r"jpe?g|gif|docx?|xlsx?|zip|yaml|yml"
)
_DOUBLE: Final = re.compile(rf"\.({_READ})\s*\.({_RUN})$|\s{{4,}}\.({_RUN})$", re.IGNORECASE)
_TURNED: Final = re.compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069]")


@final
@dataclass(frozen=True, slots=True)
class Names:
    """Claims only what bears a false name: to any other it says nothing."""

    name: str = "false name"

    def claims(self, piece: Piece) -> bool:
        try:
            return next(self.examine(piece), None) is not None
        except CredenzaError:  # what cannot be read, the rule for its format says
            return False

    def examine(self, piece: Piece) -> Iterator[Seen]:
        if piece.said == Said.DATA:
            return
        yield from _disguised(piece)
        lower = piece.path.lower()
        suffix = next((s for s in _PROMISES if lower.endswith(s)), None)
        if suffix is not None:
            yield from _broken(piece, _PROMISES[suffix])


def _disguised(piece: Piece) -> Iterator[Finding]:
    name = piece.path.rpartition("/")[2]
    double = _DOUBLE.search(name)
    if double is not None:
        yield Finding(
            rule="scan.name-disguise",
            severity=Severity.HIGH,
            what="a name that reads as data and is started as a program",
            found=re.sub(r"\s+", " ", double[0]),
        )
    turned = _TURNED.search(piece.path) if piece.inside else None  # of a file, the listing says it
    if turned is not None:
        yield Finding(
            rule="scan.name-disguise",
            severity=Severity.HIGH,
            what="a name that is shown otherwise than it is written",  # CVE-2021-42574
            found=f"U+{ord(turned[0]):04X}",
        )


def _broken(piece: Piece, promised: str) -> Iterator[Finding]:
    """What lies under a name that promises another thing."""
    content, severity = _content(piece, text=promised == "text")
    if content in ("", promised) or content in _KEEPS.get(promised, ()):
        return
    runs = " and can run code" if severity >= Severity.HIGH else ""
    yield Finding(
        rule="artifact.false-name",
        severity=severity,
        what=f"the name promises what the content is not{runs}",
        where=Where(start=0),
        expected=promised,
        found=content,
    )


def _content(piece: Piece, *, text: bool) -> tuple[str, Severity]:
    """What a piece is, and how much that weighs where it was not promised."""
    if _is_pickle(piece, text=text):
        return "pickle", Severity.HIGH
    head = piece.head(512)
    for at, magic, content, severity in _CONTENTS:
        if head[at : at + len(magic)] == magic:
            return content, severity
    if head[8:9] == b"{" and 2 <= int.from_bytes(head[:8], "little") <= piece.size - 8:
        return "safetensors", Severity.LOW
    return "", Severity.NOTE


def _is_pickle(piece: Piece, *, text: bool) -> bool:
    """Whether the whole is a pickle, or calls something before it breaks off.

    A text, which can be one by chance, must call something.
    """
    head = piece.head(4)
    if len(head) < 2 or head[0] not in _BEGINNINGS or head in (b"PK\3\4", b"PK\5\6"):
        return False
    from credenza.artifact.pickles import BrokenPickleError, Limits, interpret  # takes 30 ms

    try:
        pickle = interpret(piece, limits=Limits(opcodes=_TRIAL), joblib=True)
    except BrokenPickleError as e:
        return e.calls > 0
    return pickle.calls > 0 or (not text and pickle.stop == piece.size)
