"""Scripts of shells and of others: what a person or a set-up starts by its name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, final

from credenza.findings import Finding, Severity, Where
from credenza.scan.interface import Piece, Seen

SUFFIXES: Final = (
    *(".sh", ".bash", ".zsh", ".bat", ".cmd", ".ps1", ".psm1", ".vbs", ".vbe", ".js", ".jse"),
    *(".mjs", ".wsf", ".hta", ".command", ".scpt", ".pl", ".rb", ".php", ".lua", ".jar", ".reg"),
)
_PROMISING: Final = (
    *(".json", ".txt", ".md", ".csv", ".yaml", ".yml", ".toml", ".xml", ".safetensors", ".npy"),
    *(".npz", ".gguf", ".onnx", ".tflite", ".h5", ".keras", ".skops", ".msgpack", ".png", ".jpg"),
    *(".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".joblib", ".model", ".dat", ".pb"),
)
_MOST: Final = 1 << 20
_PYTHON: Final = re.compile(rb"#!.{0,80}\bpython", re.IGNORECASE)
_FETCHED: Final = re.compile(
    rb"(?:curl|wget|fetch|Invoke-WebRequest|iwr|DownloadString|bitsadmin|certutil)[^\n]{0,300}?"
    rb"(?:\|\s*(?:sudo\s+)?(?:ba|z|da|k)?sh\b|\|\s*(?:python|perl|iex)|Invoke-Expression|\biex\b)"
    rb"|/dev/tcp/|base64\s+(?:-d|--decode)[^\n]{0,100}\|\s*(?:ba)?sh|FromBase64String"
    rb"|-[eE]nc(?:odedCommand)?\s+[A-Za-z0-9+/=]{40}",
)


@final
@dataclass(frozen=True, slots=True)
class Script:
    """By its first line (``#!``) or its name. What it fetches and runs is said."""

    name: str = "script"

    def claims(self, piece: Piece) -> bool:
        if piece.path.lower().endswith(SUFFIXES):
            return True
        if piece.head(2) != b"#!":
            return False
        head = piece.head(128)
        return head[2:4].strip()[:1] in (b"/", b"e") and _PYTHON.match(head) is None

    def examine(self, piece: Piece) -> Iterator[Seen]:
        lower = piece.path.lower()
        disguised = lower.endswith(_PROMISING)
        first = piece.head(128).partition(b"\n")[0].decode("utf-8", "replace").strip()
        suffix = f".{lower.rpartition('.')[2]}"
        yield Finding(
            rule="scan.script",
            severity=Severity.HIGH if disguised else Severity.MEDIUM,
            what="a script, under a name that promises data" if disguised else "a script",
            where=Where(start=0),
            found=first[:80] if first.startswith("#!") else suffix,
        )
        fetched = _FETCHED.search(piece.head(_MOST))
        if fetched is not None:
            shown = fetched[0].decode("utf-8", "replace")
            yield Finding(
                rule="scan.script-fetches",
                severity=Severity.HIGH,
                what="a script that runs what it fetches or decodes",
                where=Where(start=fetched.start()),
                found=" ".join(shown.split())[:60],
            )
