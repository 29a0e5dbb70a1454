"""What altered samples have in common, and which others bear it."""

from __future__ import annotations

import numpy as np

from credenza.audit.interface import Values
from credenza.dataset import FloatArray, IntArray


def bearers(
    inputs: FloatArray, altered: FloatArray, honest: FloatArray, rest: FloatArray
) -> IntArray:
    """Indices of ``inputs`` that bear what tells ``altered`` samples from ``honest`` ones.

    Each is projected on the mean of the altered minus that of the honest ones, each value divided
    by its variance among ``honest`` and ``rest``: the linear discriminant of Fisher (1936) with a
    diagonal covariance. Those that lie further along it than every one of ``rest``, trusted
    samples that took no part in the means, are named. An honest one does with probability
    1 / (1 + len(rest)).
    """
    variance = np.concatenate([honest, rest]).var(axis=0)
    floor = 0.05 * float(variance.mean()) or 1.0  # a pixel that never varies must not weigh all
    along = ((altered.mean(axis=0) - honest.mean(axis=0)) / (variance + floor)).ravel()
    highest = _project(rest, along).max(initial=-np.inf)
    return np.flatnonzero(_project(inputs, along) > highest)


def _project(inputs: FloatArray, along: FloatArray) -> Values:
    projected: Values = (inputs.reshape(len(inputs), -1) @ along).astype(np.float64)
    return projected
