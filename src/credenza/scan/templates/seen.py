"""What a scan sees in a template that lies in some file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from credenza.findings import Finding, Unread, Where
from credenza.scan.templates.judging import judged
from credenza.scan.templates.parsing import UnreadableError

_LINE: Final = re.compile(r"\r\n|\r|\n")  # as Jinja counts them


def seen(text: str, *, chat: bool = True, start: int | None = None) -> Iterator[Finding | Unread]:
    """The findings in a template; that it is unread, where it is.

    ``start`` is the byte at which it begins, for one that lies in its file as it is, in UTF-8:
    then a finding says where its line begins.
    """
    try:
        said = judged(text, chat=chat)
    except UnreadableError as e:
        yield Unread(where=Where(start=start), why=str(e))
        return
    lines = [0, *(m.end() for m in _LINE.finditer(text))] if said else []
    for one in said:
        at = None
        if start is not None:
            at = start + len(text[: lines[one.line - 1]].encode("utf-8", "replace"))
        yield Finding(
            rule=f"scan.{one.rule}",
            severity=one.severity,
            what=f"a template: {one.what}",
            where=Where(start=at),
            found=one.found,
        )
