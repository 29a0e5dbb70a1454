"""Evidence for the eye."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from credenza.dataset import FloatArray
from credenza.findings import Picture


def strip(title: str, images: FloatArray) -> Picture:
    """Images (n, channels, height, width), 0 to 1, side by side."""
    side_by_side = np.concatenate(list(images), axis=2)
    return _picture(title, np.clip(side_by_side, 0, 1))


def difference(title: str, images: FloatArray, reference: FloatArray) -> Picture:
    """The mean of one set of images minus that of another: grey where they agree.

    What was added to all of the first is bright, what was taken away dark; the largest
    difference is white or black.
    """
    residual = images.mean(axis=0) - reference.mean(axis=0)
    largest = float(np.abs(residual).max()) or 1.0
    return _picture(title, 0.5 + residual / (2 * largest))


def drawable(inputs: FloatArray) -> bool:
    """Whether the inputs are images with 1 or 3 channels."""
    return inputs.ndim == 4 and inputs.shape[1] in (1, 3)


def _picture(title: str, image: FloatArray) -> Picture:
    channels, height, width = image.shape
    pixels: NDArray[np.uint8] = np.round(255 * image).astype(np.uint8)
    return Picture(
        title=title,
        width=width,
        height=height,
        channels=channels,
        pixels=pixels.transpose(1, 2, 0).tobytes(),
    )
