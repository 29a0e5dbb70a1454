"""What came of the population, in Markdown."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchmarks.poison.attacks import ATTACKS
from benchmarks.poison.judging import LEVEL, area
from benchmarks.poison.rows import Judgement, Row, Share


def text(judgements: Sequence[Judgement]) -> str:
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
        [finite(r.judged[True].score) for r in judgement.clean],
        [finite(r.judged[True].score) for r in rows],
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


def finite(score: float) -> float:
    """A fault counts as more suspicious than any score."""
    return min(score, 1e9)
