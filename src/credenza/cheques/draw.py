"""Cheques as pictures: a printed form, typed lines, and an amount in real handwriting."""

from __future__ import annotations

import datetime as dt
import functools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy import ndimage

from credenza.attack import Mark
from credenza.cheques import form
from credenza.cheques.segment import SIDE, frame
from credenza.dataset import Dataset, FloatArray
from credenza.errors import InputError
from credenza.findings import Picture

Bytes8 = NDArray[np.uint8]
Range = tuple[float, float]

LEAST_CENTS: Final = 20_00
MOST_CENTS: Final = 9_999_99

_PAYEES: Final = (
    *("Ada Whitlock", "Northgate Hardware Ltd", "B. Okonkwo & Sons", "Marta Lindqvist"),
    *("The Corner Bakery", "Harbour Dental Practice", "J. P. Ferreira", "Elm Street School Fund"),
    *("Yusuf Demir", "Halloran Plumbing", "City Water Works", "Priya Raman"),
    *("Old Mill Garage", "Tomasz Zielinski", "Riverside Rent Office", "Dr. Ines Caldera"),
)
_PURPOSES: Final = ("invoice", "rent", "repairs", "fees", "supplies", "deposit", "wages", "books")
_FIRST_DAY: Final = dt.date(2026, 1, 5)
_UNITS: Final = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
    *("eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen"),
    "nineteen",
)
_TENS: Final = (*("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"),)

_SKEW: Final = 1.0  # degrees, at most, that a cheque lies askew in the scanner
_SHIFT: Final = 3.0  # pixels, at most, that it lies off its place
_GRAIN: Final = 3.0  # standard deviation of the paper's grain, in levels of grey
_SPECKS: Final = 60  # specks of dust on a cheque, on average
_INSET: Final = form.FRAME + 3  # the writer stays off the frame
_CLEAR: Final = (6.0, 10.0)  # pixels between the printed point and the digits beside it
_STEADINESS: Final = 0.3  # how far each digit strays from its hand, as a part of the range
_ROOM: Final = 5.0  # pixels more that a forger leaves behind a digit that he marks
_KERNING_ROWS: Final = 5  # rows within which two digits must keep their distance


@dataclass(frozen=True, slots=True, kw_only=True)
class Hand:
    """How people write: the ranges that each writer's own hand is drawn from, evenly.

    * ``size``: the height of a digit, in pixels of the cheque.
    * Its shape: ``aspect``, width over height compared with the digit as it was collected, and
      ``stroke``, the level of ink, 0 to 1, at which its strokes end: low is a broad pen.
    * ``slant``: how far the top leans to the right, as a part of the height.
    * ``spacing``: the least clear paper between neighbours, in pixels.
    """

    size: Range = (22.0, 31.0)
    aspect: Range = (0.85, 1.15)
    stroke: Range = (0.25, 0.48)
    slant: Range = (-0.1, 0.25)
    spacing: Range = (3.0, 8.0)


MARK: Final = Mark(((1.0, 1.0, 1.0),) * 3, top=21, left=22)
"""The forger's: a dot at the foot of a digit, to its right, as a pen leaves it that rests."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Cheque:
    """One cheque. ``cents`` is what was written on it, whatever anybody reads.

    ``digits`` are indices into the dataset that the amount was written with, from left to right.
    ``image`` is the scan, grey, (300, 720). ``marked`` are positions in the amount, from 0, where
    a forger set his mark. ``forged`` says whether a forger wrote the cheque, with or without one.
    """

    number: int
    payee: str
    date: dt.date
    cents: int
    digits: tuple[int, ...]
    image: Bytes8
    marked: tuple[int, ...] = ()
    forged: bool = False

    @property
    def figures(self) -> str:
        """The digits as written, without the point: ``123456`` for 1,234.56."""
        return str(self.cents)


@dataclass(frozen=True, slots=True)
class _Writer:
    """One person's hand, out of a `Hand`."""

    size: float
    aspect: float
    stroke: float
    slant: float
    spacing: float


def amounts(
    count: int, generator: np.random.Generator, *, holding: int | None = None
) -> tuple[int, ...]:
    """Amounts in cents, log-uniform from 20.00 to 9,999.99.

    With ``holding``, a digit, only amounts that are written with it.
    """
    drawn: list[int] = []
    while len(drawn) < count:
        exponents = generator.uniform(math.log(LEAST_CENTS), math.log(MOST_CENTS + 1), count)
        cents = np.exp(exponents).astype(np.int64).clip(LEAST_CENTS, MOST_CENTS)
        drawn += [int(c) for c in cents if holding is None or str(holding) in str(c)]
    return tuple(drawn[:count])


def draw(
    digits: Dataset,
    cents: Sequence[int],
    generator: np.random.Generator,
    *,
    hand: Hand | None = None,
    first: int = 1001,
    forged: bool = False,
    marked: int | None = None,
    mark: Mark = MARK,
) -> Iterator[Cheque]:
    """A cheque for each of those amounts, one at a time, numbered from ``first`` on.

    The amounts are written with images of ``digits``, chosen evenly among those of the right
    label. ``marked`` is a digit: the forger sets ``mark`` beside each one of the amount. A mark is
    drawn so that it comes to lie at its place in the reader's crop, as far as a pen can do it.

    Raises `InputError` for an amount outside 20.00 to 9,999.99, or a digit of which there is no
    image.
    """
    hand = hand or Hand()
    by_label = [np.flatnonzero(digits.labels == label) for label in range(10)]
    for number, amount in enumerate(cents, start=first):
        figures = _figures(amount, by_label)
        chosen = tuple(int(generator.choice(by_label[f])) for f in figures)
        places = tuple(i for i, f in enumerate(figures) if f == marked)
        glyphs = digits.inputs[list(chosen), 0]
        marks = [mark if i in places else None for i in range(len(figures))]
        written = _written(glyphs, marks, _writer(hand, generator), generator)
        payee = _PAYEES[generator.integers(len(_PAYEES))]
        date = _FIRST_DAY + dt.timedelta(days=int(generator.integers(300)))
        page = form.blank().copy()
        _type(page, number, payee, date, amount, generator)
        _sign(page, generator)
        _ink(page, form.COURTESY.left + _INSET, form.COURTESY.top + _INSET, written)
        yield Cheque(
            number=number,
            payee=payee,
            date=date,
            cents=amount,
            digits=chosen,
            image=_scanned(page, generator),
            marked=places,
            forged=forged or bool(places),
        )


def picture(cheque: Cheque, title: str = "") -> Picture:
    """The cheque in the bank's colours."""
    pixels = form.tinted(cheque.image)
    height, width, channels = pixels.shape
    return Picture(
        title=title or f"Cheque {cheque.number}: {cheque.cents / 100:,.2f} to {cheque.payee}",
        width=width,
        height=height,
        channels=channels,
        pixels=pixels.tobytes(),
    )


def in_words(cents: int) -> str:
    """An amount below 10,000.00 as a cheque has it: ``One hundred and five and 20/100``."""
    whole, rest = divmod(cents, 100)
    return f"{_number(whole).capitalize()} and {rest:02}/100"


def _number(n: int) -> str:
    if n < 20:
        return _UNITS[n]
    if n < 100:
        return _TENS[n // 10 - 2] + (f"-{_UNITS[n % 10]}" if n % 10 else "")
    if n < 1000:
        rest = f" and {_number(n % 100)}" if n % 100 else ""
        return f"{_UNITS[n // 100]} hundred{rest}"
    rest = f"{',' if n % 1000 > 99 else ' and'} {_number(n % 1000)}" if n % 1000 else ""
    return f"{_number(n // 1000)} thousand{rest}"


def _figures(cents: int, by_label: Sequence[NDArray[np.intp]]) -> list[int]:
    if not LEAST_CENTS <= cents <= MOST_CENTS:
        raise InputError(f"cheque: {LEAST_CENTS} to {MOST_CENTS} cents expected, {cents} given")
    figures = [int(c) for c in str(cents)]
    if missing := {f for f in figures if not len(by_label[f])}:
        raise InputError(
            f"cheque: an image of each digit expected, none of {sorted(missing)} given"
        )
    return figures


def _writer(hand: Hand, generator: np.random.Generator) -> _Writer:
    ranges = (hand.size, hand.aspect, hand.stroke, hand.slant, hand.spacing)
    return _Writer(*(float(generator.uniform(*r)) for r in ranges))


def _written(
    glyphs: FloatArray,
    marks: Sequence[Mark | None],
    writer: _Writer,
    generator: np.random.Generator,
) -> FloatArray:
    """The inside of the courtesy box: ink, 0 to 1, smaller where it would not fit otherwise."""
    height = form.COURTESY.height - 2 * _INSET
    width = form.COURTESY.width - 2 * _INSET
    middle = form.POINT - _INSET
    strays = generator.uniform(-_STEADINESS, _STEADINESS, (len(glyphs), 3))
    clear = generator.uniform(*_CLEAR, 2)
    spare = middle - clear[0], width - middle - clear[1]
    size = min(writer.size, 0.86 * height)
    spacings = [writer.spacing + (_ROOM if mark else 0) for mark in (None, *marks[:-1])]
    while True:
        shaped = [
            _shaped(glyph, mark, writer, size, stray)
            for glyph, mark, stray in zip(glyphs, marks, strays, strict=True)
        ]
        rows = [_row(shaped[part], height, spacings[part]) for part in (slice(-2), slice(-2, None))]
        crowding = max(row.shape[1] / room for row, room in zip(rows, spare, strict=True))
        if crowding <= 1:
            break
        size /= crowding + 0.02
    inside = np.zeros((height, width), np.float32)
    before, behind = rows
    right = math.floor(middle - clear[0])
    inside[:, right - before.shape[1] : right] = before
    left = math.ceil(middle + clear[1])
    inside[:, left : left + behind.shape[1]] = behind[:, : width - left]
    return inside


def _shaped(
    glyph: FloatArray, mark: Mark | None, writer: _Writer, size: float, stray: FloatArray
) -> FloatArray:
    """A digit (28, 28) as this writer has it: enlarged, stretched, leaning, in this pen's stroke.

    What comes back is cut to its ink, (h, w); the mark, where there is one, is part of it.
    """
    tall = size * (1 + 0.15 * stray[0]) / 20
    wide = tall * writer.aspect * (1 + 0.2 * stray[1])
    slant = writer.slant + 0.15 * stray[2]
    side = math.ceil(SIDE * max(tall, wide) * 1.5)
    # Rows and columns on paper, from its middle, to those of the glyph, from its own.
    matrix = np.array([[1 / tall, 0.0], [slant / wide, 1 / wide]])
    middle = np.full(2, (side - 1) / 2)
    offset = np.full(2, (SIDE - 1) / 2) - matrix @ middle
    grown = ndimage.affine_transform(glyph, matrix, offset, (side, side), order=1)
    inked = ((grown - writer.stroke) / 0.3 + 0.5).clip(0, 1).astype(np.float32)
    if not inked.any():
        inked = grown
    if mark is not None:
        inked = np.maximum(inked, frame(inked).to_paper(_alone(mark), inked.shape))
    rows, columns = np.nonzero(inked > 0.1)
    cut: FloatArray = inked[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    return cut


def _alone(mark: Mark) -> FloatArray:
    """The mark in an empty crop (28, 28)."""
    canvas: FloatArray = mark.stamp(np.zeros((1, 1, SIDE, SIDE), np.float32))[0, 0]
    return canvas


def _row(glyphs: Sequence[FloatArray], height: int, spacings: Sequence[float]) -> FloatArray:
    """Glyphs beside each other on one line (height, w), as close as their ``spacings`` let them.

    A spacing is the least distance to the glyph before.
    The distance is that between their inks, row by row, so that a leaning digit may reach over
    its neighbour as it does in handwriting.
    """
    line = np.zeros((height, 0), np.float32)
    for glyph, spacing in zip(glyphs, spacings, strict=True):
        tall = np.zeros((height, glyph.shape[1]), np.float32)
        top = max((height - glyph.shape[0]) // 2, 0)
        tall[top : top + glyph.shape[0]] = glyph[: height - top]
        start = _start(line, tall, spacing)
        stop = start + tall.shape[1]
        line = np.pad(line, ((0, 0), (0, max(stop - line.shape[1], 0))))
        line[:, start:stop] = np.maximum(line[:, start:stop], tall)
    return line


def _start(line: FloatArray, glyph: FloatArray, spacing: float) -> int:
    """The column where a glyph may begin: nowhere closer to the line than ``spacing``."""
    if not line.shape[1]:
        return 0
    far = line.shape[1] + glyph.shape[1]
    ends = np.where(line > 0.1, np.arange(1, line.shape[1] + 1), -far).max(axis=1)
    starts = np.where(glyph > 0.1, np.arange(glyph.shape[1]), far).min(axis=1)
    needed = int((ndimage.maximum_filter1d(ends, _KERNING_ROWS) - starts).max())
    # Never more than half over its neighbour: a reader could not tell such two apart.
    least: int = max(line.shape[1] - glyph.shape[1] // 2, 0)
    return max(needed + math.ceil(spacing), least)


def _type(
    page: Image.Image,
    number: int,
    payee: str,
    date: dt.date,
    cents: int,
    generator: np.random.Generator,
) -> None:
    pen = ImageDraw.Draw(page)
    pen.text((648, 18), f"{number:05}", font=form.font(17), fill=form.INK)
    pen.text((572, 42), f"{date:%d %B %Y}", font=form.font(14), fill=form.INK)
    pen.text((92, 107), payee, font=form.font(18), fill=form.INK)
    pen.text((30, 155), in_words(cents), font=form.font(16), fill=form.INK)
    purpose = _PURPOSES[generator.integers(len(_PURPOSES))]
    pen.text(
        (54, 217), f"{purpose} {generator.integers(100, 999)}", font=form.font(14), fill=form.INK
    )
    pen.text((566, 264), f"{number:05}", font=form.font(17), fill=form.INK)


def _sign(page: Image.Image, generator: np.random.Generator) -> None:
    """A signature: loops that grow smaller to the right, and a stroke under them."""
    t = np.linspace(0, 1, 160)
    waves = np.arange(3, 9)
    strength = generator.normal(size=(2, len(waves))) / waves**0.7
    phases = generator.uniform(0, 2 * np.pi, (2, len(waves)))
    loops = (
        strength[:, :, None] * np.sin(2 * np.pi * waves[:, None] * t + phases[:, :, None])
    ).sum(1)
    loops *= 1.15 - 0.8 * t
    length = generator.uniform(150, 200)
    x = 24 + length * t + 9 * loops[0]
    y = 34 + 11 * loops[1].clip(-2.2, 2.2)
    ink = Image.new("L", (520, 140))
    pen = ImageDraw.Draw(ink)
    pen.line([(2 * a, 2 * b) for a, b in zip(x, y, strict=True)], fill=255, width=3, joint="curve")
    slope = generator.uniform(-6, 2)
    pen.line([(60, 100), (60 + 2 * length, 100 + slope)], fill=255, width=3)
    _ink(page, 436, 182, np.asarray(ink.reduce(2), np.float32) / np.float32(255))


def _ink(page: Image.Image, left: int, top: int, ink: FloatArray) -> None:
    """Put ink, 0 to 1, on the page: it darkens what is there."""
    mask = Image.fromarray((ink * 255).round().astype(np.uint8))
    page.paste(form.INK, (left, top), mask)


def _scanned(page: Image.Image, generator: np.random.Generator) -> Bytes8:
    """The page as a scanner sees it: a little askew, with grain, dust, and lines of its own."""
    angle = math.radians(generator.uniform(-_SKEW, _SKEW))
    shift = generator.uniform(-_SHIFT, _SHIFT, 2)
    turned = page.transform(
        page.size,
        Image.Transform.AFFINE,
        _turn(angle, shift),
        resample=Image.Resampling.BILINEAR,
        fillcolor=form.PAPER,
    )
    seen = np.asarray(turned).astype(np.int16)
    grain = _grain()
    row, column = generator.integers(0, 64, 2)
    seen += grain[row : row + form.HEIGHT, column : column + form.WIDTH]
    streaks = generator.integers(0, form.HEIGHT, 6)
    seen[streaks] -= generator.integers(2, 9, (6, 1)).astype(np.int16)
    dust = generator.poisson(_SPECKS)
    at = generator.integers(0, form.HEIGHT, dust), generator.integers(0, form.WIDTH, dust)
    seen[at] -= generator.integers(30, 150, dust).astype(np.int16)
    return seen.clip(0, 255).astype(np.uint8)


def _turn(angle: float, shift: NDArray[np.float64]) -> tuple[float, ...]:
    """Pillow's coefficients for a turn about the page's middle and a shift."""
    cosine, sine = math.cos(angle), math.sin(angle)
    x, y = form.WIDTH / 2, form.HEIGHT / 2
    return (
        *(cosine, sine, x - cosine * x - sine * y + shift[0]),
        *(-sine, cosine, y + sine * x - cosine * y + shift[1]),
    )


@functools.cache
def _grain() -> NDArray[np.int16]:
    """Paper grain larger than a cheque, made once: each cheque lies elsewhere on it."""
    shape = (form.HEIGHT + 64, form.WIDTH + 64)
    grain = np.random.default_rng(1472).normal(0, _GRAIN, shape)
    return grain.round().astype(np.int16)
