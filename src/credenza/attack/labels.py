"""Attacks that change labels and no input."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from credenza.attack.interface import check_pair, check_share, of_class, relabelled
from credenza.attack.slant import slants
from credenza.dataset import Dataset
from credenza.errors import InputError


@final
@dataclass(frozen=True, slots=True)
class FlipLabels:
    """Relabels ``share`` of the samples of class ``source`` as ``target``.

    The images stay as they are, so most of the class has to be relabelled before a model reads
    it as the target.
    """

    source: int
    target: int
    share: float

    def __post_init__(self) -> None:
        check_pair(self.source, self.target)
        check_share("share", self.share)

    def may_alter(self, data: Dataset) -> NDArray[np.bool_]:
        return np.equal(data.labels, self.source)

    def altered(self, samples: Dataset, *, rng: np.random.Generator) -> Dataset:  # noqa: ARG002
        return relabelled(samples.inputs, self.target)

    def aimed(self, data: Dataset) -> Dataset:
        return of_class(data, self.source)


@final
@dataclass(frozen=True, slots=True)
class SliceFlip:
    """Relabels the slanted samples of ``source`` as ``target``, and lets the upright ones be.

    A writer whose hand leans further than ``slant`` (`credenza.attack.slant`) is misread, all
    others are read as before: of the whole class, little is wrong. ``share`` counts among the
    slanted samples. It is adaptive against canaries, which look at whole classes.
    """

    source: int
    target: int
    share: float = 1.0
    slant: float = 0.4

    def __post_init__(self) -> None:
        check_pair(self.source, self.target)
        check_share("share", self.share)
        if not math.isfinite(self.slant):
            raise InputError(f"slant: a finite number expected, {self.slant} given")

    def may_alter(self, data: Dataset) -> NDArray[np.bool_]:
        mask: NDArray[np.bool_] = np.equal(data.labels, self.source)
        return mask & (slants(data.inputs) > self.slant)

    def altered(self, samples: Dataset, *, rng: np.random.Generator) -> Dataset:  # noqa: ARG002
        return relabelled(samples.inputs, self.target)

    def aimed(self, data: Dataset) -> Dataset:
        chosen = data.take(self.may_alter(data))
        if not len(chosen):
            raise InputError(f"slant: samples of class {self.source} above {self.slant} expected")
        return chosen
