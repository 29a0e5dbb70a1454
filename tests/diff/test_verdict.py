"""A model as a whole: what was done to it is called by its name, or by none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import save_file

import credenza
from credenza.diff import Verdict, compare, diff
from credenza.diff.calibration import Calibration, parse, shipped
from credenza.errors import InputError
from credenza.findings import Severity

State = dict[str, NDArray[Any]]


def _model(seed: int) -> State:
    rng = np.random.default_rng(seed)
    names = [f"layers.{i}.{part}.weight" for i in range(3) for part in ("up", "down")]
    return {n: rng.normal(size=(64, 64)).astype(np.float32) for n in names}


def _judged(folder: Path, old: State, new: State) -> Verdict:
    for name, state in (("old", old), ("new", new)):
        save_file(state, folder / f"{name}.safetensors")
    both = (credenza.open(folder / f"{name}.safetensors") for name in ("old", "new"))
    return compare(*both).verdict


def _each(change: Callable[[NDArray[Any]], NDArray[Any]]) -> Callable[[State], State]:
    return lambda state: {n: change(a) for n, a in state.items()}


def _one(change: Callable[[NDArray[Any]], NDArray[Any]]) -> Callable[[State], State]:
    def changed(state: State) -> State:
        return {**state, "layers.1.up.weight": change(state["layers.1.up.weight"])}

    return changed


def _noise(*shape: int) -> NDArray[np.float32]:
    return np.random.default_rng(9).normal(size=shape).astype(np.float32)


def _rounded(a: NDArray[Any], top: int, axis: int | None) -> NDArray[Any]:
    step = np.abs(a).max(axis=axis, keepdims=True) / top
    return np.asarray(np.round(a / step) * step, np.float32)


def _adapted(rank: int) -> Callable[[NDArray[Any]], NDArray[Any]]:
    return lambda a: (a + 0.1 * _noise(64, rank) @ _noise(rank, 64)).astype(np.float32)


def _swapped(state: State) -> State:
    a, b = "layers.0.", "layers.2."
    turn = {a: b, b: a, "layers.1.": "layers.1."}
    return {n: state[turn[n[:9]] + n[9:]] for n in state}


def _exchanged(a: NDArray[Any]) -> NDArray[Any]:
    order = np.arange(64)
    order[[2, 5]] = 5, 2
    return np.ascontiguousarray(a[order])


def _flipped(a: NDArray[Any]) -> NDArray[Any]:
    new = a.copy()
    new.view(np.uint32)[3, 4] ^= np.uint32(1 << 29)
    return new


CHANGES: list[tuple[str, Callable[[State], State], str, int | None]] = [
    ("identical", lambda s: s, "identical", None),
    ("half", _each(lambda a: a.astype(np.float16)), "dtype conversion", None),
    ("int8", _each(lambda a: _rounded(a, 127, None)), "quantisation", None),
    ("int8 a row", _each(lambda a: _rounded(a, 127, 1)), "quantisation", None),
    ("int4 a row", _each(lambda a: _rounded(a, 7, 1)), "quantisation", None),
    ("pruned", _each(lambda a: np.where(abs(a) < 0.7, 0, a).astype("f4")), "pruning", None),
    ("tuned", _each(lambda a: a + np.float32(0.1) * _noise(64, 64)), "fine-tune", None),
    ("lora 4", _each(_adapted(4)), "LoRA merge", 4),
    ("lora 1", _each(_adapted(1)), "LoRA merge", 1),
    ("swap", _swapped, "layer swap", None),
    ("rows", _one(_exchanged), "row edit", None),
    ("rank one", _one(_adapted(1)), "rank-one edit", 1),
    ("flip", _one(_flipped), "bit flips", None),
    ("foreign", lambda _: _model(7), "foreign model", None),
    ("one layer anew", _one(lambda _: _noise(64, 64)), "none of these", None),
    ("one layer scaled", _one(lambda a: a * np.float32(1.3)), "none of these", None),
    ("a part", _each(lambda a: np.where(_noise(64, 64) > 1, a + 1, a)), "none of these", None),
]


@pytest.mark.parametrize(
    ("change", "kind", "rank"), [c[1:] for c in CHANGES], ids=[c[0] for c in CHANGES]
)
def test_each_kind_is_named(
    tmp_path: Path, change: Callable[[State], State], kind: str, rank: int | None
) -> None:
    old = _model(0)
    verdict = _judged(tmp_path, old, change(old))
    assert (verdict.kind, verdict.rank) == (kind, rank), verdict
    assert (verdict.score is None) == (kind == "identical")


def test_an_edit_hidden_in_a_quantisation_is_none(tmp_path: Path) -> None:
    """Its own row stretches its scale; the step of the old row is what counts."""
    old = _model(0)
    edited = _one(lambda a: a + np.where(np.arange(64) == 3, 2, 0)[:, None].astype("f4"))(old)
    verdict = _judged(tmp_path, old, _each(lambda a: _rounded(a, 127, 1))(edited))
    assert verdict.kind == "none of these"


def test_a_tensor_more_is_none(tmp_path: Path) -> None:
    old = _model(0)
    assert _judged(tmp_path, old, {**old, "more": _noise(3, 3)}).kind == "none of these"


def test_the_report_has_one_verdict_with_its_figures(tmp_path: Path) -> None:
    old = _model(0)
    _judged(tmp_path, old, _one(_adapted(1))(old))
    both = [credenza.open(tmp_path / f"{name}.safetensors") for name in ("old", "new")]
    (found,) = [f for f in diff(*both).findings if f.rule == "diff.verdict"]
    assert (found.severity, found.what.partition(":")[0]) == (Severity.HIGH, "rank-one edit")
    figures = {f.name: f.value for f in found.figures}
    assert figures["rank of the change"] == 1
    assert 0 < figures["p-value"] <= 1
    assert "layers.1.up" in found.what
    assert not [f for f in diff(both[0], both[0]).findings if f.rule == "diff.verdict"]


def test_a_p_value_counts_honest_changes_from_above() -> None:
    calibration: Calibration = shipped()
    top = calibration.honest[-1]
    least = 1 / (len(calibration.honest) + 1)
    assert calibration.p_value(top + 1) == least
    assert calibration.p_value(top) >= 2 * least
    assert calibration.p_value(calibration.honest[0] - 1) == 1


def test_a_calibration_that_says_nothing_is_refused() -> None:
    with pytest.raises(InputError, match="calibration"):
        parse(b"{}")
