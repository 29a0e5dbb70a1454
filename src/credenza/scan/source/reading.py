"""From bytes to a tree. Nothing of it is compiled, no codec is looked up by a name in the file."""

from __future__ import annotations

import ast
import codecs
import re
import warnings
from dataclasses import dataclass
from itertools import islice
from typing import Final, final

from credenza.findings import Severity
from credenza.scan.source.interface import Kind, Reach, Sighting

MOST_BYTES: Final = 8 << 20
_MOST_TOKENS: Final = 36_000
"""A token costs up to 1.8 KB as a tree; the longest model in transformers 5.23 has 26,000."""

_COOKIE: Final = re.compile(rb"^[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)", re.ASCII)  # PEP 263
_PLAIN: Final = frozenset(
    [
        "utf-8",
        "utf8",
        "utf-8-sig",
        "ascii",
        "us-ascii",
        "latin-1",
        "latin1",
        "iso-8859-1",
        "iso-latin-1",
        "iso8859-1",
        "iso-8859-15",
        "cp1250",
        "cp1251",
        "cp1252",
        "windows-1252",
        "gbk",
        "gb2312",
        "gb18030",
        "big5",
        "euc-jp",
        "euc-kr",
        "shift_jis",
        "shift-jis",
        "koi8-r",
        "cp949",
        "cp932",
    ]
)
_FOLDING: Final = frozenset(
    ["utf-7", "utf7", "unicode-escape", "raw-unicode-escape", "rot13", "rot-13"]
)
"""In these, what looks like a comment can be code."""

_TOKEN: Final = re.compile(
    r'#[^\n]*|"""(?:[^\\]|\\.)*?"""|' + r"'''(?:[^\\]|\\.)*?'''" + r"|"
    r'"(?:[^"\\\n]|\\.)*"' + r"|'(?:[^'\\\n]|\\.)*'" + r"|\w+|[^\w\s]",
    re.DOTALL,
)
_TURNED: Final = re.compile("[\u202a-\u202e\u2066-\u2069]")


class UnreadableSourceError(Exception):
    """It is no Python that this version can parse; the message says why."""


@final
@dataclass(frozen=True, slots=True)
class Source:
    """Text that was parsed. ``odd`` is what speaks against the text itself."""

    text: str
    tree: ast.Module
    odd: tuple[Sighting, ...] = ()
    lines: tuple[int, ...] = ()

    def offset(self, line: int, column: int) -> int:
        """The byte at which a place stands, in UTF-8."""
        return self.lines[min(line, len(self.lines)) - 1] + column if self.lines else 0


def parsed(data: bytes | str) -> Source:
    """The tree of some source.

    Raises `UnreadableSourceError` where it does not parse or is too long.
    """
    text, odd = _decoded(data) if isinstance(data, bytes) else (data, [])
    if "\0" in text:  # up to Python 3.11 a line ends there; from 3.12 on it is an error
        odd.append(_odd("a NUL character", text.count("\n", 0, text.index("\0")) + 1))
        text = text.replace("\0", "")
    turned = _TURNED.search(text)
    if turned:  # CVE-2021-42574
        line = text.count("\n", 0, turned.start()) + 1
        odd.append(_odd(f"U+{ord(turned.group()):04X}", line, Severity.MEDIUM))
    if next(islice(_TOKEN.finditer(text), _MOST_TOKENS, None), None) is not None:
        raise UnreadableSourceError(f"more than {_MOST_TOKENS} tokens, which is too long to parse")
    return Source(text, _tree(text), tuple(odd), _line_starts(text))


def _tree(text: str) -> ast.Module:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of invalid escapes and such, in somebody's code
            return ast.parse(text)
    except SyntaxError as e:
        two = " (it is Python 2)" if "Missing parentheses in call to 'print'" in str(e) else ""
        raise UnreadableSourceError(f"not Python of this version{two}, line {e.lineno}") from e
    except (ValueError, RecursionError, MemoryError) as e:
        raise UnreadableSourceError(f"nested too deep, or no text: {type(e).__name__}") from e


def _decoded(data: bytes) -> tuple[str, list[Sighting]]:
    for number, line in enumerate(data[:1024].splitlines()[:2], start=1):
        cookie = _COOKIE.match(line)
        if cookie:
            name = cookie[1].decode("ascii").lower().replace("_", "-")
            if name in _FOLDING:
                odd = [_odd(f"encoded in {name}", number)]
                return _unfolded(data, name), odd
            if name in _PLAIN or name.replace("-", "_") in _PLAIN:
                return data.decode(name.replace("utf-8", "utf-8-sig"), "replace"), []
            raise UnreadableSourceError(f"in an encoding that is not read here: {name}")
    try:
        return data.decode("utf-8-sig"), []
    except UnicodeDecodeError as e:
        raise UnreadableSourceError("not UTF-8, and it names no other encoding") from e


def _unfolded(data: bytes, name: str) -> str:
    if name.startswith("rot"):
        return codecs.decode(data.decode("utf-8", "replace"), "rot13")
    return data.decode(name, "replace")


def _line_starts(text: str) -> tuple[int, ...]:
    starts, at = [0], 0
    for line in text.split("\n"):
        at += len(line.encode("utf-8", "surrogatepass")) + 1
        starts.append(at)
    return tuple(starts)


def _odd(name: str, line: int, severity: Severity = Severity.HIGH) -> Sighting:
    return Sighting(
        kind=Kind.HIDDEN, name=name, severity=severity, reach=Reach.IMPORT, line=line, hidden=True
    )
