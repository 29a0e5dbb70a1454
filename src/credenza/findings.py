"""What an examination says: findings, the figures they rest on, and the report that holds them.

These are values. They hash, they compare, they cannot drift, and `credenza.report` renders
them. Nothing here knows how they came about.
"""

from __future__ import annotations

import enum
import functools
from dataclasses import dataclass


@functools.total_ordering
class Severity(enum.Enum):
    """How much a finding weighs. Ordered: ``max`` is the verdict.

    The value is what is written to JSON, and the word that a person reads.
    """

    NOTE = "note"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """0 for a note to 4 for critical."""
        return list(Severity).index(self)

    def __lt__(self, other: Severity) -> bool:
        return self.rank < other.rank


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A number that was measured, with what it means.

    ``low`` and ``high`` are the ends of its 95 % interval, where it has one. ``definition``
    says what was measured and where the formula comes from.
    """

    name: str
    value: float
    unit: str = ""
    low: float | None = None
    high: float | None = None
    definition: str = ""

    def __str__(self) -> str:
        text = f"{self.name} = {self.value:.4g}{f' {self.unit}' if self.unit else ''}"
        if self.low is not None and self.high is not None:
            text += f" (95 % interval {self.low:.4g} to {self.high:.4g})"
        return text


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """Evidence for the eye: 8-bit pixels, row by row from the top.

    ``pixels`` holds ``height * width * channels`` bytes; 1 channel is grey, 3 are RGB.
    """

    title: str
    width: int
    height: int
    channels: int
    pixels: bytes

    def __post_init__(self) -> None:
        if self.channels not in (1, 3):
            raise ValueError(f"picture: 1 or 3 channels expected, {self.channels} given")
        expected = self.width * self.height * self.channels
        if len(self.pixels) != expected:
            raise ValueError(f"picture: {expected} bytes expected, {len(self.pixels)} given")


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """The place that a finding speaks of; only what applies is set.

    ``file`` is relative to the artefact, with ``/``; ``member`` the way to a file inside of it,
    through archive after archive, with ``!`` between them. ``start`` and ``stop`` are a byte range
    of the innermost, ``rows`` the indices along a tensor's first axis, ``samples`` indices into a
    dataset.
    """

    file: str | None = None
    member: str | None = None
    start: int | None = None
    stop: int | None = None
    tensor: str | None = None
    rows: tuple[int, ...] = ()
    classes: tuple[int, ...] = ()
    samples: tuple[int, ...] = ()

    def __str__(self) -> str:
        parts = [part for part in (self.file, self.member) if part is not None]
        if self.tensor is not None:
            parts.append(f"tensor {self.tensor}")
        if self.rows:
            parts.append(f"{_noun('row', self.rows)} {spans(self.rows)}")
        if self.classes:
            named = ", ".join(map(str, self.classes))  # their order says which became which
            parts.append(f"{_noun('class', self.classes)} {named}")
        if self.samples:
            parts.append(f"{_noun('sample', self.samples)} {spans(self.samples)}")
        if self.start is not None:
            stop = f" to {self.stop}" if self.stop is not None else ""
            parts.append(f"byte{'s' if stop else ''} {self.start}{stop}")
        return ", ".join(parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that speaks against a subject.

    ``rule`` is an id of the catalogue. ``what`` is the sentence that a person reads first;
    ``expected`` and ``found`` are the two sides of it. ``remedy`` overrides the rule's own.
    """

    rule: str
    severity: Severity
    what: str
    where: Where = Where()
    expected: str = ""
    found: str = ""
    figures: tuple[Figure, ...] = ()
    pictures: tuple[Picture, ...] = ()
    remedy: str = ""

    def __post_init__(self) -> None:
        if not self.remedy:
            from credenza.catalogue import rule  # read when something is found: it takes 10 ms

            object.__setattr__(self, "remedy", rule(self.rule).remedy)

    @property
    def fingerprint(self) -> str:
        """SHA-256 in hex of rule, place and evidence: the same finding has the same tomorrow.

        Byte offsets are left out, which move when a file is written again. The evidence is
        ``found``, or ``what`` where nothing was.
        """
        import hashlib

        place = (self.where.file, self.where.member, self.where.tensor)
        parts = (self.rule, *(part or "" for part in place), self.found or self.what)
        text = "\0".join(parts).encode("utf-8", "backslashreplace")
        return hashlib.sha256(text).hexdigest()

    def __str__(self) -> str:
        """One line: where, what, expected and found."""
        where = str(self.where)
        text = f"{where}: {self.what}" if where else self.what
        sides = (("expected", self.expected), ("found", self.found))
        if said := ", ".join(f"{side} {value}" for side, value in sides if value):
            text += f" ({said})"
        return text


@dataclass(frozen=True, slots=True, kw_only=True)
class Unread:
    """Something that was to be looked at and could not be read to its end.

    It is no accusation, and it is never nothing: who asked has no answer for this place.
    """

    where: Where
    why: str

    def __str__(self) -> str:
        return f"{self.where}: {self.why}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """A file that an examination was shown, in ``size`` bytes.

    ``format`` is what it was found to be, empty where no format that is known; ``checks`` are
    what looked at it or at something inside it. ``sha256`` is in hex, empty where not asked for.
    """

    path: str
    size: int
    format: str = ""
    checks: tuple[str, ...] = ()
    sha256: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """A finding that does not count, since somebody answers for it; ``why`` says who, or what."""

    finding: Finding
    why: str

    def __str__(self) -> str:
        return f"{self.finding}: {self.why}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What one examination found.

    ``covered`` says what was looked at and ``uncovered`` what could not be, with the reason: a
    report without findings means "no evidence under these tests", never "clean". ``files`` are
    those that were shown, and ``unread`` what of them could not be read, where it looks at files.
    ``accepted`` are findings that were made and do not count, each with who answers for it.
    ``root`` is the subject's model root in hex, where the subject is a model with a seal.
    """

    examination: str
    subject: str
    covered: tuple[str, ...]
    uncovered: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    figures: tuple[Figure, ...] = ()
    pictures: tuple[Picture, ...] = ()
    files: tuple[Examined, ...] = ()
    unread: tuple[Unread, ...] = ()
    accepted: tuple[Accepted, ...] = ()
    root: str = ""

    @property
    def worst(self) -> Severity | None:
        """The highest severity among the findings; None where there are none."""
        return max((f.severity for f in self.findings), default=None)


def unlooked(examination: str, subject: str, why: str) -> Report:
    """The report of an examination that could not begin."""
    nothing = Unread(where=Where(file="."), why=why)
    return Report(
        examination=examination,
        subject=subject,
        covered=(),
        uncovered=(str(nothing),),
        unread=(nothing,),
    )


def spans(indices: tuple[int, ...], most: int = 8) -> str:
    """Indices as a person writes them: ``0-3, 7`` and, past ``most`` runs, how many more."""
    runs: list[list[int]] = []
    for i in sorted(set(indices)):
        if runs and i == runs[-1][1] + 1:
            runs[-1][1] = i
        else:
            runs.append([i, i])
    shown = ", ".join(f"{a}" if a == b else f"{a}-{b}" for a, b in runs[:most])
    left = sum(b - a + 1 for a, b in runs[most:])
    return f"{shown} and {left} more" if left else shown


def plain(text: str) -> str:
    r"""``text`` with all that is not printable spelled out, so ``\x1b`` and ``\u202e`` are seen.

    File and tensor names are an attacker's to choose. A terminal obeys escape sequences, and text
    that runs right to left shows ``gpj.exe`` as ``exe.jpg`` (CVE-2021-42574). What is left are
    printable characters and spaces on one line.
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _noun(noun: str, indices: tuple[int, ...]) -> str:
    if len(indices) == 1:
        return noun
    return noun + ("es" if noun.endswith("s") else "s")
