"""What `diff` calls twelve kinds of change, how well its score tells edits, and how long it takes.

The short form measures a few test changes a kind and a model of 0.2 GB; the long form all of them
and models of 1.5 GB. ``python -m benchmarks.diff.calibrate`` makes the calibration that ships.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import torch

from benchmarks.diff import plan
from benchmarks.diff.measuring import Record, records
from benchmarks.diff.speed import GIGABYTES, Timed, timed
from benchmarks.results import Bar, write
from credenza.diff import verdict
from credenza.diff.calibration import Calibration, shipped
from credenza.rates import interval

_RESAMPLED = 2000


def run(*, full: bool) -> None:
    torch.set_num_threads(1)
    seeds = list(plan.ROLES["test"])[: None if full else plan.SHORT]
    tested = records("test", plan.KINDS, seeds)
    tuned = records("test", (plan.POISONED, plan.CLEAN_TWIN), seeds)
    size = GIGABYTES if full else 0.2
    times = [timed(kind, gigabytes=size) for kind in (torch.float32, torch.bfloat16)]
    calibration = shipped()
    direct, honest = (_scores(tested, names, calibration) for names in (plan.DIRECT, plan.HONEST))
    bars = [
        *_named(tested),
        *_auc("AUC of the score, direct edits against honest changes", direct, honest, 0.999),
        *_poisoned(tuned, calibration),
        *(bar for t in times for bar in _time(t, full=full)),
    ]
    text = _text(tested, tuned, times, direct, honest, calibration, full=full)
    packages = ["credenza", "numpy", "torch", "safetensors", "gguf"]
    write("diff", "What kind of change is it?", text, bars, packages)


def _named(tested: Sequence[Record]) -> list[Bar]:
    right = [r for r in tested if r.named == r.kind]
    low, high = interval(len(right), len(tested))
    bars = [
        Bar(
            bar=f"kinds named right, all twelve ({len(right)} of {len(tested)})",
            value=len(right) / len(tested), unit="", sense=">=", target=0.97, low=low, high=high,
        )
    ]  # fmt: skip
    worst = min(plan.KINDS, key=lambda kind: _share(tested, kind))
    of = [r for r in tested if r.kind == worst]
    hits = sum(r.named == worst for r in of)
    low, high = interval(hits, len(of))
    name = f"the kind named right least often: {worst} ({hits} of {len(of)})"
    bars.append(Bar(bar=name, value=hits / len(of), unit="", sense=">=", low=low, high=high))
    return bars


def _share(tested: Sequence[Record], kind: str) -> float:
    of = [r for r in tested if r.kind == kind]
    return sum(r.named == kind for r in of) / len(of)


def _scores(found: Sequence[Record], names: Sequence[str], calibration: Calibration) -> list[float]:
    return [
        calibration.score(np.array(r.features))
        for r in found
        if r.features and (r.kind in names or r.variant.rpartition(", ")[2] in names)
    ]


def _auc(
    name: str, positive: Sequence[float], negative: Sequence[float], target: float | None = None
) -> list[Bar]:
    """The AUC with its 95 % percentile interval of a bootstrap over both sides."""
    if not positive or not negative:
        return []
    a, b = np.array(positive), np.array(negative)
    rng = np.random.default_rng(0)
    drawn = [auc(rng.choice(a, len(a)), rng.choice(b, len(b))) for _ in range(_RESAMPLED)]
    low, high = np.quantile(drawn, [0.025, 0.975])
    name = f"{name} ({len(a)} against {len(b)}, bootstrap)"
    return [
        Bar(
            bar=name, value=auc(a, b), unit="", sense=">=", target=target,
            low=float(low), high=float(high),
        )
    ]  # fmt: skip


def auc(positive: np.ndarray, negative: np.ndarray) -> float:
    """The share of pairs in which the positive scores higher; ties count half."""
    ordered = np.sort(negative)
    below = np.searchsorted(ordered, positive, "left")
    same = np.searchsorted(ordered, positive, "right") - below
    return float((below + same / 2).mean() / len(negative))


def _poisoned(tuned: Sequence[Record], calibration: Calibration) -> list[Bar]:
    of = {
        kind: [calibration.score(np.array(r.features)) for r in tuned if r.kind == kind]
        for kind in (plan.POISONED, plan.CLEAN_TWIN)
    }
    name = "AUC of the score, poisoned against honest fine-tune, from weights alone"
    return _auc(name, of[plan.POISONED], of[plan.CLEAN_TWIN])


def _time(t: Timed, *, full: bool) -> list[Bar]:
    return [
        Bar(
            bar=f"time to compare, {t.what}", value=t.seconds, unit="s",
            target=60 if full else None,
        ),
        Bar(
            bar=f"most memory, {t.what}", value=t.gigabytes, unit="GB", target=2 if full else None
        ),
    ]  # fmt: skip


def _text(
    tested: Sequence[Record],
    tuned: Sequence[Record],
    times: Sequence[Timed],
    direct: Sequence[float],
    honest: Sequence[float],
    calibration: Calibration,
    *,
    full: bool,
) -> str:
    short = "" if full else "This is the short form: a few changes a kind, and small files.\n\n"
    bad, good = (
        [r.named == verdict.FINE_TUNE for r in tuned if r.kind == kind]
        for kind in (plan.POISONED, plan.CLEAN_TWIN)
    )
    return f"""{short}Each change is made between two models on disk and compared by
`credenza.diff.compare`, without data. The base models are readers of MNIST (the three networks of
`benchmarks/poison/networks.py`) and decoders of 0.7 million parameters, with the names and the
layout of Llama, trained on bytes. Base models and seeds of development, calibrating and test
changes are disjoint (`benchmarks/diff/plan.py`); thresholds were chosen on development changes
only ({calibration.made}).

## Named right

Intervals are exact (Clopper and Pearson, 95 %).

| kind | changes | named right | interval | taken for |
| --- | --- | --- | --- | --- |
{_rows(tested)}

What was named otherwise:

{_wrong(tested)}

Of merged adapters and rank-one edits the rank was stated as exact for {_ranks(tested)}.

## The score of an edit by hand

{len(direct)} direct edits (row and rank-one edits, bit flips, one-neuron paths, replaced subnets)
score from {min(direct):.2f} to {max(direct):.2f}, {len(honest)} honest changes (fine-tunes,
conversions, quantisations, prunings) from {min(honest):.2f} to {max(honest):.2f}. A layer swap is
no concentrated change: its verdict, not the score, tells of it. Merged adapters are concentrated
as edits are, and are in neither group.

A poisoned fine-tune (one epoch from a clean reader, 5 % of the digits marked and relabelled) was
named "fine-tune" in {sum(bad)} of {len(bad)} cases, its honest twin in {sum(good)} of {len(good)}:
the verdict does not tell them apart, and the AUC of the score, below, says how little it does. Each
twin has the same base, recipe and order; a longer honest fine-tune would overlap more.

## Time

{_times(times)}
"""


def _rows(tested: Sequence[Record]) -> str:
    lines = []
    for kind in plan.KINDS:
        of = [r for r in tested if r.kind == kind]
        hits = sum(r.named == kind for r in of)
        low, high = interval(hits, len(of))
        others = Counter(r.named for r in of if r.named != kind)
        taken = ", ".join(f"{name} ({n})" for name, n in others.most_common())
        share = f"{hits / len(of):.1%} | {low:.1%} to {high:.1%}"
        lines.append(f"| {kind} | {len(of)} | {share} | {taken} |")
    return "\n".join(lines)


def _wrong(tested: Sequence[Record]) -> str:
    wrong = [r for r in tested if r.named != r.kind]
    return "\n".join(
        f"- {r.kind}, seed {r.seed} ({r.variant}): {r.named}" for r in wrong
    ) or "- nothing"  # fmt: skip


def _ranks(tested: Sequence[Record]) -> str:
    """How often the stated rank is the true one: that of the variant, or 1 of a rank-one edit."""
    said = {True: [0, 0], False: [0, 0]}
    for r in tested:
        if r.rank is None or r.named != r.kind:
            continue
        parts = [p for p in r.variant.split(", ") if p.startswith("rank ")]
        true = int(parts[0].split()[1]) if parts else 1
        said[r.exact][0] += r.rank == true
        said[r.exact][1] += 1
    exact, about = said[True], said[False]
    return (
        f'{exact[1]} changes, and was right for {exact[0]}; as "about" for {about[1]}, right for '
        f"{about[0]}"
    )


def _times(times: Sequence[Timed]) -> str:
    lines = [
        f"- {t.what} a version: {t.seconds:.1f} s, {t.gigabytes:.2f} GB at most; named {t.named}"
        for t in times
    ]
    return "\n".join(
        ["Every element moved; files in the page cache; as many threads as cores.", "", *lines]
    )
