"""The printed form of a cheque: what is the same on each, and where things are on it.

Lengths are in pixels, at about 120 to the inch; y points down. Grey runs from 0, black, to 255.
"""

from __future__ import annotations

import functools
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Bytes8 = NDArray[np.uint8]

WIDTH: Final = 720
HEIGHT: Final = 300


class Box(NamedTuple):
    """A rectangle: ``left`` and ``top`` belong to it, ``right`` and ``bottom`` do not."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def width(self) -> int:
        return self.right - self.left

    @property
    def height(self) -> int:
        return self.bottom - self.top


COURTESY: Final = Box(490, 84, 698, 132)
"""The outer edge of the frame in which the amount is written in figures."""
FRAME: Final = 2
"""The width of the frame's line."""
POINT: Final = 136
"""The printed decimal point: its middle, from the left edge of `COURTESY`."""
POINT_RADIUS: Final = 2
PAPER: Final = 244
INK: Final = 34
"""What is written and typed. What is printed on the form is `PRINT`."""
PRINT: Final = 104

_RELIEF: Final = 20.0  # how much darker the finest lines of the background are than the paper
_PALETTE: Final = (
    (0, (10, 14, 34)),
    (40, (26, 34, 84)),
    (104, (22, 92, 100)),
    (200, (166, 208, 200)),
    (228, (222, 236, 226)),
    (244, (250, 248, 238)),
    (255, (255, 255, 255)),
)
_LINES: Final = (  # of y, from x to x
    (60, 560, 698),
    (130, 24, 470),
    (176, 24, 616),
    (236, 24, 230),
    (236, 440, 698),
)
_WORDS: Final = (
    ((26, 18), 21, "CREDENZA SAVINGS BANK"),
    ((27, 45), 10, "12 Sideboard Lane  ·  Established 1472"),
    ((518, 49), 10, "DATE"),
    ((24, 108), 9, "PAY TO THE"),
    ((24, 118), 9, "ORDER OF"),
    ((474, 98), 22, "$"),
    ((626, 164), 12, "DOLLARS"),
    ((24, 240), 9, "FOR"),
    ((530, 240), 9, "AUTHORISED SIGNATURE"),
)


@functools.cache
def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Pillow's built-in typeface at that height."""
    return ImageFont.load_default(size)


@functools.cache
def blank() -> Image.Image:
    """The form before anything is written on it, in grey. Copy it; it is made once."""
    page = Image.fromarray(_background())
    pen = ImageDraw.Draw(page)
    for y, start, stop in _LINES:
        pen.line((start, y, stop, y), fill=PRINT)
    for at, size, words in _WORDS:
        pen.text(at, words, font=font(size), fill=PRINT, stroke_width=0.4 if size > 12 else 0)
    _draw_courtesy(pen)
    _draw_code(pen)
    return page


def tinted(grey: Bytes8) -> Bytes8:
    """A grey picture (h, w) in the bank's colours (h, w, 3): blue ink, green print, cream paper."""
    return _palette()[grey]


@functools.cache
def _palette() -> Bytes8:
    levels = [level for level, _ in _PALETTE]
    channels = zip(*(colour for _, colour in _PALETTE), strict=True)
    columns = [np.interp(np.arange(256), levels, channel) for channel in channels]
    return np.stack(columns, axis=1).round().astype(np.uint8)


def _background() -> Bytes8:
    """Paper, waves across all of it, a rosette in the middle and a band of waves for an edge."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float64)
    waves = _fine(y + 7 * np.sin(x / 31) + 4 * np.sin(x / 83 + y / 40), 7.0)
    waves += _fine(y - 7 * np.sin(x / 31 + 1.6) - 4 * np.sin(x / 71), 7.0)
    radius = np.hypot((x - WIDTH / 2) / 1.5, y - HEIGHT / 2)
    angle = np.arctan2(y - HEIGHT / 2, (x - WIDTH / 2) / 1.5)
    rosette = _fine(radius + 9 * np.sin(12 * angle), 9.0) + _fine(
        radius - 9 * np.sin(12 * angle), 9.0
    )
    relief = np.where(radius < 96, 0.35 * waves + rosette, 0.6 * waves)
    edge = np.minimum(np.minimum(x, WIDTH - 1 - x), np.minimum(y, HEIGHT - 1 - y))
    band = _fine(edge + 3 * np.sin((x + y) / 6), 5.0) + _fine(edge - 3 * np.sin((x - y) / 6), 5.0)
    relief = np.where(edge < 13, 3.2 * band, relief)
    page: Bytes8 = (PAPER - _RELIEF * relief).round().clip(PRINT, 255).astype(np.uint8)
    return page


def _fine(phase: NDArray[np.float64], period: float) -> NDArray[np.float64]:
    """Thin soft lines, 0 to 1, wherever ``phase`` is a multiple of ``period``."""
    lines: NDArray[np.float64] = (0.5 + 0.5 * np.cos(2 * np.pi * phase / period)) ** 4
    return lines


def _draw_courtesy(pen: ImageDraw.ImageDraw) -> None:
    left, top, right, bottom = COURTESY
    pen.rectangle((left, top, right - 1, bottom - 1), fill=PAPER, outline=PRINT, width=FRAME)
    x, y = left + POINT, bottom - 12
    pen.ellipse(
        (x - POINT_RADIUS, y - POINT_RADIUS, x + POINT_RADIUS, y + POINT_RADIUS), fill=PRINT
    )


def _draw_code(pen: ImageDraw.ImageDraw) -> None:
    """The line of magnetic ink at the bottom: transit and account number between its symbols."""
    x = 150
    for character in "|021047280| 6204719385:":
        if character in "|:":
            pen.rectangle((x, 268, x + 2, 281), fill=INK)
            pen.rectangle((x + 5, 268, x + 7, 273), fill=INK)
            pen.rectangle((x + 5, 276, x + 7, 281), fill=INK)
        else:
            pen.text((x, 264), character, font=font(17), fill=INK)
        x += 14
