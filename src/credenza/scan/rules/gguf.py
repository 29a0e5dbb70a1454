"""GGUF: the bounds of its header, and the chat templates in its metadata.

llama.cpp computed sizes from counts that it had not checked (CVE-2025-53630, CVE-2026-27940,
CVE-2026-33298); llama-cpp-python rendered ``tokenizer.chat_template`` without a sandbox
(CVE-2024-34359).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, final

from credenza.artifact.gguf import MAGIC, Gguf, Text, texts
from credenza.errors import MalformedError
from credenza.findings import Finding, Unread, Where
from credenza.scan.interface import Piece, Said, Seen
from credenza.scan.rules.refusals import refused
from credenza.scan.templates import LONGEST, seen

_TEMPLATE: Final = "tokenizer.chat_template"
_BROKEN: Final = frozenset(("gguf-magic", "gguf-version", "gguf-dtype"))
"""Newer than this reader, or no GGUF at all."""
_CUT: Final = frozenset(("gguf-truncated", "gguf-outside", "gguf-count"))
"""Cut short, if what the header says could be true of the whole file."""
_MOST_BYTES: Final = 1 << 40
"""What a header may speak of: no model has a terabyte, and a size that is made to overflow is far
above it."""


@final
@dataclass(frozen=True, slots=True)
class GgufHeader:
    """Reads the whole header, and judges every chat template in it."""

    name: str = "gguf"

    def claims(self, piece: Piece) -> bool:
        named = piece.path.lower().endswith(".gguf")
        return piece.said != Said.DATA and (named or piece.head(4) == MAGIC)

    def examine(self, piece: Piece) -> Iterator[Seen]:
        try:
            for text in texts(piece):
                if text.key == _TEMPLATE or text.key.startswith(f"{_TEMPLATE}."):
                    yield from _template(piece, text)
        except MalformedError:
            pass  # the reader refuses it for the same, and looks at more
        try:
            Gguf().read(piece)
        except MalformedError as e:
            yield from refused(e, _BROKEN | _CUT if _could_be_true(e.finding) else _BROKEN)


def _template(piece: Piece, text: Text) -> Iterator[Seen]:
    where = Where(start=text.start, stop=text.stop)
    if text.stop - text.start > 4 * LONGEST:
        yield Unread(where=where, why=f"a template of {text.stop - text.start} bytes")
        return
    data = piece.pread(text.start, text.stop - text.start)
    try:
        yield from seen(data.decode("utf-8"), start=text.start)
    except UnicodeDecodeError as e:
        yield Unread(where=where, why=f"a template that is not UTF-8: {e.reason}")


def _could_be_true(finding: Finding) -> bool:
    """Whether all sizes and counts that a refusal speaks of are those of some model."""
    numbers = re.findall(r"\d+", f"{finding.expected} {finding.found}")
    return all(len(n) < 14 and int(n) < _MOST_BYTES for n in numbers)
