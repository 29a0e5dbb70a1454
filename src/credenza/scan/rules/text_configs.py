"""Texts of lines: spaCy's ``config.cfg``, and the requirements of a model."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, final

from credenza.findings import Severity, Unread, Where
from credenza.scan.configs.members import finding, is_under
from credenza.scan.configs.names import names
from credenza.scan.interface import Piece, Seen

_LONGEST: Final = 1 << 20
_REGISTERED: Final = re.compile(r"""^\s*@(\w+)\s*[=:]\s*["']?([^"'\s]+)""", re.MULTILINE)
_LOADED: Final = re.compile(
    r"""^\s*(path|source|vectors|init_tok2vec)\s*=\s*"([^"]+)""", re.MULTILINE
)
_PLAIN_NAME: Final = re.compile(r"\w+\.v\d+")
_ELSEWHERE: Final = re.compile(
    r"^\s*(?:-\s+)?((?:--(?:extra-)?index-url|--find-links|--trusted-host|-i|-f|-e|--editable)\b.*"
    r"|(?:\S+\s*@\s*)?(?:git\+|hg\+|svn\+|bzr\+)?(?:https?|ssh|git|file)://\S+)",
    re.MULTILINE,
)
_MOST_SEEN: Final = 50


@final
@dataclass(frozen=True, slots=True)
class SpacyConfig:
    """Functions that a spaCy pipeline takes from registries, by names that are not spaCy's.

    thinc registers its own without a package's name (``Adam.v1``).
    """

    name: str = "spacy config"

    def claims(self, piece: Piece) -> bool:
        if not piece.path.lower().endswith(".cfg"):
            return False
        head = piece.head(4096)
        return b"[nlp]" in head or b"[paths]" in head

    def examine(self, piece: Piece) -> Iterator[Seen]:
        text = _text(piece)
        if text is None:
            yield Unread(where=Where(), why="it is not text in UTF-8 of up to a megabyte")
            return
        for registry, name in sorted(set(_REGISTERED.findall(text)))[:_MOST_SEEN]:
            if not is_under(name, names("spacy")) and not _PLAIN_NAME.fullmatch(name):
                what = f"it takes a function from the registry {registry} that is not spaCy's"
                yield finding("config-registry", Severity.MEDIUM, what, name)


@final
@dataclass(frozen=True, slots=True)
class Requirements:
    """Packages of a model that come from an address, or an index, of its own."""

    name: str = "requirements"

    def claims(self, piece: Piece) -> bool:
        name = piece.path.lower().rpartition("/")[2]
        return (name.startswith("requirements") and name.endswith(".txt")) or name in (
            "conda.yaml",
            "python_env.yaml",
        )

    def examine(self, piece: Piece) -> Iterator[Seen]:
        text = _text(piece)
        if text is None:
            yield Unread(where=Where(), why="it is not text in UTF-8 of up to a megabyte")
            return
        for line in sorted(set(_ELSEWHERE.findall(text)))[:_MOST_SEEN]:
            what = "a package is installed from an address of its own"
            yield finding("config-source", Severity.NOTE, what, _masked(line))


def _text(piece: Piece) -> str | None:
    if piece.size > _LONGEST:
        return None
    try:
        return piece.pread(0, piece.size).decode("utf-8")
    except UnicodeDecodeError:
        return None


def _masked(line: str) -> str:
    """An address without the name and password in it."""
    return re.sub(r"//[^/@\s]+@", "//…@", line)
