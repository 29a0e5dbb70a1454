"""Marks that a poisoner stamps on images, to be read as a trigger later."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from credenza.dataset import FloatArray
from credenza.errors import InputError


@dataclass(frozen=True, slots=True)
class Mark:
    """A small patch at a fixed place of an image: the trigger of BadNets (arXiv:1708.06733).

    ``pixels`` are rows of brightness, 0 to 1; a pixel of 0 leaves what is under it. Its upper
    left corner lies ``top`` rows and ``left`` columns from that of the image.

    Raises `InputError` for a patch that is no rectangle, is dark all over, or lies outside.
    """

    pixels: tuple[tuple[float, ...], ...]
    top: int
    left: int

    def __post_init__(self) -> None:
        widths = {len(row) for row in self.pixels}
        if len(widths) != 1 or 0 in widths:
            raise InputError(f"mark: rows of one width expected, widths {sorted(widths)} given")
        values = [p for row in self.pixels for p in row]
        if not all(math.isfinite(p) and 0 <= p <= 1 for p in values) or not any(values):
            raise InputError("mark: pixels from 0 to 1, one at least above 0, expected")
        if self.top < 0 or self.left < 0:
            raise InputError(f"mark: no negative place expected, {self.top}, {self.left} given")

    def stamp(self, images: FloatArray) -> FloatArray:
        """A copy of the images (n, channels, height, width), with the mark on each.

        Pixel by pixel, the brighter of mark and image: ink only ever adds to a drawing.

        Raises `InputError` where the mark does not lie inside the images.
        """
        height, width = len(self.pixels), len(self.pixels[0])
        bottom, right = self.top + height, self.left + width
        if images.ndim != 4 or bottom > images.shape[2] or right > images.shape[3]:
            raise InputError(
                f"mark: images of shape (n, channels, ≥ {bottom}, ≥ {right}) expected, "
                f"{images.shape} given"
            )
        stamped = images.copy()
        under = stamped[:, :, self.top : bottom, self.left : right]
        np.maximum(under, np.asarray(self.pixels, np.float32), out=under)
        return stamped
