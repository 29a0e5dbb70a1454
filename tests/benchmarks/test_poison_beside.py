"""Others' answers counted, at their own thresholds and at as many false alarms as ours."""

from __future__ import annotations

from dataclasses import replace

from benchmarks.poison import beside
from benchmarks.poison.beside import Answer

from tests.benchmarks.test_poison_table import judgement

J = judgement()
ROWS = beside.chosen(J)
CLEAN = [r for r in ROWS if r.planned.attack is None]


def answers(clean: float, attacked: float, *, found: bool = True) -> dict[str, dict[str, Answer]]:
    """One tool that gives clean models, but the first, one score, and attacked ones another."""
    scores = {r.made.root: clean if r in CLEAN else attacked for r in ROWS}
    scores[CLEAN[0].made.root] = 5.0
    return {root: {"tool": Answer(found, score, 1.0)} for root, score in scores.items()}


def test_attacks_that_failed_are_not_compared() -> None:
    assert len(ROWS) == 10 + 2 + 1
    assert all(r.works for r in ROWS if r.planned.attack is not None)


def test_at_no_false_alarm_the_highest_clean_score_is_the_threshold() -> None:
    flips = J.of("FlipLabels")
    for attacked, hits in ((4.0, 0), (5.0, 0), (5.1, 2)):
        assert beside._matched("tool", flips, CLEAN, answers(0.0, attacked)) == hits
    assert beside._matched("tool", CLEAN, CLEAN, answers(0.0, 9.0)) == 0


def test_a_tool_that_finds_more_is_counted() -> None:
    for attacked, behind in ((4.0, 0), (6.0, 1)):  # ours finds one of two flips, and the stamp
        (bar,) = beside.bars(J, answers(0.0, attacked))
        assert bar.value == behind
        assert bar.met is (behind == 0)


def test_what_could_not_run_is_said_and_never_found() -> None:
    broken = {
        root: {**of, "other": Answer(found=False, score=9.0, seconds=0.1, error="no such layer")}
        for root, of in answers(0.0, 6.0).items()
    }
    text = "\n".join(beside.text(J, broken))
    assert "- other did not run on 13 models: no such layer" in text
    assert "other |" not in text
    assert "| FlipLabels | 1 of 2 | 2 | 2 |" in text
    one = next(iter(broken))
    broken[one]["other"] = replace(broken[one]["other"], error="")
    assert "other |" in "\n".join(beside.text(J, broken))
