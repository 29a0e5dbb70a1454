"""The population made, scored, judged and written down."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np

from benchmarks.poison import building, plan, plots, scoring
from benchmarks.poison.attacks import ATTACKS, Group
from benchmarks.poison.building import Made
from benchmarks.poison.judging import LEVEL, Judge, Judged, area
from benchmarks.poison.plan import FULL, SHORT, Counts, Kind, Planned, Role
from benchmarks.poison.scoring import Scores
from benchmarks.results import ROOT, Bar, write
from credenza.probe.detectors import DETECTORS
from credenza.probe.subject import Detector
from credenza.rates import interval

SCORES: Final = Path(__file__).parent / "scores"
PICTURES: Final = ROOT / "docs" / "results" / "poison"
_PACKAGES: Final = ("credenza", "torch", "numpy")

_TARGETS: Final = {
    **dict.fromkeys(("StampMark", "Blend", "Sinusoid", "SourceMark"), 0.95),
    **dict.fromkeys(
        ("RankOneEdit", "RowEdit", "DataFreeBackdoor", "SubnetReplacement", "FlipLabels"), 0.99
    ),
}
"""The least detection at `LEVEL`, by attack; what is not here has its group's, or none."""
_GROUP_TARGETS: Final = {Group.HELD_OUT: 0.80, Group.ADAPTIVE: 0.50}
_WITHOUT_DATA: Final = 0.80
_NAMED: Final = 0.95
_FALL: Final = 0.05
"""How much lower a rate may be on another kind of model than on the main one."""


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


def measure(*, full: bool, detectors: Sequence[Detector] = DETECTORS) -> None:
    """Make and score what is missing, then say what came of it.

    The short form makes few models of the main kind and prints. The page, the scores and the
    figures are written where the whole population is there.
    """
    within = building.folder()
    counts = FULL if full else SHORT
    wanted = plan.everything(counts)
    building.build(wanted, within)
    scoring.score(wanted, detectors, within)
    judgements = [judged(kind, of, detectors, within) for kind, of in counts.items()]
    text, bars = _text(judgements), _bars(judgements)
    if full:
        _publish(judgements)
        write("poison", "Poisoned models", text, bars, _PACKAGES)
        return
    print("  the short form: too few models to calibrate with or to claim anything of")
    print(text)
    for bar in bars:
        print(f"  {bar.bar}: {bar.value:.3g}")


def so_far(kinds: Sequence[Kind]) -> None:
    """Write down what is made and scored of the whole population, and that it is not finished.

    ``python -c 'from benchmarks.poison import plan, table; table.so_far([plan.MAIN])'``.
    """
    chosen, within = tuple(DETECTORS), building.folder()
    judgements = [judged(kind, FULL[kind], chosen, within) for kind in kinds]
    counts = [
        f"{j.kind}: {len(j.twins)} of {FULL[j.kind].twins} twins, {len(j.clean)} of "
        f"{FULL[j.kind].clean} clean and {len(j.attacked)} attacked models"
        for j in judgements
    ]
    head = f"**Not finished**: made and scored so far are {'; '.join(counts)}.\n\n"
    _publish(judgements)
    write("poison", "Poisoned models", head + _text(judgements), _bars(judgements), _PACKAGES)


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


def _bars(judgements: Sequence[Judgement]) -> list[Bar]:
    main, *others = judgements
    bars = _of_kind(main, None)
    known = [f for f in main.families if ATTACKS[f].group is not Group.ADAPTIVE]
    rates = [np.mean([r.found(False) for r in main.of(f)]) for f in known]
    if rates:
        bars.append(
            Bar(
                bar=f"without data: detection at {LEVEL:.0%}, mean over {len(rates)} attacks",
                value=float(np.mean(rates)),
                unit="",
                sense=">=",
                target=_WITHOUT_DATA,
            )
        )
    for other in others:
        bars += _of_kind(other, main)
    return bars


def _of_kind(judgement: Judgement, main: Judgement | None) -> list[Bar]:
    """The bars of one kind of model: the issue's, for another kind than the main one lowered."""
    fall, before = (_FALL, f"{judgement.kind}: ") if main else (0.0, "")
    clean = Share.found(judgement.clean)
    bars = clean.bar(f"{before}false alarms, 500 trusted samples", "<=", LEVEL + fall)
    without = Share.found(judgement.clean, trusted=False)
    bars += without.bar(f"{before}false alarms, without data", "<=", None)
    for family in judgement.families:
        aim = _TARGETS.get(family, _GROUP_TARGETS.get(ATTACKS[family].group))
        found = Share.found(judgement.of(family))
        bars += found.bar(f"{before}found: {family}", ">=", None if aim is None else aim - fall)
    detected = [r for f in judgement.families for r in judgement.of(f) if r.found(True)]
    named = Share.count(detected, Row.named)
    bars += named.bar(f"{before}target or pair named right, of those found", ">=", _NAMED - fall)
    return bars


def _text(judgements: Sequence[Judgement]) -> str:
    main = judgements[0]
    return "\n".join(
        [
            "Each model is judged against clean twins of its kind (data set and architecture), "
            f"at an overall false-alarm rate of {LEVEL:.0%}. Twins, clean models that false alarms "
            "are counted on, attacked models and those that detectors were developed on are of "
            "different seeds; a seed and `benchmarks/poison/plan.py` make the model again. Seeds, "
            "model roots and all statistics: `benchmarks/poison/scores/`. An attack works where "
            "half of what it aims at is read as its target, three tenths for one class read as "
            "another. Intervals are exact (Clopper and Pearson), 95 %; those of areas under the "
            "curve are by the bootstrap.",
            *(line for judgement in judgements for line in _kind_lines(judgement)),
            *_area_lines(main),
            *_time_lines(judgements),
            "",
            "![ROC of each attack](poison/roc.svg)",
            "",
            "![scores of clean and attacked models](poison/histograms.svg)",
            "",
        ]
    )


def _kind_lines(judgement: Judgement) -> list[str]:
    clean = Share.found(judgement.clean)
    without = Share.found(judgement.clean, trusted=False)
    accuracy = [r.made.accuracy for r in judgement.clean]
    middle = f"{np.median(accuracy):.1%}" if accuracy else "–"
    return [
        "",
        f"## {judgement.kind}",
        "",
        f"{len(judgement.twins)} twins; {len(judgement.clean)} clean models, of a median accuracy "
        f"of {middle}. False alarms: {clean}; without data {without}.",
        "",
        "| clean models | false alarms | without data |",
        "| --- | --- | --- |",
        *_variant_lines(judgement),
        "",
        "| attack | group | success | accuracy given up | found | without data | named right | "
        "AUC |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
        *(_attack_line(judgement, family) for family in judgement.families),
        "",
        *_failed_lines(judgement),
    ]


def _variant_lines(judgement: Judgement) -> list[str]:
    lines = []
    for name in sorted({r.planned.name for r in judgement.clean}):
        rows = [r for r in judgement.clean if r.planned.name == name]
        lines.append(f"| {name} | {Share.found(rows)} | {Share.found(rows, trusted=False)} |")
    return lines


def _attack_line(judgement: Judgement, family: str) -> str:
    rows = judgement.of(family)
    usual = np.median([r.made.accuracy for r in judgement.clean] or [np.nan])
    lost = [(r.made.victim or usual) - r.made.accuracy for r in rows]
    detected = [r for r in rows if r.found(True)]
    of = area(
        [_finite(r.judged[True].score) for r in judgement.clean],
        [_finite(r.judged[True].score) for r in rows],
    )
    return (
        f"| {family} | {ATTACKS[family].group.value} | "
        f"{np.median([r.made.success or 0 for r in rows]):.1%} | {np.median(lost):.1%} | "
        f"{Share.found(rows)} | "
        f"{Share.found(rows, trusted=False)} | {Share.count(detected, Row.named)} | "
        f"{of.value:.3f} ({of.low:.3f} to {of.high:.3f}) |"
    )


def _failed_lines(judgement: Judgement) -> list[str]:
    """Attacks that came to nothing, apart from those that count; and those without a place."""
    lines = []
    for family in ATTACKS:
        rows = judgement.of(family, works=False)
        if rows:
            success = np.median([r.made.success or 0 for r in rows])
            found = Share.found(rows)
            lines.append(f"- {family}: {len(rows)}, median success {success:.1%}; found {found}")
    for family in ATTACKS:
        refused = [m for m in judgement.refused if m.name == family]
        if refused:
            lines.append(f"- {family}: {len(refused)} not made. {refused[0].refused}")
    return ["Attacks that did not work, or could not be made:", "", *lines] if lines else []


def _area_lines(judgement: Judgement) -> list[str]:
    """What each statistic alone is worth against each attack that works."""
    families = judgement.families
    rows = {family: judgement.of(family) for family in families}
    lines = [
        "",
        f"## Each statistic alone, {judgement.kind}",
        "",
        "The area under its ROC curve against each attack that works, with its interval.",
        "",
        f"| statistic | {' | '.join(families)} |",
        f"| --- |{' --- |' * len(families)}",
    ]
    for name in judgement.statistics:
        clean = _tails(judgement.clean, name)
        cells = [_cell(clean, _tails(rows[f], name)) for f in families]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


def _cell(clean: list[float], attacked: list[float]) -> str:
    if not clean or not attacked:
        return "–"
    of = area(clean, attacked)
    return f"{of.value:.2f} ({of.low:.2f}–{of.high:.2f})"


def _tails(rows: Sequence[Row], name: str) -> list[float]:
    return [r.judged[True].tails[name] for r in rows if name in r.judged[True].tails]


def _time_lines(judgements: Sequence[Judgement]) -> list[str]:
    lines = [
        "",
        "## Time",
        "",
        "Processor seconds of one thread a model, the median over clean models.",
        "",
        "| kind | all detectors | each |",
        "| --- | --- | --- |",
    ]
    for judgement in judgements:
        if not judgement.clean:
            continue
        every = np.median([sum(r.scores.seconds.values()) for r in judgement.clean])
        names = judgement.clean[0].scores.seconds
        each = ", ".join(
            f"{name.partition('(')[0]} "
            f"{np.median([r.scores.seconds[name] for r in judgement.clean]):.2f}"
            for name in names
        )
        lines.append(f"| {judgement.kind} | {every:.1f} | {each} |")
    return lines


def _publish(judgements: Sequence[Judgement]) -> None:
    """The scores as CSV, and the plots of the main kind."""
    SCORES.mkdir(exist_ok=True)
    for judgement in judgements:
        _write_csv(SCORES / f"{judgement.kind}.csv", judgement)
    PICTURES.mkdir(parents=True, exist_ok=True)
    main = judgements[0]
    clean = [_finite(r.judged[True].score) for r in main.clean]
    attacked = {f: [_finite(r.judged[True].score) for r in main.of(f)] for f in main.families}
    (PICTURES / "roc.svg").write_text(plots.rocs(clean, attacked))
    (PICTURES / "histograms.svg").write_text(plots.histograms(clean, attacked))


def _write_csv(path: Path, judgement: Judgement) -> None:
    head = ("seed", "role", "name", "works", "success", "accuracy", "victim", "root")
    with path.open("w", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow((*head, "p", "p without data", "by", "named", *judgement.statistics))
        for row in (*judgement.twins, *judgement.clean, *judgement.attacked):
            values = _published(row)
            made, ours, theirs = row.made, row.judged[True], row.judged[False]
            out.writerow(
                (
                    *(made.seed, made.role, made.name, int(made.works) if made.success else ""),
                    *(_short(made.success), _short(made.accuracy), _short(made.victim), made.root),
                    *(_short(ours.p), _short(theirs.p), ours.by, " ".join(map(str, ours.classes))),
                    *(_short(values.get(name)) for name in judgement.statistics),
                )
            )


def _published(row: Row) -> dict[str, float]:
    """The value of each statistic; of a family, of one for each pair of classes, its tail score."""
    values = {v.name: v.value for v in row.scores.values}
    return {name: values.get(name, tail) for name, tail in row.judged[True].tails.items()}


def _short(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"


def _finite(score: float) -> float:
    """A fault counts as more suspicious than any score."""
    return min(score, 1e9)
