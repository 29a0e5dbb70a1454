"""Files that are Jinja templates: ``chat_template.jinja`` and its like."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, final

from credenza.findings import Unread
from credenza.scan.interface import Piece, Seen
from credenza.scan.templates import LONGEST, seen

SUFFIXES: Final = (".jinja", ".jinja2", ".j2")


@final
@dataclass(frozen=True, slots=True)
class Templates:
    """Judges a template that is a file of its own, by its syntax tree."""

    name: str = "jinja template"

    def claims(self, piece: Piece) -> bool:
        return piece.path.lower().endswith(SUFFIXES)

    def examine(self, piece: Piece) -> Iterator[Seen]:
        if piece.size > 4 * LONGEST:
            yield Unread(where=piece.where, why=f"a template of {piece.size} bytes")
            return
        try:
            text = piece.pread(0, piece.size).decode("utf-8")
        except UnicodeDecodeError as e:
            yield Unread(where=piece.where, why=f"a template that is not UTF-8: {e.reason}")
            return
        yield from seen(text, chat=_is_chat(piece.path), start=0)


def _is_chat(path: str) -> bool:
    """Whether a template is for conversations, and not of a program's or a prompt's text."""
    name = path.lower().rpartition("/")[2]
    stem = name.removesuffix(".jinja").removesuffix(".jinja2")
    return not name.endswith(".j2") and not stem.endswith((".py", ".html", ".txt", ".md", ".sh"))
