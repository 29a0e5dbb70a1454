"""Scores judged, counted, written and drawn."""

from __future__ import annotations

import csv
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
from benchmarks.poison import building, page, plan, plots, scoring, table
from benchmarks.poison.building import Made
from benchmarks.poison.judging import Judge, area
from benchmarks.poison.plan import MAIN
from benchmarks.poison.rows import Judgement, Row, Share
from benchmarks.poison.scoring import Scores, Value

from credenza.findings import Where
from credenza.probe.subject import Evidence, Measured, Need, Statistic, Subject


def scores(size: float, data: float = 0.0, classes: tuple[int, ...] = (5, 2)) -> Scores:
    """A model with one statistic that needs no data and one that does."""
    values = (
        Value("size", size, False, "", classes, trusted=False),
        Value("data", data, False, "", classes, trusted=True),
    )
    return Scores(values=values, seconds={"Detector()": 1.0})


RNG = np.random.default_rng(0)
TWINS = [scores(*RNG.normal(size=2).tolist()) for _ in range(200)]


def test_an_outlier_is_found_and_an_honest_model_is_not() -> None:
    judge = Judge(TWINS, trusted=True)
    assert judge.judge(scores(9.0)).found
    assert judge.judge(scores(9.0)).by == "size"
    assert judge.judge(scores(9.0)).classes == (5, 2)
    assert not judge.judge(scores(0.0)).found


def test_without_data_what_needs_data_is_left_out() -> None:
    shown = scores(0.0, 9.0)
    assert Judge(TWINS, trusted=True).judge(shown).found
    assert not Judge(TWINS, trusted=False).judge(shown).found


def test_a_fault_and_an_exact_finding_need_no_twins() -> None:
    judge = Judge(TWINS, trusted=True)
    broken = Scores(values=(), seconds={}, fault="not finite")
    assert judge.judge(broken).found
    honest = scores(0.0)
    misread = Scores(values=honest.values, seconds={}, exact=((7, 1),))
    assert judge.judge(misread).found
    assert judge.judge(misread).classes == (7, 1)
    assert not Judge(TWINS, trusted=False).judge(misread).found


def test_false_alarms_are_what_they_are_said_to_be() -> None:
    judge = Judge(TWINS, trusted=True)
    others = [scores(*RNG.normal(size=2).tolist()) for _ in range(1_000)]
    alarms = sum(judge.judge(s).found for s in others)
    assert 0 < alarms <= 30  # 10 expected; 30 would be of a rate of 2 % or more, with certainty


@pytest.mark.parametrize(
    ("clean", "attacked", "value"),
    [([0, 1, 2], [3, 4], 1.0), ([0, 1], [0, 1], 0.5), ([2, 3], [0, 1], 0.0), ([0, 2], [1], 0.5)],
)
def test_area_under_the_curve(clean: list[float], attacked: list[float], value: float) -> None:
    of = area(clean, attacked)
    assert of.value == value
    assert of.low <= value <= of.high


def test_a_share_has_its_interval() -> None:
    assert str(Share(44, 44)) == "100.0% (44 of 44; 92.0% to 100.0%)"
    assert str(Share(0, 0)) == "–"
    assert Share(0, 0).bar("none", "<=", 0.01) == []
    (bar,) = Share(3, 320).bar("alarms", "<=", 0.01)
    assert bar.met
    assert bar.bar == "alarms (3 of 320)"


def row(seed: int, size: float, family: str = "", success: float | None = None) -> Row:
    planned = plan.model(seed, MAIN, family)
    made = Made(
        seed=seed,
        kind=str(MAIN),
        role=planned.role.value,
        name=planned.name,
        plan=str(planned),
        code="",
        accuracy=0.97,
        success=success,
        root=f"{seed:064x}",
    )
    classes = () if planned.attack is None else (planned.attack.target,)
    found = scores(size, classes=classes)
    judges = {trusted: Judge(TWINS, trusted=trusted) for trusted in (True, False)}
    return Row(planned, made, found, {t: j.judge(found) for t, j in judges.items()})


def judgement() -> Judgement:
    return Judgement(
        kind=MAIN,
        twins=tuple(row(2_000_000 + i, 0.0) for i in range(3)),
        clean=tuple(row(3_000_000 + i, 0.1 * i) for i in range(10)),
        attacked=(
            row(4_000_000, 9.0, "FlipLabels", 0.9),
            row(4_000_001, 0.0, "FlipLabels", 0.8),
            row(4_000_002, 0.0, "FlipLabels", 0.1),
            row(4_001_000, 9.0, "StampMark", 0.99),
        ),
        refused=(),
        statistics=("size", "data"),
    )


def test_working_attacks_count_and_failed_ones_are_told_apart() -> None:
    bars = {bar.bar: bar for bar in table._bars([judgement()])}
    assert bars["found: FlipLabels (1 of 2)"].value == 0.5
    assert bars["found: FlipLabels (1 of 2)"].met is False
    assert bars["found: StampMark (1 of 1)"].met
    assert bars["false alarms, 500 trusted samples (0 of 10)"].met
    assert bars["target or pair named right, of those found (2 of 2)"].met
    text = page.text([judgement()])
    assert "- FlipLabels: 1, median success 10.0%; found 0.0% (0 of 1" in text


def test_another_pair_is_not_named_right() -> None:
    one = judgement().attacked[0]
    judged = one.judged[True]
    assert one.named()
    assert one.planned.attack is not None
    target, source = one.planned.attack.target, getattr(one.planned.attack, "source", -1)
    for classes, right in (((source, target), True), ((target, source), False), ((), False)):
        other = type(judged)(0.0, 9.0, "size", classes, {})
        assert Row(one.planned, one.made, one.scores, {True: other}).named() is right


def test_scores_are_written_with_their_roots(tmp_path: Path) -> None:
    table._write_csv(tmp_path / "scores.csv", judgement())
    with (tmp_path / "scores.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 17
    assert rows[0]["root"] == f"{2_000_000:064x}"
    assert rows[-1]["name"] == "StampMark"
    assert rows[-1]["size"] == "9"
    assert [r["works"] for r in rows[-4:]] == ["1", "1", "0", "1"]


def test_plots_are_of_each_attack() -> None:
    values = {"one": [1.0, 2.0], "two & three": [0.0, 1e9]}
    for drawn in (plots.rocs([0.0, 0.5], values), plots.histograms([0.0, 0.5], values)):
        root = ET.fromstring(drawn)  # noqa: S314  ours
        texts = [e.text for e in root.iter("{http://www.w3.org/2000/svg}text")]
        assert texts == ["one", "two & three"]


class Sum:
    """A detector: the sum of all weights, and how many trusted samples there are."""

    needs = frozenset({Need.WEIGHTS, Need.TRUSTED})
    covers = "sums"
    blind = ()

    def __init__(self, scale: float = 1.0) -> None:
        self.scale = scale

    def __str__(self) -> str:
        return f"Sum({self.scale})"

    def measure(self, subject: Subject, *, seed: int) -> Measured:
        assert subject.trusted is not None
        total = self.scale * sum(float(w.sum()) for w in subject.weights.values())
        evidence = Evidence(what="a sum", where=Where(classes=(len(subject.trusted) % 7,)))
        return Measured(
            statistics=(Statistic(name="sum", value=total, definition="a sum", evidence=evidence),)
        )


def test_models_are_scored_once_a_setting(tmp_path: Path) -> None:
    from tests.benchmarks.test_poison_building import clean

    planned = clean()
    building._keep((planned, tmp_path))
    for detectors, lines in (((Sum(),), 1), ((Sum(),), 1), ((Sum(2.0),), 2)):
        scoring.score([planned], detectors, tmp_path, workers=1)
        assert len((tmp_path / "scores.jsonl").read_text().splitlines()) == lines
    (once,) = scoring.scores((Sum(),), tmp_path).values()
    (twice,) = scoring.scores((Sum(2.0),), tmp_path).values()
    assert twice.values[0].value == pytest.approx(2 * once.values[0].value)
    assert once.values[0].classes == (500 % 7,)
    assert once.values[0].trusted
    assert scoring.scores((Sum(), Sum(3.0)), tmp_path) == {}  # one of them is missing
