"""Rates with their exact interval.

Clopper and Pearson, The Use of Confidence or Fiducial Limits Illustrated in the Case of the
Binomial, Biometrika 26 (1934): the interval holds the true rate in 95 % of cases or more, for any
number of samples.
"""

from __future__ import annotations

import math
from typing import Final

from credenza.errors import InputError
from credenza.findings import Figure

_STEPS: Final = 60
"""Halvings of 0 to 1 until a bound is found: more than a double can tell apart near 1."""


def rate(name: str, hits: int, of: int, definition: str = "") -> Figure:
    """``hits`` out of ``of`` as a figure, 0 to 1, with its 95 % interval."""
    low, high = interval(hits, of)
    return Figure(name=name, value=hits / of, low=low, high=high, definition=definition)


def interval(hits: int, of: int, confidence: float = 0.95) -> tuple[float, float]:
    """The two-sided Clopper–Pearson interval of a rate of which ``hits`` out of ``of`` were seen.

    Raises `InputError` unless 0 ≤ hits ≤ of, 1 ≤ of, and confidence lies between 0 and 1.
    """
    if not (0 <= hits <= of and of >= 1 and 0 < confidence < 1):
        raise InputError(
            f"rate: 0 ≤ hits ≤ of, of ≥ 1 and a confidence between 0 and 1 expected, "
            f"{hits} of {of} at {confidence} given"
        )
    tail = (1 - confidence) / 2
    low = 0.0 if hits == 0 else _where_at_least(hits, of, tail)
    high = 1.0 if hits == of else 1.0 - _where_at_least(of - hits, of, tail)
    return low, high


def student_tail(t: float, freedom: int) -> float:
    """log10 P(T ≥ t) for Student's t (DLMF 8.17; Abramowitz and Stegun, 26.7.1 with 26.5.27).

    As a logarithm, since far out it is less than any float. More than 1,000 degrees of freedom
    count as 1,000, which errs to the larger probability.
    """
    if t < 0:
        return math.log10(1 - 10 ** student_tail(-t, freedom))
    a = min(freedom, 1000) / 2
    x, rest = 2 * a / (2 * a + t * t), t * t / (2 * a + t * t)
    if rest < 1e-30:  # the tail is a half, to the last digit
        return math.log10(0.5)
    log_front = (
        math.lgamma(a + 0.5) - math.lgamma(a) - math.lgamma(0.5) + a * math.log(x)
    ) + 0.5 * math.log(rest)
    if x < (a + 1) / (a + 2.5):
        return (log_front + math.log(_fraction(a, 0.5, x) / a / 2)) / math.log(10)
    return math.log10((1 - math.exp(log_front) * _fraction(0.5, a, rest) / 0.5) / 2)


def _where_at_least(hits: int, of: int, tail: float) -> float:
    """The rate p at which ``hits`` or more out of ``of`` come with probability ``tail``."""
    low, high = 0.0, 1.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if _at_least(hits, of, middle) < tail:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _at_least(hits: int, of: int, p: float) -> float:
    """P(X ≥ hits) for X binomial: the incomplete beta function I_p(a, b) (DLMF 8.17.5)."""
    a, b = hits, of - hits + 1
    if p <= 0 or p >= 1:
        return p
    front = math.exp(
        math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(p) + b * math.log1p(-p)
    )
    if p < (a + 1) / (a + b + 2):  # where the fraction converges fast; DLMF 8.17.4 elsewhere
        return front * _fraction(a, b, p) / a
    return 1 - front * _fraction(b, a, 1 - p) / b


def _fraction(a: float, b: float, x: float) -> float:
    """The continued fraction of I_x(a, b), DLMF 8.17.22, by Lentz's method, to 1e-15."""
    tiny = 1e-300
    c, d = 1.0, 1 / ((1 - (a + b) * x / (a + 1)) or tiny)
    value = d
    for m in range(1, 10_000):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for step in (even, odd):
            d = 1 / ((1 + step * d) or tiny)
            c = (1 + step / c) or tiny
            value *= c * d
        if abs(c * d - 1) < 1e-15:
            break
    return value
