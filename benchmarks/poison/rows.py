"""The models of a kind, each with what it came to, what it scored and how it is judged."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.poison import building, plan, scoring
from benchmarks.poison.attacks import ATTACKS
from benchmarks.poison.building import Made
from benchmarks.poison.judging import Judge, Judged
from benchmarks.poison.plan import Counts, Kind, Planned, Role
from benchmarks.poison.scoring import Scores
from benchmarks.results import Bar
from credenza.probe.subject import Detector
from credenza.rates import interval


@dataclass(frozen=True, slots=True)
class Row:
    """A model of the population: what it is, what it came to, what it scored, how it is judged.

    ``judged`` has the judgements with trusted samples and without, by whether there were any.
    """

    planned: Planned
    made: Made
    scores: Scores
    judged: dict[bool, Judged] = field(default_factory=dict)

    @property
    def works(self) -> bool:
        return self.made.works

    def found(self, trusted: bool) -> bool:
        return self.judged[trusted].found

    def named(self) -> bool:
        """Whether the target was named, and the source where one was named and there is one."""
        classes, attack = self.judged[True].classes, self.planned.attack
        if attack is None or not classes or classes[-1] != attack.target:
            return False
        source = getattr(attack, "source", None)
        return source is None or len(classes) < 2 or classes[-2] == source


@dataclass(frozen=True, slots=True)
class Share:
    """Models of which so many were hit."""

    hits: int
    of: int

    @classmethod
    def count(cls, rows: Sequence[Row], hit: Callable[[Row], bool]) -> Share:
        return cls(sum(map(hit, rows)), len(rows))

    @classmethod
    def found(cls, rows: Sequence[Row], *, trusted: bool = True) -> Share:
        return cls.count(rows, lambda row: row.found(trusted))

    def __str__(self) -> str:
        if not self.of:
            return "–"
        low, high = interval(self.hits, self.of)
        return f"{self.hits / self.of:.1%} ({self.hits} of {self.of}; {low:.1%} to {high:.1%})"

    def bar(self, name: str, sense: str, target: float | None) -> list[Bar]:
        """Nothing where there is no model to count."""
        if not self.of:
            return []
        low, high = interval(self.hits, self.of)
        name = f"{name} ({self.hits} of {self.of})"
        value = self.hits / self.of
        return [Bar(bar=name, value=value, unit="", sense=sense, target=target, low=low, high=high)]


@dataclass(frozen=True, slots=True)
class Judgement:
    """All models of a kind."""

    kind: Kind
    twins: tuple[Row, ...]
    clean: tuple[Row, ...]
    attacked: tuple[Row, ...]
    refused: tuple[Made, ...]
    statistics: tuple[str, ...]

    def of(self, family: str, *, works: bool = True) -> list[Row]:
        return [r for r in self.attacked if r.planned.family == family and r.works is works]

    @property
    def families(self) -> list[str]:
        """The attacks of which a model works, in their order."""
        return [name for name in ATTACKS if self.of(name)]


def judged(kind: Kind, counts: Counts, detectors: Sequence[Detector], within: Path) -> Judgement:
    """Every model of the kind that is made and scored, judged against its twins."""
    wanted = plan.everything({kind: counts})
    models = building.made(within)
    known = scoring.scores(detectors, within)
    rows = [
        Row(m, models[m.seed], known[models[m.seed].root])
        for m in wanted
        if building.is_made(m, models) and models[m.seed].root in known
    ]
    twins = [r for r in rows if r.planned.role is Role.TWIN]
    judges = {
        trusted: Judge([t.scores for t in twins], trusted=trusted) for trusted in (True, False)
    }
    for row in rows:
        row.judged.update({trusted: j.judge(row.scores) for trusted, j in judges.items()})
    return Judgement(
        kind=kind,
        twins=tuple(twins),
        clean=tuple(r for r in rows if r.planned.role is Role.CLEAN),
        attacked=tuple(r for r in rows if r.planned.role is Role.ATTACKED),
        refused=tuple(models[m.seed] for m in wanted if _is_refused(m, models)),
        statistics=tuple(rows[0].judged[True].tails) if rows else (),
    )


def _is_refused(planned: Planned, models: dict[int, Made]) -> bool:
    return building.is_made(planned, models) and bool(models[planned.seed].refused)
