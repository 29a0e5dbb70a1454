"""Files without tensors: code, configuration, and whatever is neither.

What would run is found by its first bytes, and by its name where the format has none of its own.
Nothing here is parsed: these files are sealed as bytes, and `credenza.scan` looks into them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from credenza.artifact.interface import Bytes
from credenza.artifact.model import File, Program

_HEAD = 4096
"""How many bytes decide whether a file is text: one page."""


@final
@dataclass(frozen=True, slots=True)
class Code:
    """A file that runs when it is imported, linked or started, by its content or its name."""

    format: str
    kind: str
    suffixes: tuple[str, ...] = ()
    magics: tuple[bytes, ...] = ()

    def claims(self, file: Bytes) -> bool:
        return file.path.lower().endswith(self.suffixes) or _head(file).startswith(self.magics)

    def read(self, file: Bytes) -> File:
        name = file.path.rpartition("/")[2]
        program = Program(kind=self.kind, name=name, start=0)
        return File(path=file.path, size=file.size, format=self.format, programs=(program,))


PYTHON = Code("python", "python source", suffixes=(".py", ".pyw"))
BYTECODE = Code("python bytecode", "python bytecode", suffixes=(".pyc", ".pyo"))
NATIVE = Code(
    "native",
    "native code",
    suffixes=(".so", ".dylib", ".dll", ".pyd", ".exe"),
    magics=(
        b"\x7fELF",
        b"MZ",  # PE
        b"\xfe\xed\xfa\xce",  # Mach-O: 32 and 64 bits, both byte orders
        b"\xfe\xed\xfa\xcf",
        b"\xce\xfa\xed\xfe",
        b"\xcf\xfa\xed\xfe",
    ),
)
SCRIPT = Code("script", "script", suffixes=(".sh", ".bat", ".cmd", ".ps1"), magics=(b"#!",))


@final
@dataclass(frozen=True, slots=True)
class LfsPointer:
    """What Git leaves where it did not fetch a large file.

    https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md
    """

    def claims(self, file: Bytes) -> bool:
        return _head(file).startswith(b"version https://git-lfs.github.com/spec/")

    def read(self, file: Bytes) -> File:
        unread = ("it stands for a file that Git did not fetch (git lfs pull)",)
        return File(path=file.path, size=file.size, format="git-lfs pointer", unread=unread)


@final
@dataclass(frozen=True, slots=True)
class Config:
    """Text that a person or a library reads: by its name, if it holds no NUL."""

    suffixes: tuple[str, ...] = (
        ".json",
        ".jsonl",
        ".toml",
        ".yaml",
        ".yml",
        ".ini",
        ".cfg",
        ".xml",
        ".txt",
        ".md",
        ".csv",
        ".jinja",
    )

    def claims(self, file: Bytes) -> bool:
        return file.path.lower().endswith(self.suffixes) and b"\0" not in _head(file)

    def read(self, file: Bytes) -> File:
        return File(path=file.path, size=file.size, format="config")


@final
@dataclass(frozen=True, slots=True)
class Plain:
    """Anything at all: the last reader asked."""

    def claims(self, file: Bytes) -> bool:  # noqa: ARG002  it claims whatever is left
        return True

    def read(self, file: Bytes) -> File:
        return File(path=file.path, size=file.size, format="plain")


def _head(file: Bytes) -> bytes:
    return file.pread(0, min(_HEAD, file.size))
