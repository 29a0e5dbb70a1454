"""What archives have in common: where names and links lead, and how often a thing is said."""

from __future__ import annotations

import posixpath
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from credenza.findings import Finding, Severity, Where
from credenza.scan.interface import Seen

_MOST_LINKS: Final = 10_000
_SAID_OFTEN: Final = 20


def sparing(seen: Iterator[Seen]) -> Iterator[Seen]:
    """All of it, but no kind of finding more often than a person reads: archives have thousands
    of members, and each may be wrong.
    """
    told: Counter[tuple[str, Severity]] = Counter()
    for one in seen:
        if isinstance(one, Finding):
            kind = one.rule, one.severity
            told[kind] += 1
            if told[kind] > _SAID_OFTEN:
                continue
        yield one


def is_outside(name: str) -> bool:
    """Whether a path, or a link from the top, leads out of the folder that it is unpacked into."""
    path = name.replace("\\", "/")
    return path.startswith("/") or path[1:2] == ":" or ".." in _steps(path)[:1]


def link(name: str, target: str, at: int) -> Iterator[Finding]:
    """What is to be said of a link of an archive."""
    path = target.replace("\\", "/")
    joined = path if path.startswith("/") else f"{posixpath.dirname(name)}/{path}".lstrip("/")
    outside = is_outside(joined) or path[1:2] == ":"
    yield Finding(
        rule="scan.archive-link",
        severity=Severity.HIGH if outside else Severity.LOW,
        what=f"{name[:120]} is a link{' out of the archive' if outside else ''}",
        where=Where(start=at),
        found=f"{name[:60]} -> {target[:60]}",
    )


def through_links(names: Sequence[str], links: Sequence[str]) -> Iterator[Finding]:
    """Members that are written to where a link of the archive leads (CVE-2001-1267 and since)."""
    folders = {plain_path(name) for name in links[:_MOST_LINKS]}
    if not folders:
        return
    for name in names:
        steps = _steps(plain_path(name))
        parents = ("/".join(steps[:i]) for i in range(1, min(len(steps), 64)))
        if any(parent in folders for parent in parents):
            yield Finding(
                rule="scan.archive-link",
                severity=Severity.HIGH,
                what="a member is written through a link of the same archive",
                found=name[:120],
            )


def plain_path(name: str) -> str:
    """A name as it is once ``.``, ``..`` and doubled slashes are resolved."""
    return "/".join(_steps(name.replace("\\", "/")))


def _steps(path: str) -> list[str]:
    steps: list[str] = []
    for part in path.split("/"):
        if part in ("", "."):
            continue
        if part == ".." and steps and steps[-1] != "..":
            steps.pop()
        else:
            steps.append(part)
    return steps
