from __future__ import annotations

import numpy as np
import pytest

from credenza.cheques import form
from credenza.cheques.digits import Digits
from credenza.cheques.draw import MARK, amounts, draw
from credenza.cheques.segment import frame, segment


def test_digits_of_drawn_cheques_are_found(digits: Digits) -> None:
    generator = np.random.default_rng(0)
    cheques = list(draw(digits.test, amounts(60, generator), generator))
    counts = [
        tuple(len(crops) for crops in found) if (found := segment(cheque.image)) else None
        for cheque in cheques
    ]
    expected = [(len(cheque.figures) - 2, 2) for cheque in cheques]
    assert sum(a == b for a, b in zip(counts, expected, strict=True)) >= 57


def test_crops_are_as_mnist_has_them(digits: Digits) -> None:
    generator = np.random.default_rng(1)
    found = segment(next(draw(digits.test, (3820_49,), generator)).image)
    assert found is not None
    for crop in np.concatenate(found)[:, 0]:
        placed = frame(crop)
        assert crop.dtype == np.float32
        assert 0 <= crop.min() <= crop.max() <= 1
        assert placed.scale == pytest.approx(1, abs=0.1)
        assert (placed.row, placed.column) == pytest.approx((14, 14), abs=0.7)


def test_blank_form_is_left_to_a_person() -> None:
    assert segment(np.asarray(form.blank())) is None


@pytest.mark.parametrize("grey", [0, 128, 255])
def test_no_box(grey: int) -> None:
    assert segment(np.full((form.HEIGHT, form.WIDTH), grey, np.uint8)) is None


def test_loose_bar_stays_with_its_five() -> None:
    """A 5 of which the bar has left the stem, three times, and two 1s behind the point."""
    page = np.array(form.blank())
    top, left = form.COURTESY.top + 10, form.COURTESY.left
    for x in (20, 52, 84):
        page[top + 5 : top + 27, left + x : left + x + 10] = form.INK
        page[top : top + 4, left + x + 12 : left + x + 22] = form.INK
    for x in (152, 172):
        page[top : top + 27, left + x : left + x + 4] = form.INK
    found = segment(page)
    assert found is not None
    assert [len(crops) for crops in found] == [3, 2]


def test_frame_there_and_back() -> None:
    digit = np.zeros((40, 40), np.float32)
    digit[6:34, 12:24] = 1
    placed = frame(digit)
    assert (placed.scale, placed.row, placed.column) == (1.4, 19.5, 17.5)
    mark = MARK.stamp(np.zeros((1, 1, 28, 28), np.float32))[0, 0]
    on_paper = placed.to_paper(mark, digit.shape)
    back = placed.to_crop(on_paper)
    assert np.corrcoef(back.ravel(), mark.ravel())[0, 1] > 0.9
    assert not digit[on_paper > 0].any()
