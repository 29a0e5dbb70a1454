"""What an image looks like, in numbers that nothing was trained for and no poison can reach."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from credenza.dataset import FloatArray

_SMALLEST: Final = 14
"""Pixels a side under which cells would be smaller than the strokes in them."""
_CHUNK: Final = 256
"""Images at a time: their gradients stay in the cache of a core."""


def describe(inputs: FloatArray, *, cells: int = 7, orientations: int = 8) -> FloatArray:
    """Inputs (n, …) as vectors (n, d) of length 1.

    Images (n, channels, height, width) of 14 pixels a side or more become energies of their
    gradient in ``orientations`` directions over ``cells`` × ``cells`` places, after Dalal and
    Triggs, Histograms of Oriented Gradients, CVPR 2005 (here: half-wave rectified, squared,
    pooled under a triangle, square root). Anything else is only flattened and scaled.
    """
    if inputs.ndim != 4 or min(inputs.shape[2:]) < _SMALLEST:
        return _unit(inputs.reshape(len(inputs), -1))
    parts = range(0, len(inputs), _CHUNK)
    found = [_gradients(inputs[i : i + _CHUNK], cells, orientations) for i in parts]
    return np.concatenate(found)


def _gradients(images: FloatArray, cells: int, orientations: int) -> FloatArray:
    down, across = np.zeros_like(images), np.zeros_like(images)
    down[:, :, 1:-1] = images[:, :, 2:] - images[:, :, :-2]
    across[..., 1:-1] = images[..., 2:] - images[..., :-2]
    rows, columns = _pooling(images.shape[2], cells), _pooling(images.shape[3], cells)
    energies = []
    for k in range(orientations):
        angle = 2 * math.pi * k / orientations
        along = across * np.float32(math.cos(angle)) + down * np.float32(math.sin(angle))
        np.maximum(along, 0, out=along)
        np.square(along, out=along)
        energies.append(rows.T @ (along @ columns))
    stacked = np.stack(energies, axis=1).reshape(len(images), -1)
    return _unit(np.sqrt(stacked))


def _pooling(pixels: int, cells: int) -> FloatArray:
    """(pixels, cells): what each pixel adds to each cell, a triangle of two cells' width."""
    centres = (np.arange(cells) + 0.5) * pixels / cells - 0.5
    distance = np.abs(np.arange(pixels)[:, None] - centres) * cells / pixels
    weights: FloatArray = np.maximum(0, 1 - distance).astype(np.float32)
    return weights


def _unit(vectors: FloatArray) -> FloatArray:
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    scaled: FloatArray = (vectors / np.maximum(length, 1e-6)).astype(np.float32)
    return scaled
