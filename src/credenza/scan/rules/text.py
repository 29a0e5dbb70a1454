"""Texts that people read, lists of words, tables: looked at for secrets, and known as text."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, final

from credenza.findings import Unread, Where
from credenza.scan.interface import Piece, Seen

_HEAD: Final = 4096
_NAMED: Final = re.compile(
    r"(^|/)(readme|licen[cs]e|notice|copying|authors|changelog|contributing|citation|makefile|"
    r"dockerfile|model_card|manifest|metadata|record|wheel|installer|top_level|version|vocab|"
    r"merges|labels|classes|requirements|\.gitattributes|\.gitignore|\.gitmodules|\.dockerignore|"
    r"\.env|\.netrc|\.npmrc|\.pypirc|id_rsa|id_ed25519|id_ecdsa|credentials)(\.[^./]+)?$|"
    r"\.(txt|text|md|markdown|rst|csv|tsv|json|jsonl|ndjson|toml|ya?ml|ini|cfg|conf|xml|html?|css|"
    r"svg|tex|bib|cff|log|jinja2?|j2|tmpl|vocab|merges|bpe|dic|labels|names|prototxt|pbtxt|proto|"
    r"properties|lock|in|pem|key|crt|cer|pub|env|sql|r|m|c|h|cc|cpp|hpp|cu|java|go|rs|ts|pyi|pyx|pxd|typed)$",
    re.IGNORECASE,
)


@final
@dataclass(frozen=True, slots=True)
class Text:
    """A text by its name and by its first page: UTF-8 without controls, or UTF-16 with its mark.

    Text of any other name stays a file of no known format.
    """

    name: str = "text"

    def claims(self, piece: Piece) -> bool:
        return _NAMED.search(piece.path) is not None and _is_text(piece.head(_HEAD))

    def examine(self, piece: Piece) -> Iterator[Seen]:
        from credenza.scan import credentials  # every file asks whether it is a text

        yield from credentials.found_in(piece)


@final
@dataclass(frozen=True, slots=True)
class LfsPointer:
    """What Git leaves where it did not fetch a large file: there is nothing to look at.

    https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md
    """

    name: str = "git-lfs pointer"

    def claims(self, piece: Piece) -> bool:
        return piece.head(48).startswith(b"version https://git-lfs.github.com/spec/")

    def examine(self, piece: Piece) -> Iterator[Seen]:  # noqa: ARG002  its name says it all
        why = "it stands for a file that Git did not fetch (git lfs pull)"
        yield Unread(where=Where(), why=why)


def _is_text(head: bytes) -> bool:
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return True
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
    return not any(ord(c) < 32 and c not in "\t\n\r\f\v\x1b" for c in text)
