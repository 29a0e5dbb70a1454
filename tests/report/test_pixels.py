from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from credenza.findings import Picture
from credenza.report import png

from .samples import COLOUR, GREY


@pytest.mark.parametrize(("picture", "mode"), [(GREY, "L"), (COLOUR, "RGB")])
def test_an_independent_reader_sees_the_same_pixels(picture: Picture, mode: str) -> None:
    with Image.open(io.BytesIO(png(picture))) as image:
        assert (image.format, image.mode, image.size) == (
            "PNG",
            mode,
            (picture.width, picture.height),
        )
        assert np.asarray(image).tobytes() == picture.pixels


@given(st.integers(1, 40), st.integers(1, 40), st.sampled_from([1, 3]))
def test_any_size(width: int, height: int, channels: int) -> None:
    pixels = np.random.default_rng(width * height).bytes(width * height * channels)
    picture = Picture(title="", width=width, height=height, channels=channels, pixels=pixels)

    with Image.open(io.BytesIO(png(picture))) as image:
        assert image.tobytes() == pixels
