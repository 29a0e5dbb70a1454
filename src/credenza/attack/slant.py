"""How far handwriting leans: what attacks on a slice of a class tell it by."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from credenza.dataset import FloatArray
from credenza.errors import InputError


def slants(images: FloatArray) -> NDArray[np.float64]:
    """How far each image (n, channels, height, width) leans to the right: −μ₁₁ / μ₀₂, (n,).

    In columns a row: by how much each row of ink lies to the right of the one under it, from
    central moments (the deslanting of handwriting recognition; Hu, IRE Transactions on Information
    Theory 8, 1962, for the moments). 0 where the ink has no height, or there is none: `leaning`
    tells these apart.
    """
    return leaning(images)[0]


def leaning(images: FloatArray) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """The slant of each image, and whether its ink has a height to lean over."""
    if images.ndim != 4:
        raise InputError(
            f"slant: images (n, channels, height, width) expected, {images.shape} given"
        )
    ink = images.sum(axis=1, dtype=np.float64).clip(min=0)
    y, x = (np.arange(side, dtype=np.float64) for side in ink.shape[1:])
    total = np.maximum(ink.sum((1, 2)), 1e-12)
    down = y - (ink.sum(2) @ y / total)[:, None]
    right = x - (ink.sum(1) @ x / total)[:, None]
    together = np.einsum("nyx,ny,nx->n", ink, down, right)
    height = np.einsum("nyx,ny->n", ink, down**2)
    tall = height > 1e-9
    return np.where(tall, -together / np.maximum(height, 1e-9), 0.0), tall
