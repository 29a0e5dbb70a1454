"""Evidence for the eye."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from credenza.dataset import FloatArray
from credenza.findings import Picture
from credenza.probe.inversion import Form, Trigger

_SCALE: Final = 4


def mark(title: str, trigger: Trigger) -> tuple[Picture, ...]:
    """What the trigger adds, four times as large; none where inputs are no images.

    Of an additive change grey is nothing, and its largest step is black or white.
    """
    image = trigger.mask * trigger.pattern
    if trigger.form is Form.ADDITIVE:
        image = 0.5 + image / (2 * max(float(np.abs(image).max()), 1e-9))
    return _picture(title, image, _SCALE)


def strip(title: str, images: FloatArray) -> tuple[Picture, ...]:
    """Images (n, channels, height, width) side by side; none where inputs are no images."""
    if images.ndim != 4:
        return ()
    return _picture(title, np.concatenate(list(images), axis=2), 1)


def _picture(title: str, image: FloatArray, scale: int) -> tuple[Picture, ...]:
    if image.ndim != 3 or image.shape[0] not in (1, 3):
        return ()
    large = image.repeat(scale, axis=1).repeat(scale, axis=2)
    channels, height, width = large.shape
    pixels: NDArray[np.uint8] = np.round(255 * np.clip(large, 0, 1)).astype(np.uint8)
    return (
        Picture(
            title=title,
            width=width,
            height=height,
            channels=channels,
            pixels=pixels.transpose(1, 2, 0).tobytes(),
        ),
    )
