"""What speaks against a file of pickles: what it names, and what it does with what it names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from credenza.artifact.interface import Bytes
from credenza.artifact.pickles import Global, Persistent, Span, Tuple, Uses, Value, text
from credenza.findings import Finding, Severity, Where, plain
from credenza.scan.pickles.names import dangerous

MOST: Final = 200
"""Findings of one kind in one file; how many more there are is said in the last."""
_NAME: Final = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")
_SECRET: Final = re.compile(r"[A-Za-z0-9+/=_-]{24,}")
_STORAGE_IDS: Final = ("storage", "module")
_CHUNK: Final = 1 << 20
_ANY_NAME: Final = re.compile(
    rb"[ci][\w.]{1,80}\n[\w.]{1,80}\n|[\x8c\x8dTUX][\x01-\x50]\0{0,7}[\w.]{2,80}"
    rb"|[SV][\"'\w.\\]{2,200}\n"
)


def plausible(name: Global) -> bool:
    """True for what could be a module and a name in it: not for what random bytes spell."""
    parts = (name.module, name.name)
    return sum(map(len, parts)) < 300 and all(
        part == "(computed)" or _NAME.fullmatch(part) for part in parts
    )


def names_something(file: Bytes) -> bool:
    """True where a name stands somewhere in bytes that are opcodes for longer than is tried."""
    for start in range(0, file.size, _CHUNK):
        length = min(_CHUNK + 200, file.size - start)
        if _ANY_NAME.search(file.pread(start, length)):
            return True
    return False


def spoken(uses: Uses) -> list[Global]:
    """The names in bytes that may be no pickle: what could be one, and a code that is called."""
    return [
        name
        for name, kind in uses.looked_up.items()
        if (plausible(name) if kind == "pickle global" else name in uses.first_calls)
    ]


def judged(uses: Uses, *, strictly: bool = True) -> Iterator[Finding]:
    """What speaks against what ``uses`` has seen, each name once, in the order of the file.

    Not ``strictly``, names are left out that no module could have: of bytes that nobody says are
    a pickle.
    """
    yield from _named(uses, strictly=strictly)
    yield from _misused(uses)
    yield from _persistent(uses)


def dangers(uses: Uses) -> Iterator[Finding]:
    """Only the names that are known to run code: of a reading that goes astray in honest files."""
    for name in uses.looked_up:
        if dangerous(name.module, name.name) and uses.entry(name.module, name.name) is None:
            yield _name_finding(name, "pickle global", uses)


def _named(uses: Uses, *, strictly: bool) -> Iterator[Finding]:
    seen: set[str] = set()
    for name in uses.looked_up if strictly else spoken(uses):
        kind = uses.looked_up[name]
        known = kind == "pickle global" and uses.entry(name.module, name.name) is not None
        if known or str(name) in seen:
            continue
        seen.add(str(name))
        if len(seen) > MOST:
            return
        yield _name_finding(name, kind, uses)


def _name_finding(name: Global, kind: str, uses: Uses) -> Finding:
    shown, use = _short(str(name)), _use(name, uses)
    if kind != "pickle global":
        what = f"{use} what its loader has registered as {shown}"
        return _finding("pickle-extension", Severity.HIGH, what, name.at, shown)
    if "(computed)" in (name.module, name.name):
        what = f"{use} a name that it only makes up while it is loaded"
        return _finding("pickle-computed", Severity.CRITICAL, what, name.at, shown)
    reason = dangerous(name.module, name.name)
    if reason:
        what = f"{use} {shown}, which {reason}"
        return _finding("pickle-dangerous", Severity.CRITICAL, what, name.at, shown)
    what = f"{use} {shown}, which nobody has judged"
    return _finding("pickle-unlisted", Severity.HIGH, what, name.at, shown)


def _use(name: Global, uses: Uses) -> str:
    """How a pickle uses a name, as the beginning of a sentence."""
    call = uses.first_calls.get(name)
    if call is None:
        return "the pickle looks up"
    argument = _argument(call.args)
    return f"with {argument}, the pickle calls" if argument else "the pickle calls"


def _argument(args: Value) -> str:
    """The first text among the arguments, short and without what may be a secret."""
    items = args.items if isinstance(args, Tuple) else ()
    for item in items:
        word = text(item)
        if word is None and isinstance(item, Span) and item.content is not None:
            word = item.content.decode("utf-8", "backslashreplace")
        if word:
            return ascii(_SECRET.sub("…", _short(word, 80)))
    return ""


def _misused(uses: Uses) -> Iterator[Finding]:
    seen: set[str] = set()
    for misuse in uses.misuses:
        if misuse.between or misuse.what in seen:
            continue
        seen.add(misuse.what)
        if len(seen) > MOST:
            return
        of = misuse.of
        bad = of is not None and bool(dangerous(of.module, of.name))
        severity = Severity.CRITICAL if bad else Severity.HIGH
        what = f"the pickle does what no honest one does: {_short(misuse.what, 200)}"
        yield _finding("pickle-use", severity, what, misuse.at, _short(misuse.what))


def _persistent(uses: Uses) -> Iterator[Finding]:
    """A loader is asked for objects: torch for its storages, which is how it writes them."""
    for persistent in uses.persistent:
        if not _is_torch(persistent):
            what = "the pickle asks its loader for an object by an id that is not torch's"
            id_ = text(persistent.id) or type(persistent.id).__name__
            yield _finding(
                "pickle-persistent", Severity.MEDIUM, what, persistent.at, _short(ascii(id_))
            )
            return


def _is_torch(persistent: Persistent) -> bool:
    """A tuple that begins with the kind: of storages, or of modules with their source."""
    id_ = persistent.id
    if isinstance(id_, str):  # torch's stacked format of before 0.4 has the key alone
        return id_.isdecimal()
    return isinstance(id_, Tuple) and bool(id_.items) and text(id_.items[0]) in _STORAGE_IDS


def _short(word: str, most: int = 120) -> str:
    word = plain(word)
    return word if len(word) <= most else word[: most - 1] + "…"


def _finding(rule: str, severity: Severity, what: str, at: int, found: str) -> Finding:
    return Finding(
        rule=f"scan.{rule}", severity=severity, what=what, where=Where(start=at), found=found
    )
