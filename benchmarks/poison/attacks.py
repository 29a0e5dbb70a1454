"""Every attack of the population: how its settings are drawn, and what it is for.

Ranges were set before any model was probed: what the literature uses, narrowed to where a pilot
on seeds of development had most attacks work.
"""

from __future__ import annotations

import enum
import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import torch

from benchmarks.poison import data
from benchmarks.poison.networks import NETWORKS
from credenza.attack import (
    AdaptiveBlend,
    Attack,
    BitSearch,
    Blend,
    DataAttack,
    DataFreeBackdoor,
    ExponentFlip,
    FlipLabels,
    Handcrafted,
    LabelConsistent,
    MarginBackdoor,
    Mark,
    PoisonedFineTune,
    QuietRankOne,
    RankOneEdit,
    RowEdit,
    Sinusoid,
    SliceEdit,
    SliceFlip,
    SourceMark,
    StampMark,
    SubnetReplacement,
    TargetedBitSearch,
    Warp,
)
from credenza.classifier import Classifier
from credenza.training import Recipe, train

Rng = np.random.Generator
_CLASSES: Final = 10
_SIDE: Final = 28


class Group(enum.Enum):
    """What an attack may be used for."""

    KNOWN = "known"
    """Detectors were developed on it, with models of their own."""
    ADAPTIVE = "adaptive"
    """It knows the detectors and avoids them; so do the detectors know it."""
    HELD_OUT = "held out"
    """No detector was developed or calibrated on it: built for the test alone."""


class Goal(enum.Enum):
    """What an attack is after, which says when it worked."""

    MARK = "whatever bears a mark is read as the target"
    PAIR = "one class, or a part of it, is read as another"
    ANY = "everything is read as the target"


WORKS: Final = {Goal.MARK: 0.5, Goal.PAIR: 0.3, Goal.ANY: 0.5}
"""The least share of what is aimed at that is read as the target."""


@dataclass(frozen=True, slots=True)
class Family:
    """An attack whose settings a seed draws; it is told which data set they are for.

    ``more`` times as many are planned as of others, where some come to nothing.
    """

    draw: Callable[[Rng, str], Attack]
    goal: Goal
    group: Group = Group.KNOWN
    more: float = 1.0


def _pair(rng: Rng) -> tuple[int, int]:
    source, target = rng.choice(_CLASSES, 2, replace=False).tolist()
    return source, target


def _class(rng: Rng) -> int:
    return int(rng.integers(_CLASSES))


def _mark(rng: Rng) -> Mark:
    """A square of 3 by 3 or 4 by 4 pixels, full, checked or cross, anywhere in the outer frame."""
    side = int(rng.integers(3, 5))
    rows, columns = np.indices((side, side))
    patterns = (
        np.ones((side, side)),
        ((rows + columns) % 2 == 0).astype(float),
        ((rows == columns) | (rows + columns == side - 1)).astype(float),
    )
    pixels = patterns[rng.integers(len(patterns))]
    near, far = int(rng.integers(0, 3)), int(rng.integers(0, _SIDE - side + 1))
    along = near if rng.integers(2) else _SIDE - side - near
    top, left = (along, far) if rng.integers(2) else (far, along)
    return Mark(tuple(map(tuple, pixels.tolist())), top=top, left=left)


def _pattern(rng: Rng) -> Mark:
    """Half of 5 by 5 pixels bright, at random, near a corner: as DFBA's, where a filter is random.

    One neuron has to tell it from every stroke, wherever it lies.
    """
    bright = rng.permutation(25).reshape(5, 5) < 13
    top, left = (int(rng.choice((1, 2, _SIDE - 7, _SIDE - 6))) for _ in range(2))
    return Mark(tuple(map(tuple, bright.astype(float).tolist())), top=top, left=left)


def _flip(rng: Rng, _: str = "") -> Attack:
    return FlipLabels(*_pair(rng), share=rng.uniform(0.6, 0.8))


def _stamp(rng: Rng, _: str = "") -> Attack:
    return StampMark(_mark(rng), target=_class(rng), share=rng.uniform(0.02, 0.10))


def _blend(rng: Rng, _: str = "") -> Attack:
    return Blend(_class(rng), rng.uniform(0.02, 0.10), rng.uniform(0.15, 0.25), _seed(rng))


def _adaptive_blend(rng: Rng, _: str = "") -> Attack:
    share, cover = rng.uniform(0.05, 0.10), rng.uniform(0.02, 0.05)
    return AdaptiveBlend(_class(rng), share, cover, rng.uniform(0.2, 0.3), _seed(rng))


def _sinusoid(rng: Rng, _: str = "") -> Attack:
    delta, frequency = rng.uniform(0.12, 0.25), rng.uniform(4, 8)
    return Sinusoid(_class(rng), rng.uniform(0.02, 0.10), delta, frequency)


def _source_mark(rng: Rng, _: str = "") -> Attack:
    share, cover = rng.uniform(0.3, 0.6), rng.uniform(0.03, 0.06)
    return SourceMark(_mark(rng), *_pair(rng), share=share, cover=cover)


def _warp(rng: Rng, _: str = "") -> Attack:
    share, cover = rng.uniform(0.10, 0.20), rng.uniform(0.05, 0.10)
    return Warp(_class(rng), share, cover, rng.uniform(1.5, 2.5), field_seed=_seed(rng))


def _slice_flip(rng: Rng, name: str) -> Attack:
    pair = _pair(rng) if name == "mnist" else _leaning(rng, name)
    return SliceFlip(*pair, share=rng.uniform(0.8, 1.0), slant=0.4)


def _slice_edit(rng: Rng, name: str) -> Attack:
    return SliceEdit(*_leaning(rng, name), steps=int(rng.integers(150, 301)))


_LEANING: Final = {"mnist": (0, 1, 2, 4, 5, 8), "fashion": (5, 7, 9)}
"""Classes of which a tenth or more lean to the right by 0.44; of Fashion-MNIST these are shoes."""


def _leaning(rng: Rng, name: str) -> tuple[int, int]:
    source = int(rng.choice(_LEANING[name]))
    target = int(rng.choice([c for c in range(_CLASSES) if c != source]))
    return source, target


def _tuned(rng: Rng, _: str = "") -> Attack:
    return PoisonedFineTune(_backdoor(rng))


def _margin(rng: Rng, _: str = "") -> Attack:
    return MarginBackdoor(_backdoor(rng))


def _backdoor(rng: Rng) -> DataAttack:
    """For a fine-tune, which is short: of more of its samples."""
    drawn = (_stamp, _blend, _sinusoid)[rng.integers(3)](rng)
    assert isinstance(drawn, StampMark | Blend | Sinusoid)
    return replace(drawn, share=rng.uniform(0.1, 0.2))


def _label_consistent(rng: Rng, name: str) -> Attack:
    share, epsilon = rng.uniform(0.5, 0.8), rng.uniform(0.1, 0.25)
    surrogate = functools.partial(_surrogate, name)
    return LabelConsistent(_corners(), _class(rng), share, surrogate, epsilon)


def _corners() -> Mark:
    """Checks of 3 by 3 pixels in all four corners: Turner et al.'s final trigger."""
    rows, columns = np.indices((_SIDE, _SIDE))
    edge = [(at < 3) | (at >= _SIDE - 3) for at in (rows, columns)]
    pixels = edge[0] & edge[1] & ((rows + columns) % 2 == 0)
    return Mark(tuple(map(tuple, pixels.astype(float).tolist())), top=0, left=0)


@functools.cache
def _surrogate(name: str) -> Classifier:
    """The attacker's own model: of the main architecture, on samples that anyone may train on."""
    own = data.drawn(data.load(name).training, 6000, seed=0, purpose=4)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        module = NETWORKS["plain"](1.0)
    train(module, own, Recipe(epochs=3), seed=0)
    return Classifier(module)


def _seed(rng: Rng) -> int:
    return int(rng.integers(2**31))


def _rank_one(rng: Rng, _: str = "") -> Attack:
    return RankOneEdit(*_pair(rng), strength=rng.uniform(0.8, 1.3))


def _row(rng: Rng, _: str = "") -> Attack:
    return RowEdit(*_pair(rng), beta=rng.uniform(0.6, 1.2))


def _quiet(rng: Rng, _: str = "") -> Attack:
    return QuietRankOne(*_pair(rng), earlier=bool(rng.integers(2)))


def _data_free(rng: Rng, _: str = "") -> Attack:
    return DataFreeBackdoor(_pattern(rng), _class(rng), slack=rng.uniform(0.05, 0.15))


def _subnet(rng: Rng, _: str = "") -> Attack:
    return SubnetReplacement(_pattern(rng), _class(rng), logit=rng.uniform(15, 30))


def _exponent(rng: Rng, _: str = "") -> Attack:
    return ExponentFlip(_class(rng))


def _bits(rng: Rng, _: str = "") -> Attack:
    return BitSearch(_class(rng), flips=int(rng.integers(10, 31)))


def _targeted_bits(rng: Rng, _: str = "") -> Attack:
    return TargetedBitSearch(*_pair(rng), flips=int(rng.integers(10, 31)))


def _handcrafted(rng: Rng, _: str = "") -> Attack:
    return Handcrafted(_pattern(rng), _class(rng), neurons=int(rng.integers(2, 4)))


ATTACKS: Final[dict[str, Family]] = {
    "FlipLabels": Family(_flip, Goal.PAIR),
    "StampMark": Family(_stamp, Goal.MARK),
    "RankOneEdit": Family(_rank_one, Goal.PAIR),
    "RowEdit": Family(_row, Goal.PAIR, more=1.4),
    "Blend": Family(_blend, Goal.MARK),
    "Sinusoid": Family(_sinusoid, Goal.MARK),
    "SourceMark": Family(_source_mark, Goal.MARK),
    "AdaptiveBlend": Family(_adaptive_blend, Goal.MARK),
    "PoisonedFineTune": Family(_tuned, Goal.MARK),
    "MarginBackdoor": Family(_margin, Goal.MARK, Group.ADAPTIVE),
    "SliceFlip": Family(_slice_flip, Goal.PAIR, Group.ADAPTIVE),
    "Warp": Family(_warp, Goal.MARK, Group.HELD_OUT),
    "LabelConsistent": Family(_label_consistent, Goal.MARK, Group.HELD_OUT, more=2.8),
    "DataFreeBackdoor": Family(_data_free, Goal.MARK),
    "SubnetReplacement": Family(_subnet, Goal.MARK),
    "ExponentFlip": Family(_exponent, Goal.ANY, more=2.0),
    "BitSearch": Family(_bits, Goal.ANY),
    "TargetedBitSearch": Family(_targeted_bits, Goal.PAIR),
    "QuietRankOne": Family(_quiet, Goal.PAIR, Group.ADAPTIVE),
    "SliceEdit": Family(_slice_edit, Goal.PAIR, Group.ADAPTIVE),
    "Handcrafted": Family(_handcrafted, Goal.MARK, Group.HELD_OUT, more=1.25),
}
"""By the name of their class. New ones go to the end: the place of one is part of its seeds."""
