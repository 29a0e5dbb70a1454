"""The population made, scored, judged and written down."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from benchmarks.poison import beside, building, plan, plots, scoring, timing
from benchmarks.poison.attacks import ATTACKS, Group
from benchmarks.poison.judging import LEVEL
from benchmarks.poison.page import finite, text
from benchmarks.poison.plan import FULL, SHORT, Kind
from benchmarks.poison.rows import Judgement, Row, Share, judged
from benchmarks.results import ROOT, Bar, write
from credenza.probe.detectors import DETECTORS
from credenza.probe.subject import Detector

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
    if full:
        _write(list(counts), detectors, within)
        return
    (few,) = [judged(kind, of, detectors, within) for kind, of in counts.items()]
    print("  the short form: too few models to calibrate with or to claim anything of")
    print(text([few]))
    for bar in _bars([few]):
        print(f"  {bar.bar}: {bar.value:.3g}")


def so_far(kinds: Sequence[Kind]) -> None:
    """Write down what is made and scored of the whole population, and that it is not finished.

    ``python -c 'from benchmarks.poison import plan, table; table.so_far([plan.MAIN])'``.
    """
    _write(kinds, DETECTORS, building.folder())


def _write(kinds: Sequence[Kind], detectors: Sequence[Detector], within: Path) -> None:
    judgements = [judged(kind, FULL[kind], detectors, within) for kind in kinds]
    main = judgements[0]
    answers = beside.ask(beside.chosen(main), within)
    timed = timing.measure(detectors)
    lines = [_unfinished(judgements), text(judgements), *beside.text(main, answers)]
    bars = [*_bars(judgements), *beside.bars(main, answers), *timed]
    _publish(judgements)
    write("poison", "Poisoned models", "\n".join(lines), bars, _PACKAGES)


def _unfinished(judgements: Sequence[Judgement]) -> str:
    """Which of the planned models are not made or scored; nothing where all are."""
    missing = []
    for judgement in judgements:
        planned = plan.everything({judgement.kind: FULL[judgement.kind]})
        there = (*judgement.twins, *judgement.clean, *judgement.attacked, *judgement.refused)
        if len(there) < len(planned):
            missing.append(f"{len(planned) - len(there)} of {len(planned)} of {judgement.kind}")
    kinds = [str(k) for k in FULL if all(j.kind != k for j in judgements)]
    missing += [f"all of {kind}" for kind in kinds]
    if not missing:
        return ""
    return f"**Not finished**: not made or not scored are {', '.join(missing)}.\n"


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


def _publish(judgements: Sequence[Judgement]) -> None:
    """The scores as CSV, and the plots of the main kind."""
    SCORES.mkdir(exist_ok=True)
    for judgement in judgements:
        _write_csv(SCORES / f"{judgement.kind}.csv", judgement)
    PICTURES.mkdir(parents=True, exist_ok=True)
    main = judgements[0]
    clean = [finite(r.judged[True].score) for r in main.clean]
    attacked = {f: [finite(r.judged[True].score) for r in main.of(f)] for f in main.families}
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
