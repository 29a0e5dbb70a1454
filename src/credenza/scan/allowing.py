"""Findings that do not count: somebody answers for them, or they were there before.

Specification of the allow file: docs/formats/allow.md.
"""

from __future__ import annotations

import datetime as dt
import fnmatch
import functools
import glob
import posixpath
import re
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias, final

from credenza.catalogue import rules
from credenza.errors import InputError
from credenza.findings import Accepted, Finding, Report, plain

LARGEST_ALLOW: Final = 1 << 20
LARGEST_BASELINE: Final = 1 << 28
"""In bytes, both."""

KNOWN: Final = "known: it is in the baseline"

_REQUIRED: Final = {"rule", "file", "found", "reason", "owner", "expires"}
_SUGGESTED: Final = dt.timedelta(days=90)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """One entry of an allow file: which findings, of which file, who answers for it, until when.

    ``found`` is a finding's evidence, letter for letter; ``file`` may be a pattern, of the file in
    what was scanned or of the file with the way there before it. It has expired from the day
    ``expires`` on. ``sha256`` is empty where any file of that name is meant.
    """

    rule: str
    file: str
    found: str
    reason: str
    owner: str
    expires: dt.date
    sha256: str = ""

    def speaks_of(self, finding: Finding, folder: str = "") -> bool:
        """Whether it has the finding's rule, place and evidence; its file lies in ``folder``."""
        if (self.rule, self.found) != (finding.rule, _evidence(finding)):
            return False
        file, bang, member = self.file.partition("!")
        place = finding.where
        names = {place.file or "", posixpath.join(folder, place.file or "")}
        return any(_matches(name, file) for name in names) and (
            not bang or _matches(place.member or "", member)
        )

    def refuses(self, sha256: str, today: dt.date) -> str:
        """Why it does not hold for a file of that digest today; empty where it holds."""
        if today >= self.expires:
            return f"it expired on {self.expires}"
        if self.sha256 and self.sha256 != sha256:
            return f"the file is another one: SHA-256 {self.sha256} expected, {sha256 or 'none'}"
        return ""

    def __str__(self) -> str:
        return f"allowed until {self.expires} by {self.owner}: {self.reason}"


Allowances: TypeAlias = tuple[Allowance, ...]


@final
@dataclass(frozen=True, slots=True)
class Applied:
    """Reports of which the allowed findings do not count, and what is to be said of the entries."""

    reports: tuple[Report, ...]
    notes: tuple[str, ...]


def parse(data: bytes) -> Allowances:
    """The entries of an allow file. Raises `InputError` for anything that is not one."""
    try:
        document = tomllib.loads(data.decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as e:
        raise InputError(f"allow file: not TOML: {e}") from e
    entries = document.pop("allow", None)
    if document != {"version": 1} or isinstance(document["version"], bool):
        raise InputError("allow file: version = 1 and [[allow]] expected, and nothing else")
    if not isinstance(entries, list) or not entries:
        raise InputError("allow file: at least one [[allow]] expected")
    return tuple(_entry(number, entry) for number, entry in enumerate(entries, 1))


def apply(
    reports: Sequence[Report],
    allowances: Allowances,
    today: dt.date,
    folders: Sequence[str] | None = None,
) -> Applied:
    """``reports`` with every finding that an entry holds for among those ``accepted``.

    ``folders`` are, for each report, where its files lie, as `credenza.report.sarif` takes them;
    an entry may name a file with its folder or without, so that it holds for a scan of the whole
    folder and of the one file. Where an entry matches and does not hold, or matches nothing, a note
    says so.
    """
    use = _Use(allowances, today)
    places = zip(folders or [""] * len(reports), reports, strict=True)
    applied = tuple(use.on(report, folder) for folder, report in places)
    return Applied(applied, tuple(use.notes()))


def suggest(reports: Sequence[Report], today: dt.date, folders: Sequence[str] | None = None) -> str:
    """An allow file with an entry for each finding that counts; a person has to complete it.

    ``folders`` are as for `apply`.
    """
    once: dict[str, None] = {}
    for folder, report in zip(folders or [""] * len(reports), reports, strict=True):
        digests = _digests(report)
        for finding in report.findings:
            sha256 = digests.get(finding.where.file or "", "")
            once[_suggested(finding, folder, sha256, today)] = None
    return "\n".join(["version = 1\n", *once])


def fingerprints(baseline: bytes) -> Counter[str]:
    """How often each finding is in an earlier report, by fingerprint, the ones known then too.

    Raises `InputError` for anything that `credenza.report.json` would not have written.
    """
    import json

    try:
        reports = json.loads(baseline)["reports"]
        found = [f["fingerprint"] for report in reports for f in report["findings"]]
        accepted = [a for report in reports for a in report.get("accepted", ())]
        found += [a["finding"]["fingerprint"] for a in accepted if a["why"] == KNOWN]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as e:
        raise InputError("baseline: a report of credenza scan --json expected") from e
    if not all(isinstance(f, str) for f in found):
        raise InputError("baseline: a report of credenza scan --json expected")
    return Counter(found)


def without_known(reports: Sequence[Report], known: Mapping[str, int]) -> tuple[Report, ...]:
    """``reports`` with each finding that was known among those ``accepted``.

    As often as it was known, and no more: the same thing in one more place is new.
    """
    left = Counter(known)
    return tuple(_without_known(report, left) for report in reports)


def _without_known(report: Report, left: Counter[str]) -> Report:
    counted, accepted = [], list(report.accepted)
    for finding in report.findings:
        if left[finding.fingerprint] > 0:
            left[finding.fingerprint] -= 1
            accepted.append(Accepted(finding=finding, why=KNOWN))
        else:
            counted.append(finding)
    return replace(report, findings=tuple(counted), accepted=tuple(accepted))


@final
class _Use:
    """Which entries held, and which did not."""

    def __init__(self, allowances: Allowances, today: dt.date) -> None:
        self._today = today
        self._by: dict[tuple[str, str], list[tuple[int, Allowance]]] = {}
        self._all = allowances
        self._matched: set[int] = set()
        self._refused: dict[str, None] = {}
        for number, entry in enumerate(allowances, 1):
            self._by.setdefault((entry.rule, entry.found), []).append((number, entry))

    def on(self, report: Report, folder: str) -> Report:
        digests = _digests(report)
        counted, accepted = [], list(report.accepted)
        for finding in report.findings:
            sha256 = digests.get(finding.where.file or "", "")
            entry = self._for(finding, folder, sha256)
            if entry is None:
                counted.append(finding)
            else:
                accepted.append(Accepted(finding=finding, why=str(entry)))
        return replace(report, findings=tuple(counted), accepted=tuple(accepted))

    def notes(self) -> Iterator[str]:
        yield from self._refused
        for number, entry in enumerate(self._all, 1):
            if number not in self._matched:
                yield f"allow file: entry {number} matches nothing: {entry.rule} in {entry.file}"

    def _for(self, finding: Finding, folder: str, sha256: str) -> Allowance | None:
        for number, entry in self._by.get((finding.rule, _evidence(finding)), ()):
            if not entry.speaks_of(finding, folder):
                continue
            self._matched.add(number)
            why = entry.refuses(sha256, self._today)
            if not why:
                return entry
            where = finding.where
            self._refused[f"allow file: entry {number} does not hold for {where}: {why}"] = None
        return None


def _entry(number: int, entry: object) -> Allowance:
    if not isinstance(entry, dict) or not _REQUIRED <= entry.keys() <= _REQUIRED | {"sha256"}:
        names = ", ".join(sorted(_REQUIRED))
        raise InputError(
            f"allow file: entry {number}: {names}, maybe sha256, and no other expected"
        )
    expires = entry.pop("expires")
    if not isinstance(expires, dt.date) or isinstance(expires, dt.datetime):
        raise InputError(f"allow file: entry {number}: expires: a date such as 2027-05-24 expected")
    for name, value in entry.items():
        _check_text(number, name, value)
    if entry["rule"] not in _rule_ids():
        raise InputError(f"allow file: entry {number}: there is no rule {entry['rule']!r}")
    if not re.fullmatch("([0-9a-f]{64})?", entry.get("sha256", "")):
        raise InputError(f"allow file: entry {number}: sha256: 64 lower-case hex digits expected")
    return Allowance(expires=expires, **entry)


def _check_text(number: int, name: str, value: Any) -> None:
    if not isinstance(value, str) or not value.strip():
        raise InputError(f"allow file: entry {number}: {name}: text expected, not empty")
    if name in ("reason", "owner") and not value.isprintable():
        raise InputError(f"allow file: entry {number}: {name}: one line of printable text expected")


@functools.cache
def _rule_ids() -> frozenset[str]:
    return frozenset(rule.id for rule in rules())


def _evidence(finding: Finding) -> str:
    return finding.found or finding.what


def _digests(report: Report) -> dict[str, str]:
    return {file.path: file.sha256 for file in report.files}


def _matches(path: str, pattern: str) -> bool:
    """Whether a path is ``pattern``, or fits it segment by segment."""
    if path == pattern:
        return True
    wanted = pattern.split("/")
    places = _passing({0}, wanted)  # how many of the wanted segments may be behind us
    for segment in path.split("/"):
        stay = {i for i in places if i < len(wanted) and wanted[i] == "**"}
        move = {i + 1 for i in places - stay if i < len(wanted)}
        move = {i for i in move if fnmatch.fnmatchcase(segment, wanted[i - 1])}
        places = _passing(stay | move, wanted)
    return len(wanted) in places


def _passing(places: set[int], wanted: Sequence[str]) -> set[int]:
    """With those that are reached because ``**`` may stand for nothing."""
    reached = set(places)
    for i in range(len(wanted)):
        if i in reached and wanted[i] == "**":
            reached.add(i + 1)
    return reached


def _suggested(finding: Finding, folder: str, sha256: str, today: dt.date) -> str:
    file = posixpath.join(folder, finding.where.file or "")
    place = glob.escape(file).replace("!", "?")
    if finding.where.member:
        place += f"!{glob.escape(finding.where.member)}"
    lines = [
        f"# {finding.severity.value}: {plain(finding.what)}",
        "[[allow]]",
        f"rule = {_quoted(finding.rule)}",
        f"file = {_quoted(place)}",
        f"found = {_quoted(_evidence(finding))}",
        'reason = ""',
        'owner = ""',
        f"expires = {today + _SUGGESTED}",
    ]
    if sha256:
        lines.append(f"sha256 = {_quoted(sha256)}")
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    """A TOML basic string, in ASCII. What no TOML can hold (a lone surrogate) is spelled out."""
    whole = text.encode("utf-8", "backslashreplace").decode()
    return f'"{"".join(map(_character, whole))}"'


def _character(c: str) -> str:
    if c in '"\\':
        return "\\" + c
    return c if " " <= c <= "~" else f"\\U{ord(c):08x}"
