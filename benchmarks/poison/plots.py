"""Small plots side by side, as SVG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Final

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

_WIDE: Final = 170
_HIGH: Final = 120
_GAP: Final = 34
_ACROSS: Final = 4
_CLEAN: Final = "#2b7a78"
_ATTACKED: Final = "#c8553d"
_BINS: Final = 24


def rocs(clean: Sequence[float], attacked: Mapping[str, Sequence[float]]) -> str:
    """Of each attack the share that is found (upwards) at a share of false alarms (rightwards).

    Rightwards the axis is a square root, so that 1 % lies at a tenth of it.
    """
    return _sheet({name: _roc(clean, values) for name, values in attacked.items()})


def histograms(clean: Sequence[float], attacked: Mapping[str, Sequence[float]]) -> str:
    """Scores of clean models (above the line) and of each attack's (below it), as shares."""
    every = [*clean, *(v for values in attacked.values() for v in values)]
    finite = [v for v in every if np.isfinite(v)]
    if not finite:
        return _sheet({})
    low, high = min(finite), max(float(np.quantile(finite, 0.95)), min(finite) + 1e-9)
    edges = np.linspace(low, high, _BINS + 1)
    return _sheet({n: _bars(clean, values, edges) for n, values in attacked.items()})


def _roc(clean: Sequence[float], attacked: Sequence[float]) -> str:
    below, above = np.sort(clean), np.sort(attacked)
    points = [(1.0, 1.0)]
    for cut in np.unique([*clean, *attacked]):
        alarms = 1 - np.searchsorted(below, cut, side="right") / len(below)
        found = 1 - np.searchsorted(above, cut, side="right") / len(above)
        points.append((float(alarms), float(found)))
    places = " ".join(f"{_WIDE * x**0.5:.1f},{_HIGH * (1 - y):.1f}" for x, y in points)
    tenth = _WIDE / 10
    return (
        f'<path d="M{tenth} 0V{_HIGH}" stroke="#999" stroke-dasharray="2 3"/>'
        f'<polyline points="{places}" fill="none" stroke="{_ATTACKED}" stroke-width="1.5"/>'
    )


def _bars(clean: Sequence[float], attacked: Sequence[float], edges: Values) -> str:
    middle, parts = _HIGH / 2, []
    for values, colour, sign in ((clean, _CLEAN, -1), (attacked, _ATTACKED, 1)):
        counts, _ = np.histogram(np.clip(values, edges[0], edges[-1]), edges)
        for i, share in enumerate(counts / max(1, counts.max())):
            size = share * (middle - 2)
            top = middle - size if sign < 0 else middle
            width = _WIDE / _BINS
            parts.append(
                f'<rect x="{i * width:.1f}" y="{top:.1f}" width="{width:.1f}" '
                f'height="{size:.1f}" fill="{colour}"/>'
            )
    return "".join(parts)


def _sheet(panels: Mapping[str, str]) -> str:
    rows = -(-len(panels) // _ACROSS)
    width, height = _ACROSS * (_WIDE + _GAP), rows * (_HIGH + _GAP) + 4
    drawn = []
    for i, (name, panel) in enumerate(panels.items()):
        x, y = i % _ACROSS * (_WIDE + _GAP) + 4, i // _ACROSS * (_HIGH + _GAP) + 20
        drawn.append(
            f'<g transform="translate({x} {y})"><text y="-6">{escape(name)}</text>'
            f'<rect width="{_WIDE}" height="{_HIGH}" fill="none" stroke="#bbb"/>{panel}</g>'
        )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'font-family="sans-serif" font-size="12"><rect width="{width}" height="{height}" '
        f'fill="white"/>{"".join(drawn)}</svg>\n'
    )
