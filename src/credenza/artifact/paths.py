"""Relative paths in an artefact: which are refused, and which may be left out."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection
from typing import Final, NoReturn

from credenza.errors import InputError, MalformedError
from credenza.findings import Finding, Severity, Where

_INVISIBLE: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Unicode categories that a person does not see: controls, bidi marks, surrogates, line ends."""

# fmt: off
LOADABLE: Final = frozenset((
    "7z", "bat", "bin", "cbm", "cfg", "ckpt", "cmd", "data", "dll", "dylib", "engine", "exe",
    "ggml", "gguf", "gz", "h5", "hdf5", "index", "ini", "jar", "jinja", "jinja2", "joblib", "js",
    "json", "jsonl", "keras", "llamafile", "mar", "merges", "mlmodel", "model", "msgpack", "nemo",
    "npy", "npz", "onnx", "ort", "params", "pb", "pdiparams", "pickle", "pkl", "plan", "pmml",
    "ps1", "pt", "pt2", "pth", "py", "pyc", "pyd", "pyo", "pyw", "rar", "safetensors", "sh",
    "skops", "so", "spm", "tar", "tflite", "tgz", "tiktoken", "toml", "torch", "txt", "ubj",
    "vocab", "weights", "whl", "xml", "xz", "yaml", "yml", "zip",
))
# fmt: on
"""Suffixes that loaders, interpreters and linkers go by. What bears one is never left out."""


def check_path(relative: str) -> None:
    """Refuse a relative path that leads out, or that not every system reads alike.

    Raises `MalformedError` for an absolute path, an empty part, ``.``, ``..``, a backslash, NUL,
    a control or other invisible character, and what is not UTF-8 on disk.
    """
    for part in relative.split("/"):
        if part in ("", ".", ".."):
            refuse("path", relative, "the path does not stay inside the artefact", part or "//")
    if relative.isascii() and relative.isprintable() and "\\" not in relative:
        return
    for character in relative:
        if character == "\\" or unicodedata.category(character) in _INVISIBLE:
            what = "the name holds a character that systems read differently"
            refuse("name", relative, what, f"U+{ord(character):04X}")


def check_collisions(prefix: str, names: list[str]) -> None:
    """Refuse names that are one where case or composition does not count.

    Compared as Unicode's canonical caseless match does (The Unicode Standard, D145).
    """
    seen: dict[str, str] = {}
    for name in sorted(names):
        first = seen.setdefault(_caseless(name), name)
        if first != name:
            what = "two names are one where case or composition does not count"
            refuse("case-collision", prefix + name, what, f"{prefix}{first} beside it")


def check_ignorable(paths: Collection[str]) -> None:
    """Raise `InputError` for a path that may not be left out of an artefact (`LOADABLE`)."""
    for path in paths:
        check_path(path.removesuffix("/"))
        if is_loadable(path):
            raise InputError(
                f"{path!r} cannot be left out of the model: loaders pick up files of such a name"
            )


def is_ignored(path: str, ignore: Collection[str]) -> bool:
    """Whether a file is left out by ``ignore``; see `files`."""
    if not ignore or is_loadable(path):
        return False
    return path in ignore or any(i.endswith("/") and path.startswith(i) for i in ignore)


def is_loadable(path: str) -> bool:
    """Whether some loader picks up files of that name, by its suffix or where it has none."""
    suffix = path.rpartition("/")[2].rpartition(".")[2].lower()
    return suffix in LOADABLE or suffix.startswith("data-")  # TensorFlow's data-00000-of-00001


def _caseless(name: str) -> str:
    if name.isascii():
        return name.lower()
    decomposed = unicodedata.normalize("NFD", name).casefold()
    return unicodedata.normalize("NFD", decomposed)


def refuse(name: str, relative: str, what: str, found: str) -> NoReturn:
    """Raise `MalformedError` with the rule ``artifact.NAME`` for a path."""
    shown = relative if relative.isprintable() else ascii(relative)[1:-1]
    raise MalformedError(
        Finding(
            rule=f"artifact.{name}",
            severity=Severity.HIGH,
            what=what,
            where=Where(file=shown),
            found=found if found.isprintable() else ascii(found),
        )
    )
