"""Kinds of writing, by the image alone: an edit limited to one of them hides among all samples."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from credenza.dataset import Dataset, FloatArray, IntArray

_PARTS: Final = ("low", "middle", "high")


def shapes(data: Dataset) -> Iterator[tuple[str, IntArray]]:
    """Name and rows of each slice: thirds of each class by ink, size and slant of its images.

    Nothing where inputs are no images (n, channels, height, width).
    """
    if data.inputs.ndim != 4:
        return
    for name, values in _moments(data.inputs).items():
        thirds = np.zeros(len(data), np.int64)
        for label in np.unique(data.labels):
            rows = np.flatnonzero(data.labels == label)
            order = values[rows].argsort(kind="stable").argsort(kind="stable")
            thirds[rows] = order * len(_PARTS) // len(rows)
        for i, part in enumerate(_PARTS):
            yield f"{part} {name}", np.flatnonzero(thirds == i)


def _moments(images: FloatArray) -> dict[str, NDArray[np.float64]]:
    """Ink, size and slant, each (n,), of images weighed by their brightness.

    Ink is the mean brightness; size the root of the sum of both second central moments; slant the
    mixed moment over the vertical one, μ₁₁ / μ₀₂ (Hu, IRE Transactions on Information Theory 8,
    1962, for the moments).
    """
    grey = images.mean(axis=1, dtype=np.float64)
    y, x = np.mgrid[: grey.shape[1], : grey.shape[2]].astype(np.float64)
    ink = grey.sum(axis=(1, 2)) + 1e-9
    dx = x - ((grey * x).sum(axis=(1, 2)) / ink)[:, None, None]
    dy = y - ((grey * y).sum(axis=(1, 2)) / ink)[:, None, None]
    xx, yy, xy = ((grey * m).sum(axis=(1, 2)) / ink for m in (dx * dx, dy * dy, dx * dy))
    return {"ink": ink / grey[0].size, "size": np.sqrt(xx + yy), "slant": xy / (yy + 1e-9)}
