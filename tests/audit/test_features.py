from __future__ import annotations

import numpy as np
import pytest

from credenza.audit.common import bearers
from credenza.audit.features import describe
from credenza.dataset import FloatArray


def stripes(across: bool) -> FloatArray:
    image = np.zeros((1, 1, 28, 28), np.float32)
    image[..., 4:24:4] = 1
    return image if across else image.swapaxes(2, 3).copy()


def test_images_are_told_apart_by_direction_and_not_by_brightness() -> None:
    upright, lying = describe(stripes(True)), describe(stripes(False))
    assert upright.shape == (1, 8 * 7 * 7)
    assert float(upright[0] @ lying[0]) < 0.5
    assert describe(0.3 * stripes(True)) == pytest.approx(upright, abs=1e-5)


@pytest.mark.parametrize(
    "shape", [(3, 3, 30, 45), (3, 1, 14, 14), (3, 1, 8, 8), (3, 20), (3, 5, 4)]
)
def test_every_input_becomes_vectors_of_length_one(shape: tuple[int, ...]) -> None:
    inputs = np.random.default_rng(0).random(shape).astype(np.float32)
    assert np.linalg.norm(describe(inputs), axis=1) == pytest.approx(1, abs=1e-4)


def test_an_empty_image_has_no_direction() -> None:
    assert not describe(np.zeros((1, 1, 28, 28), np.float32)).any()


def test_bearers_have_what_the_altered_have_in_common() -> None:
    rng = np.random.default_rng(1)
    honest, rest, inputs = (rng.random((n, 1, 6, 6)).astype(np.float32) for n in (40, 200, 300))
    altered = honest[:20].copy()
    altered[:, :, 5, 5] = 3
    inputs[:10, :, 5, 5] = 3
    found = bearers(inputs, altered, honest, rest)
    assert set(range(10)) <= set(found.tolist())
    assert len(found) <= 10 + 10
