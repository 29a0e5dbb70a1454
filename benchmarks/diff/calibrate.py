"""Fit thresholds and score on development changes, count on calibrating ones, and ship both.

``python -m benchmarks.diff.calibrate`` writes ``src/credenza/diff/calibration.json``. Verdicts are
of the thresholds that were just fitted: calibrating changes are measured after these are in place.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import math
import sys
from collections.abc import Sequence

import msgspec
import numpy as np
import torch
from sklearn.linear_model import LogisticRegression

from benchmarks.diff import plan
from benchmarks.diff.measuring import Record, records
from benchmarks.results import ROOT, commit
from credenza.diff import calibration, verdict
from credenza.diff.calibration import Calibration, Confirmed

SHIPPED = ROOT / "src" / "credenza" / "diff" / "calibration.json"


def main() -> None:
    torch.set_num_threads(1)
    fitted = fit(records("development", plan.KINDS, plan.ROLES["development"]))
    _ship(fitted)
    counted = count(fitted, records("calibrating", plan.KINDS, plan.ROLES["calibrating"]))
    _ship(counted)


def fit(found: Sequence[Record]) -> Calibration:
    """Thresholds in the widest gap between two kinds, and a logistic regression."""
    kinds = {kind: [r for r in found if r.kind == kind] for kind in plan.KINDS}
    tuned = [r for r in kinds[verdict.FINE_TUNE] if r.least is not None]
    foreign = max(r.correlation for r in kinds[verdict.FOREIGN] if r.correlation is not None)
    descendant = min(r.least for r in tuned if r.least is not None)
    if foreign >= descendant:  # no gap: nothing between the two is called either
        foreign, descendant = descendant, foreign
    gap = descendant - foreign
    steep = max(r.step for r in [*tuned, *kinds[verdict.QUANTISATION]] if r.step is not None)
    merged = min(r.step for r in kinds[verdict.LORA] if r.step and r.step > 1)
    print(f"steps: others up to {steep:.3g}, merged from {merged:.3g}", file=sys.stderr)
    direct, honest = (_of(found, names) for names in (plan.DIRECT, plan.HONEST))
    model, means, scales = _regression(direct, honest)
    return Calibration(
        population="development changes of readers of MNIST and small decoders over bytes "
        "(benchmarks/diff/plan.py)",
        made=f"{dt.datetime.now(dt.UTC).date()}, commit {commit()}, benchmarks/diff/calibrate.py",
        unrelated=round(foreign + gap / 3, 4),
        related=round(foreign + 2 * gap / 3, 4),
        step=round(math.sqrt(steep * merged) if merged > steep else 1.05 * steep, 4),
        turned=round(min(r.turned for r in tuned if r.turned is not None) / 2, 4),
        means=tuple(np.round(means, 5).tolist()),
        scales=tuple(np.round(scales, 5).tolist()),
        weights=tuple(np.round(model.coef_[0], 5).tolist()),
        bias=round(float(model.intercept_[0]), 5),
        honest=(0.0,),
        confirmed=(),
    )


def count(fitted: Calibration, found: Sequence[Record]) -> Calibration:
    """How the calibrating changes were named, and what the honest ones of them score."""
    scores = sorted(fitted.score(np.array(r.features)) for r in _of(found, plan.HONEST))
    size = len(plan.ROLES["calibrating"])
    return dataclasses.replace(
        fitted,
        population=f"{size} calibrating changes of each kind, of readers of MNIST and small "
        "decoders over bytes (benchmarks/diff/plan.py)",
        honest=tuple(round(s, 4) for s in scores),
        confirmed=tuple(
            Confirmed(
                kind=kind,
                right=sum(r.named == kind for r in found if r.kind == kind),
                of=sum(r.kind == kind for r in found),
            )
            for kind in plan.KINDS
        ),
    )


def _of(found: Sequence[Record], names: Sequence[str]) -> list[Record]:
    """Records of those kinds, or of those variants of "none of these"."""
    return [
        r
        for r in found
        if r.features and (r.kind in names or r.variant.rpartition(", ")[2] in names)
    ]


def _regression(
    direct: Sequence[Record], honest: Sequence[Record]
) -> tuple[LogisticRegression, np.ndarray, np.ndarray]:
    rows = np.array([r.features for r in [*direct, *honest]])
    means, scales = rows.mean(axis=0), rows.std(axis=0) + 1e-9
    labels = [1] * len(direct) + [0] * len(honest)
    model = LogisticRegression(C=1.0, class_weight="balanced", max_iter=1000)
    return model.fit((rows - means) / scales, labels), means, scales


def _ship(made: Calibration) -> None:
    SHIPPED.write_bytes(msgspec.json.format(msgspec.json.encode(made), indent=1) + b"\n")
    calibration.shipped.cache_clear()
    print(made, file=sys.stderr)


if __name__ == "__main__":
    main()
