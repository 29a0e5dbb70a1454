from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import credenza
from credenza.attack import FlipLabels, StampMark
from credenza.audit import Audit, Detector, Mahalanobis, TrustedSeed
from credenza.classifier import Classifier
from credenza.dataset import Dataset
from credenza.errors import InputError
from credenza.findings import Severity
from tests.audit.samples import FLIPPED, STAMPED, altered, digits, trained

BOTH = (TrustedSeed(), Mahalanobis())


def examine(attack: StampMark | FlipLabels, detectors: tuple[Detector, ...] = BOTH) -> Audit:
    return credenza.audit(
        altered(attack)[0], digits()[1], detectors, seed=0, classifier=trained(attack)
    )


@pytest.mark.parametrize("attack", [STAMPED, FLIPPED], ids=["stamped", "flipped"])
@pytest.mark.parametrize("detectors", [BOTH[:1], BOTH], ids=["seed", "both"])
def test_names_what_was_altered(
    attack: StampMark | FlipLabels, detectors: tuple[Detector, ...]
) -> None:
    found = examine(attack, detectors)
    truth = altered(attack)[1]
    flagged = set(found.flagged)
    assert len(flagged & truth) >= 0.9 * len(truth)
    assert len(flagged & truth) >= 0.9 * len(flagged)
    worst = found.report.findings[0]
    assert worst.rule == "audit.altered-pair"
    assert worst.where.classes == (2, 5)
    assert worst.severity is found.report.worst is Severity.HIGH


def test_an_honest_sample_with_ink_where_the_mark_is_is_kept() -> None:
    data, truth = altered(STAMPED)
    twos = np.setdiff1d(np.flatnonzero(data.labels == 2), sorted(truth))[:40]
    inputs = data.inputs.copy()
    inputs[twos] = STAMPED.mark.stamp(inputs[twos])
    found = credenza.audit(Dataset(inputs, data.labels), digits()[1], BOTH[:1], seed=0)
    assert len(set(found.flagged) & truth) >= 0.9 * len(truth)
    assert len(set(found.flagged) & set(twos.tolist())) <= 4


def test_finds_nothing_where_nothing_was_altered() -> None:
    data, trusted = digits()
    found = credenza.audit(data, trusted, BOTH, seed=0, classifier=trained())
    assert not found.flagged
    assert not found.report.findings
    assert found.report.uncovered


def test_labels_changed_over_all_classes_are_one_finding() -> None:
    data, trusted = digits()
    rng = np.random.default_rng(4)
    changed = rng.permutation(len(data))[:120]
    labels = data.labels.copy()
    labels[changed] = (labels[changed] + rng.integers(1, 10, 120)) % 10
    found = credenza.audit(Dataset(data.inputs, labels), trusted, BOTH[:1], seed=0)
    assert [f.rule for f in found.report.findings] == ["audit.altered-samples"]
    assert len(set(found.flagged) & set(changed.tolist())) >= 100


def test_the_pictures_show_samples_and_the_mark() -> None:
    samples, mark = examine(STAMPED).report.findings[0].pictures
    assert (samples.width, samples.height) == (8 * 8, 8)
    brightness = np.frombuffer(mark.pixels, np.uint8).reshape(8, 8)
    assert set(np.argsort(brightness.ravel())[-2:]) == {6 * 8 + 7, 7 * 8 + 7}


def test_the_same_seed_gives_the_same_audit() -> None:
    one, two = examine(STAMPED), examine(STAMPED)
    assert one.report == two.report
    assert np.array_equal(one.p_values, two.p_values)


def test_figures_say_what_chance_explains() -> None:
    figures = {f.name: f.value for f in examine(STAMPED).report.figures}
    assert figures["samples that look altered by chance"] == pytest.approx(0.01 * 1197)
    assert 0.1 < figures["smallest share that can be proven"] < 0.2


DATA, TRUSTED = digits()


@pytest.mark.parametrize(
    ("data", "trusted", "says"),
    [
        (DATA.take(np.arange(0)), TRUSTED, "data: samples expected"),
        (DATA, TRUSTED.take(np.arange(10)), "samples or more of each class"),
        (DATA, TRUSTED.take(TRUSTED.labels != 7), "class 7 has 0"),
        (DATA, TRUSTED.take(np.arange(150)), "199 samples or more expected"),
        (Dataset(DATA.inputs * np.float32(np.nan), DATA.labels), TRUSTED, "data: finite"),
        (Dataset(DATA.inputs[:, :, 1:], DATA.labels), TRUSTED, r"shape \(1, 7, 8\)"),
        (Dataset(DATA.inputs, DATA.labels - 1), TRUSTED, "labels from 0 up"),
        (DATA.take(DATA.labels == 0), TRUSTED.take(TRUSTED.labels == 0), "two classes"),
    ],
)
def test_what_cannot_be_judged_is_refused(data: Dataset, trusted: Dataset, says: str) -> None:
    with pytest.raises(InputError, match=says):
        credenza.audit(data, trusted, BOTH, seed=0, classifier=trained())


def test_a_missing_classifier_and_missing_detectors_are_refused() -> None:
    with pytest.raises(InputError, match="none given"):
        credenza.audit(DATA, TRUSTED, BOTH, seed=0)
    with pytest.raises(InputError, match="no detectors"):
        credenza.audit(DATA, TRUSTED, (), seed=0)
    with pytest.raises(InputError, match="level"):
        credenza.audit(DATA, TRUSTED, BOTH, seed=0, level=0.0)
    with pytest.raises(InputError, match="shrinkage"):
        replace(Mahalanobis(), shrinkage=0.0)


def test_a_model_without_finite_features_is_refused() -> None:
    broken = Classifier(trained().module)
    inputs = np.full_like(DATA.inputs, np.finfo(np.float32).max)
    with pytest.raises(InputError, match="finite features"):
        credenza.audit(
            Dataset(inputs, DATA.labels), TRUSTED, (Mahalanobis(),), seed=0, classifier=broken
        )
