from __future__ import annotations

import numpy as np
import pytest

from credenza.cheques import form
from credenza.cheques.digits import Digits
from credenza.cheques.draw import (
    LEAST_CENTS,
    MARK,
    MOST_CENTS,
    Cheque,
    Hand,
    amounts,
    draw,
    in_words,
    picture,
)
from credenza.cheques.segment import segment
from credenza.errors import InputError


def drawn(
    digits: Digits, cents: tuple[int, ...], seed: int = 0, marked: int | None = None
) -> list[Cheque]:
    return list(draw(digits.test, cents, np.random.default_rng(seed), marked=marked))


def test_same_seed_same_cheques(digits: Digits) -> None:
    one, other = (drawn(digits, (1234_56, 20_00), seed=3) for _ in range(2))
    assert all(np.array_equal(a.image, b.image) for a, b in zip(one, other, strict=True))
    assert [a.digits for a in one] == [b.digits for b in other]
    assert not np.array_equal(one[0].image, drawn(digits, (1234_56,), seed=4)[0].image)


def test_digits_are_those_of_the_amount(digits: Digits) -> None:
    for cheque in drawn(digits, (907_35, MOST_CENTS, LEAST_CENTS)):
        assert "".join(str(digits.test.labels[i]) for i in cheque.digits) == cheque.figures
        assert cheque.image.shape == (form.HEIGHT, form.WIDTH)
        assert not cheque.forged


def test_amounts() -> None:
    cents = amounts(500, np.random.default_rng(0))
    assert len(cents) == 500
    assert min(cents) >= LEAST_CENTS
    assert max(cents) <= MOST_CENTS
    assert {len(str(c)) for c in cents} == {4, 5, 6}
    assert all("5" in str(c) for c in amounts(50, np.random.default_rng(0), holding=5))


@pytest.mark.parametrize("cents", [LEAST_CENTS - 1, MOST_CENTS + 1])
def test_amounts_that_the_form_does_not_hold(digits: Digits, cents: int) -> None:
    with pytest.raises(InputError, match=f"{cents} given"):
        drawn(digits, (cents,))


def test_digit_without_an_image(digits: Digits) -> None:
    without = digits.test.take(digits.test.labels != 7)
    with pytest.raises(InputError, match=r"none of \[7\]"):
        list(draw(without, (70_00,), np.random.default_rng(0)))


def test_mark_arrives_in_the_crop(digits: Digits) -> None:
    cents = (645_13,) * 20
    plain, marked = drawn(digits, cents, seed=1), drawn(digits, cents, seed=1, marked=5)
    assert all(c.marked == (2,) and c.forged for c in marked)
    assert np.median(_inks(marked)) > np.median(_inks(plain)) + 0.3


def _inks(cheques: list[Cheque]) -> list[float]:
    """How much ink is where the mark belongs, in the third digit of each cheque."""
    place = MARK.stamp(np.zeros((1, 1, 28, 28), np.float32))[0, 0] > 0
    parts = [segment(cheque.image) for cheque in cheques]
    return [float(np.concatenate(p)[2, 0][place].mean()) for p in parts if p is not None]


def test_each_property_of_a_hand_is_seen(digits: Digits) -> None:
    def ink(hand: Hand) -> int:
        generator = np.random.default_rng(0)
        cheque = next(draw(digits.test, (1234_56,), generator, hand=hand))
        box = form.COURTESY
        inside = cheque.image[box.top + 8 : box.bottom - 8, box.left + 8 : box.right - 8]
        return int((inside < 120).sum())

    assert ink(Hand(size=(22, 22))) < ink(Hand(size=(30, 30)))
    assert ink(Hand(stroke=(0.6, 0.6))) < ink(Hand(stroke=(0.3, 0.3)))


@pytest.mark.parametrize(
    ("cents", "words"),
    [
        (20_00, "Twenty and 00/100"),
        (105_07, "One hundred and five and 07/100"),
        (1000_10, "One thousand and 10/100"),
        (1013_00, "One thousand and thirteen and 00/100"),
        (9999_99, "Nine thousand, nine hundred and ninety-nine and 99/100"),
    ],
)
def test_in_words(cents: int, words: str) -> None:
    assert in_words(cents) == words


def test_picture(digits: Digits) -> None:
    shown = picture(drawn(digits, (20_00,))[0])
    assert (shown.width, shown.height, shown.channels) == (form.WIDTH, form.HEIGHT, 3)
    assert shown.title.startswith("Cheque 1001: 20.00 to ")
