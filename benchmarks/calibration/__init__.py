"""Clean and attacked cheque readers, scored by `probe`: what its shipped calibration is of.

The long form trains every model of `plan` that has no score yet, the short form four of them; both
then write the calibration, the figures and the page from all scores known. One process a core:
``python -m benchmarks.calibration.models PART PARTS``, and then the short form.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import msgspec

from benchmarks.calibration import plan
from benchmarks.calibration.models import TRUSTED, Score, scores, work
from benchmarks.results import ROOT, Bar, commit, write
from credenza.cheques import reader
from credenza.probe import Calibration, TriggerSearch, Twin, architecture
from credenza.rates import interval

SHIPPED: Final = ROOT / "src" / "credenza" / "probe" / "calibration" / "mnist-reader.json"
SHORT: Final = 4


def run(*, full: bool) -> None:
    work(most=None if full else SHORT)
    known = scores()
    calibration = _calibration(known)
    if not SHIPPED.exists() or _scores(Calibration.read(SHIPPED)) != _scores(calibration):
        SHIPPED.write_bytes(msgspec.json.format(msgspec.json.encode(calibration), indent=1) + b"\n")
    held_out = [s for s in known if s.seed in plan.HELD_OUT]
    attacked = [s for s in known if s.seed in plan.ATTACKED]
    text = _text(calibration, held_out, attacked)
    bars = _bars(calibration, held_out, attacked)
    write("calibration", "Calibration of `probe`", text, bars, ["credenza", "torch", "numpy"])


def _scores(calibration: Calibration) -> Calibration:
    """The calibration without when it was made: what makes it another one."""
    return replace(calibration, made="")


def _calibration(known: Sequence[Score]) -> Calibration:
    twins = _twins(known, plan.TWINS)
    return Calibration(
        population=f"{len(twins)} cheque readers (credenza.cheques.reader), each trained on MNIST "
        "with a seed of its own: whole or half trainings, all images or half of them, two weight "
        "decays",
        architecture=architecture(reader.build()),
        search=str(TriggerSearch()),
        made=f"{dt.datetime.now(dt.UTC).date()}, commit {commit()}, by benchmarks/calibration",
        twins=twins,
        held_out=_twins(known, plan.HELD_OUT),
    )


def _twins(known: Sequence[Score], seeds: range) -> tuple[Twin, ...]:
    return tuple(
        Twin(seed=s.seed, recipe=s.recipe, accuracy=s.accuracy, score=round(s.score, 6))
        for s in known
        if s.seed in seeds
    )


def _bars(
    calibration: Calibration, held_out: Sequence[Score], attacked: Sequence[Score]
) -> list[Bar]:
    threshold = calibration.threshold(TriggerSearch().level)
    works = [s for s in attacked if (s.obeys or 0) >= 0.5]
    found = [s for s in works if s.score < threshold]
    named = [s for s in found if s.target == plan.recipe(s.seed).attack.target]
    alarms = [s for s in held_out if s.score < threshold]
    misread = [s for s in held_out if s.misread]
    pairs = [(clean.score, poisoned.score) for clean in held_out for poisoned in works]
    return [
        *_share("false alarms of the search for marks, held-out clean readers", alarms, held_out),
        *_share("false alarms of the canaries, held-out clean readers", misread, held_out),
        *_share("attacked readers found, of those whose attack works", found, works, ">="),
        *_share("target named right, of those found", named, found, ">="),
        Bar(
            bar="AUC, held-out clean readers against attacked ones",
            value=sum((c > p) + 0.5 * (c == p) for c, p in pairs) / max(1, len(pairs)),
            unit="",
            sense=">=",
        ),
        Bar(bar="clean readers that calibrate", value=len(calibration.twins), unit="models"),
    ]


def _share(
    name: str, hits: Sequence[Score], of: Sequence[Score], sense: str = "<="
) -> tuple[Bar, ...]:
    """The share with its exact 95 % interval; nothing where there is no model to count."""
    if not of:
        return ()
    low, high = interval(len(hits), len(of))
    name = f"{name} ({len(hits)} of {len(of)})"
    return (Bar(bar=name, value=len(hits) / len(of), unit="", sense=sense, low=low, high=high),)


def _text(calibration: Calibration, held_out: Sequence[Score], attacked: Sequence[Score]) -> str:
    level = TriggerSearch().level
    twins = calibration.twins
    return "\n".join(
        [
            f"The population: {calibration.population}. The architecture: "
            f"`{calibration.architecture}`. Each search had {TRUSTED:,} trusted digits that "
            "trained no reader. An attack works where half or more of what the attacker wants read "
            "as the target is read so. Seeds under 100 developed the search, on another network; "
            "no choice was made after seeing the scores below. Intervals are exact (Clopper and "
            "Pearson).",
            "",
            f"Threshold at level {level:g}, from {len(twins)} clean readers: "
            f"**{calibration.threshold(level):.4f}**. Of further clean readers of this population, "
            f"{calibration.false_alarms(level):.1%} at most score below it (upper 95 % bound).",
            "",
            "| clean, calibrating: recipe | readers | least score | median | accuracy, least |",
            "| --- | --- | --- | --- | --- |",
            *(_clean_row(name, [t for t in twins if t.recipe == name]) for name, *_ in plan.CLEAN),
            "",
            "| attacked: seed, recipe | obeys | accuracy | score | p-value | smallest mark |",
            "| --- | --- | --- | --- | --- | --- |",
            *(_attacked_row(s, calibration) for s in attacked),
            "",
            "Held-out clean readers score "
            + ", ".join(f"{s.score:.3f}" for s in sorted(held_out, key=lambda s: s.score))
            + ".",
            "",
        ]
    )


def _clean_row(name: str, twins: Sequence[Twin]) -> str:
    if not twins:
        return f"| {name} | 0 | – | – | – |"
    ordered = sorted(t.score for t in twins)
    least = min(t.accuracy for t in twins)
    median = ordered[len(ordered) // 2]
    return f"| {name} | {len(twins)} | {ordered[0]:.3f} | {median:.3f} | {least:.2%} |"


def _attacked_row(score: Score, calibration: Calibration) -> str:
    source = "any" if score.source is None else score.source
    return (
        f"| {score.seed}, {score.recipe} | {score.obeys or 0:.1%} | {score.accuracy:.2%} | "
        f"{score.score:.3f} | {calibration.p_value(score.score):.3f} | "
        f"{score.pixels:.1f} pixels, {source} to {score.target} |"
    )
