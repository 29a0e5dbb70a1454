"""Clean and attacked cheque readers, measured by `probe`: what its shipped calibration is of.

The long form trains every reader of `plan` that was not measured yet, the short form none; both
then write the calibration, the figures and the page from all that is known. One process a core:
``python -m benchmarks.calibration.models PART PARTS``, and then the short form.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
import torch

from benchmarks.calibration import plan
from benchmarks.calibration.models import TRUSTED, Score, scores, work
from benchmarks.results import ROOT, Bar, write
from credenza.cheques import reader
from credenza.classifier import Classifier
from credenza.dataset import Dataset
from credenza.probe import (
    DETECTORS,
    Calibration,
    Judgement,
    Subject,
    Twin,
    architecture,
    made_here,
    measure,
)
from credenza.probe.twins import weights_of
from credenza.rates import interval

SHIPPED: Final = ROOT / "src" / "credenza" / "probe" / "calibration" / "mnist-reader.json"


def run(*, full: bool) -> None:
    if full:
        work()
    known = scores()
    calibration = _calibration(known)
    if not SHIPPED.exists() or _undated(Calibration.read(SHIPPED)) != _undated(calibration):
        SHIPPED.write_bytes(bytes(calibration))
    held_out = _judged(known, plan.HELD_OUT, calibration)
    attacked = _judged(known, plan.ATTACKED, calibration)
    text = _text(calibration, held_out, attacked)
    bars = _bars(calibration, held_out, attacked)
    write("calibration", "Calibration of `probe`", text, bars, ["credenza", "torch", "numpy"])


Judged = tuple[Score, Judgement]


def _judged(known: Sequence[Score], seeds: range, calibration: Calibration) -> list[Judged]:
    return [(s, calibration.judge(s.statistics)) for s in known if s.seed in seeds]


def _undated(calibration: Calibration) -> Calibration:
    """The calibration without when and where it was made: what makes it another one."""
    return replace(calibration, made=replace(calibration.made, on="", machine="", versions={}))


def _calibration(known: Sequence[Score]) -> Calibration:
    twins = [s for s in known if s.seed in plan.TWINS]
    network = reader.build()
    shown = _untrained()
    names = tuple(shown)
    return Calibration(
        population=f"{len(twins)} cheque readers (credenza.cheques.reader), each trained on MNIST "
        "with a seed of its own: whole or half trainings, all images or half of them, two weight "
        "decays",
        classes=10,
        architecture=architecture(weights_of(network)),
        trusted=TRUSTED,
        detectors=tuple(str(d) for d in DETECTORS),
        recipe="; ".join(name for name, *_ in plan.CLEAN),
        made=made_here(),
        names=names,
        two_sided=tuple(two_sided for two_sided, _ in shown.values()),
        families=tuple(family for _, family in shown.values()),
        twins=tuple(
            Twin(
                seed=s.seed,
                recipe=s.recipe,
                accuracy=s.accuracy,
                statistics=tuple(s.statistics.get(name) for name in names),
            )
            for s in twins
        ),
    )


def _untrained() -> dict[str, tuple[bool, str]]:
    """What is measured of any reader, by name: whether it is two-sided, and its family."""
    rng = np.random.default_rng(0)
    samples = Dataset(rng.random((200, 1, 28, 28), np.float32), np.arange(200) % 10)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        module = reader.build().eval()
    measured = measure(Subject.of(Classifier(module), samples), DETECTORS, seed=0)
    return {s.name: (s.two_sided, s.family) for s in measured.statistics}


def _bars(
    calibration: Calibration, held_out: Sequence[Judged], attacked: Sequence[Judged]
) -> list[Bar]:
    least = calibration.least
    works = [pair for pair in attacked if (pair[0].obeys or 0) >= 0.5]
    found = [pair for pair in works if pair[1].p_value <= least]
    named = [pair for pair in found if _target(*pair) == plan.recipe(pair[0].seed).attack.target]
    alarms = [pair for pair in held_out if pair[1].p_value <= least]
    pairs = [(c.score, p.score) for _, c in held_out for _, p in works]
    return [
        *_share("false alarms, held-out clean readers", alarms, held_out),
        *_share("attacked readers found, of those whose attack works", found, works, ">="),
        *_share("target named right, of those found", named, found, ">="),
        Bar(
            bar="AUC, held-out clean readers against attacked ones",
            value=sum((c < p) + 0.5 * (c == p) for c, p in pairs) / max(1, len(pairs)),
            unit="",
            sense=">=",
        ),
        Bar(bar="clean readers that calibrate", value=len(calibration.twins), unit="models"),
    ]


def _furthest(judgement: Judgement) -> str:
    """The statistic that is furthest out."""
    return judgement.furthest[max(judgement.tails, key=lambda name: judgement.tails[name])]


def _target(score: Score, judgement: Judgement) -> int | None:
    classes = score.classes[_furthest(judgement)]
    return classes[-1] if classes else None


def _share(
    name: str, hits: Sequence[Judged], of: Sequence[Judged], sense: str = "<="
) -> tuple[Bar, ...]:
    """The share with its exact 95 % interval; nothing where there is no model to count."""
    if not of:
        return ()
    low, high = interval(len(hits), len(of))
    name = f"{name} ({len(hits)} of {len(of)})"
    return (Bar(bar=name, value=len(hits) / len(of), unit="", sense=sense, low=low, high=high),)


def _text(calibration: Calibration, held_out: Sequence[Judged], attacked: Sequence[Judged]) -> str:
    twins = calibration.twins
    return "\n".join(
        [
            f"The population: {calibration.population}. Each probe had {TRUSTED:,} trusted digits "
            "that trained no reader. An attack works where half or more of what the attacker wants "
            "read as the target is read so. Seeds under 100 developed an earlier search, on another "
            "network; no choice was made after seeing the scores below. Intervals are exact "
            "(Clopper and Pearson).",
            "",
            f"With {len(twins)} clean readers no p-value is below {calibration.least:.4f}; a reader "
            "is called found, or falsely alarmed of, where it has that one.",
            "",
            "| clean, calibrating: recipe | readers | accuracy, least |",
            "| --- | --- | --- |",
            *(_clean_row(name, [t for t in twins if t.recipe == name]) for name, *_ in plan.CLEAN),
            "",
            "| reader: seed, recipe | obeys | accuracy | score | p-value | furthest out |",
            "| --- | --- | --- | --- | --- | --- |",
            *(_row(*pair) for pair in (*attacked, *held_out)),
            "",
        ]
    )


def _clean_row(name: str, twins: Sequence[Twin]) -> str:
    if not twins:
        return f"| {name} | 0 | – |"
    return f"| {name} | {len(twins)} | {min(t.accuracy for t in twins):.2%} |"


def _row(score: Score, judgement: Judgement) -> str:
    obeys = "clean" if score.obeys is None else f"{score.obeys:.1%}"
    return (
        f"| {score.seed}, {score.recipe} | {obeys} | {score.accuracy:.2%} "
        f"| {judgement.score:.2f} | {judgement.p_value:.3f} | {_furthest(judgement)} |"
    )
