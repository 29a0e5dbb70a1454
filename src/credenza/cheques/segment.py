"""From a picture of a cheque to the digits in its courtesy box, each as MNIST has them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from credenza.cheques import form
from credenza.dataset import FloatArray

Bytes8 = NDArray[np.uint8]

SIDE: Final = 28
"""The height and width of a crop."""
DIGIT: Final = 20
"""The longer side of the digit in it."""
CENTRE: Final = 14.0
"""Where the digit's centre of mass comes to lie, in rows and columns of the crop."""

_REACH: Final = 18  # how far from its place on the form the box may lie
_FRAME_LEVEL: Final = 172  # darker than this is print or ink, and not paper
_INSET: Final = form.FRAME + 2  # what is cut off inside the frame's outer edge
_TOLERANCE: Final = 8.0  # how many pixels the frame's sides may differ from the form's
_INK_LEVEL: Final = 0.34  # of full ink: what belongs to a stroke
_UPRIGHT: Final = 0.4  # of the line's height: no digit is lower, and few loose strokes are higher
_SPECK: Final = 0.24  # of the line's height: what is no longer is a speck, and no stroke
_OVERLAP: Final = 0.5  # of the narrower part: two parts that share so many columns are one digit
_EVERY_NEIGHBOUR: Final = np.ones((3, 3), dtype=bool)


@dataclass(frozen=True, slots=True)
class Frame:
    """How a digit on paper lies in its crop: ``scale`` is pixels of paper a pixel of the crop.

    ``row`` and ``column`` are the digit's centre of mass on paper, which `CENTRE` shows.
    """

    scale: float
    row: float
    column: float

    def to_crop(self, paper: FloatArray) -> FloatArray:
        """The 28×28 crop of a picture (h, w)."""
        offset = (self.row - CENTRE * self.scale, self.column - CENTRE * self.scale)
        return _resampled(paper, self.scale, offset, (SIDE, SIDE))

    def to_paper(self, crop: FloatArray, shape: tuple[int, int]) -> FloatArray:
        """The picture of that shape whose crop is ``crop``: what a forger works from."""
        offset = (CENTRE - self.row / self.scale, CENTRE - self.column / self.scale)
        return _resampled(crop, 1 / self.scale, offset, shape)


def frame(strokes: FloatArray) -> Frame:
    """MNIST's frame for a digit (h, w): its longer side 20, its centre of mass in the middle.

    After LeCun, Bottou, Bengio, Haffner (1998), "Gradient-Based Learning Applied to Document
    Recognition", section III.A.
    """
    rows, columns = np.nonzero(strokes > _INK_LEVEL)
    longer = 1 + max(int(np.ptp(rows)), int(np.ptp(columns)))
    row, column = ndimage.center_of_mass(strokes)
    return Frame(longer / DIGIT, float(row), float(column))


def segment(image: Bytes8) -> tuple[FloatArray, FloatArray] | None:
    """The digits of the amount: those before the decimal point, and the two behind it.

    ``image`` is a grey cheque (h, w). Both results are (n, 1, 28, 28), float32, 0 to 1, from left
    to right. None where the box is not found, or holds anything but two to four digits, the
    point, and two digits: a person reads such a cheque.

    A digit is the strokes that share columns, and the loose ones, such as the bar of a 5, that are
    closest to it.
    Only strokes set the frame. What is cut out with it is all ink that lies nearer to this digit
    than to any other: a speck too small to be a stroke stays in the picture, where the hand that
    made it put it, and moves nothing.
    """
    ink = _box(image)
    if ink is None:
        return None
    labels, count = _digits(ink)
    if not 4 <= count <= 6:
        return None
    middle = form.POINT - _INSET
    owners = _nearest(labels)
    centres = ndimage.center_of_mass(labels > 0, labels, range(1, count + 1))
    before = sum(column < middle for _, column in centres)
    if count - before != 2:
        return None
    crops = np.stack([_crop(ink, labels == n, owners == n) for n in range(1, count + 1)])
    return crops[:before, None], crops[before:, None]


def _box(image: Bytes8) -> FloatArray | None:
    """What is written inside the courtesy box, set upright: 0 for paper to 1 for full ink."""
    top, left = form.COURTESY.top - _REACH, form.COURTESY.left - _REACH
    region = image[top : form.COURTESY.bottom + _REACH, left : form.COURTESY.right + _REACH]
    corners = _corners(region < _FRAME_LEVEL)
    if corners is None:
        return None
    height, width = form.COURTESY.height - 2 * _INSET, form.COURTESY.width - 2 * _INSET
    matrix, origin = _placement(corners)
    inside = ndimage.affine_transform(
        region.astype(np.float32),
        matrix,
        offset=origin + matrix @ np.array([_INSET, _INSET]),
        output_shape=(height, width),
        order=1,
        mode="nearest",
    )
    return _without_point(_inked(inside))


def _corners(dark: NDArray[np.bool_]) -> NDArray[np.float64] | None:
    """Rows and columns (4, 2) of the frame's corners: top left, top right, bottom left and right.

    The frame is the component with the largest bounding box. None where its sides are not those
    of the form.
    """
    labels, _ = ndimage.label(dark, _EVERY_NEIGHBOUR)
    boxes = ndimage.find_objects(labels)
    if not boxes:
        return None
    areas = [(b[0].stop - b[0].start) * (b[1].stop - b[1].start) for b in boxes]
    pixels = np.argwhere(labels == 1 + int(np.argmax(areas)))
    down, across = pixels[:, 0] + pixels[:, 1], pixels[:, 1] - pixels[:, 0]
    extremes = [down.argmin(), across.argmax(), across.argmin(), down.argmax()]
    corners = np.asarray(pixels[extremes], np.float64)
    sides = np.linalg.norm(corners[[1, 3, 2, 3]] - corners[[0, 2, 0, 1]], axis=1)
    width, height = form.COURTESY.width - 1, form.COURTESY.height - 1
    off = np.abs(sides - np.array([width, width, height, height]))
    return corners if off.max() <= _TOLERANCE else None


def _placement(corners: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The affine map from the form's box to the picture's: the matrix (2, 2) and the offset."""
    width, height = form.COURTESY.width - 1, form.COURTESY.height - 1
    on_form = np.array([[0, 0, 1], [0, width, 1], [height, 0, 1], [height, width, 1]], np.float64)
    solution = np.asarray(np.linalg.lstsq(on_form, corners, rcond=None)[0], np.float64)
    return solution[:2].T, solution[2]


def _inked(inside: NDArray[np.float32]) -> FloatArray:
    """Grey to ink: the paper's own grey is 0, the darkest grey of the strokes 1."""
    paper = float(np.median(inside)) - 12  # the paper's grain is no ink
    darkest = min(float(np.percentile(inside, 1.5)), paper / 2)
    ink: FloatArray = ((paper - inside) / (paper - darkest)).clip(0, 1).astype(np.float32)
    return ink


def _without_point(ink: FloatArray) -> FloatArray:
    """The printed point blanked: where it is, is the form's to say."""
    row = form.COURTESY.height - 12 - _INSET
    column = form.POINT - _INSET
    reach = form.POINT_RADIUS + 2
    ink[row - reach : row + reach + 1, column - reach : column + reach + 1] = 0
    return ink


def _digits(ink: FloatArray) -> tuple[NDArray[np.int32], int]:
    """Each digit's strokes under a number of its own, from left to right; 0 for all else."""
    parts, _ = ndimage.label(ink > _INK_LEVEL, _EVERY_NEIGHBOUR)
    boxes = ndimage.find_objects(parts)
    heights = np.array([b[0].stop - b[0].start for b in boxes])
    widths = np.array([b[1].stop - b[1].start for b in boxes])
    line = heights.max(initial=0)
    upright = np.flatnonzero(heights > _UPRIGHT * line)
    strokes = sorted((boxes[n][1].start, boxes[n][1].stop, int(n) + 1) for n in upright)
    groups = _grouped(strokes)
    numbers = np.zeros(len(boxes) + 1, np.int32)
    for number, group in enumerate(groups, start=1):
        numbers[group] = number
    loose = 1 + np.flatnonzero(
        (heights <= _UPRIGHT * line) & (np.maximum(heights, widths) > _SPECK * line)
    )
    numbers[loose] = _joined(numbers[parts], parts, loose)
    return numbers[parts], len(groups)


def _joined(
    digits: NDArray[np.int32], parts: NDArray[np.int32], loose: NDArray[np.intp]
) -> NDArray[np.int32]:
    """For each loose part, such as the bar that left its 5, the digit that it is closest to."""
    distances, places = ndimage.distance_transform_edt(digits == 0, return_indices=True)
    closest = ndimage.minimum_position(distances, parts, loose) if len(loose) else []
    return np.array([digits[tuple(places[:, row, column])] for row, column in closest], np.int32)


def _grouped(strokes: list[tuple[int, int, int]]) -> list[list[int]]:
    """Strokes (first column, column after the last, label) put together where they overlap."""
    groups: list[list[int]] = []
    start = stop = 0
    for first, after, label in strokes:
        shared = min(stop, after) - first
        if groups and shared >= _OVERLAP * min(after - first, stop - start):
            groups[-1].append(label)
            stop = max(stop, after)
        else:
            groups.append([label])
            start, stop = first, after
    return groups


def _nearest(labels: NDArray[np.int32]) -> NDArray[np.int32]:
    """For each pixel the digit that it is nearest to."""
    places: Any = ndimage.distance_transform_edt(
        labels == 0, return_distances=False, return_indices=True
    )
    nearest: NDArray[np.int32] = labels[tuple(places)]
    return nearest


def _crop(ink: FloatArray, strokes: NDArray[np.bool_], owned: NDArray[np.bool_]) -> FloatArray:
    return frame(np.where(strokes, ink, np.float32(0))).to_crop(np.where(owned, ink, np.float32(0)))


def _resampled(
    picture: FloatArray, step: float, offset: tuple[float, float], shape: tuple[int, int]
) -> FloatArray:
    """Every ``step``-th pixel from ``offset``, smoothed first where pixels would be skipped."""
    smooth = 0.5 * math.sqrt(max(step * step - 1, 0.0))
    source = ndimage.gaussian_filter(picture, smooth) if smooth > 0.1 else picture
    result: FloatArray = ndimage.affine_transform(
        source, np.diag((step, step)), offset=offset, output_shape=shape, order=1, output=np.float32
    )
    return result
