"""Which models the population holds. A seed says what a model is for: none is for two things.

Everything about a model follows from its seed and its kind. No seed was looked at and left out,
and none of `DEVELOPMENT`, on which detectors were made, is used here.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from benchmarks.poison.attacks import ATTACKS, Group
from benchmarks.poison.variants import AsTrained, FineTuned, Half, Int8, Pruned, Variant
from credenza.attack import Attack
from credenza.training import Recipe


class Role(enum.Enum):
    """What a model is for."""

    DEVELOPMENT = "development"
    """What detectors were made with. None is planned here; `model` makes one for any such seed."""
    TWIN = "twin"
    """Clean: what calibration counts."""
    CLEAN = "clean"
    """Clean: what false alarms are counted on."""
    ATTACKED = "attacked"
    VICTIM = "victim"
    """Clean before it is attacked; it is neither kept nor probed."""


@dataclass(frozen=True, slots=True)
class Kind:
    """Models that are compared with each other: a data set and an architecture."""

    data: str
    architecture: str

    def __str__(self) -> str:
        return f"{self.data}-{self.architecture}"


MAIN: Final = Kind("mnist", "plain")
KINDS: Final = (
    MAIN,
    Kind("mnist", "residual"),
    Kind("mnist", "perceptron"),
    Kind("fashion", "plain"),
)
"""New ones go to the end: the place of one is part of its seeds."""

SEEDS: Final = {
    Role.DEVELOPMENT: range(1_000_000, 2_000_000),
    Role.TWIN: range(2_000_000, 3_000_000),
    Role.CLEAN: range(3_000_000, 4_000_000),
    Role.ATTACKED: range(4_000_000, 5_000_000),
    Role.VICTIM: range(5_000_000, 6_000_000),
}
_A_KIND: Final = 100_000
_AN_ATTACK: Final = 1_000


@dataclass(frozen=True, slots=True)
class Counts:
    """How many models of each role; ``attacked`` an attack."""

    twins: int
    clean: int
    attacked: int


FULL: Final = {
    kind: Counts(300, 320, 44) if kind == MAIN else Counts(100, 107, 15) for kind in KINDS
}
SHORT: Final = {MAIN: Counts(24, 12, 2)}
"""Too few to calibrate or to claim anything: they show that everything runs."""

_RECIPES: Final = {
    "plain": Recipe(epochs=4, rate=1.5e-2),
    "residual": Recipe(epochs=2, rate=6e-3),
    "perceptron": Recipe(epochs=4, rate=1e-2),
}


_AS_TRAINED: Final = AsTrained()


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A model to be made. Its ``str`` names everything that it depends on.

    ``family`` is a name of `ATTACKS`, and ``attack`` one with its settings; a clean model has
    neither. ``samples`` train it.
    """

    seed: int
    role: Role
    kind: Kind
    width: float
    samples: int
    recipe: Recipe
    variant: Variant = _AS_TRAINED
    family: str = ""
    attack: Attack | None = None

    @property
    def is_changed(self) -> bool:
        """Whether the attack changes a trained model, rather than what one is trained on."""
        return self.attack is not None and not hasattr(self.attack, "may_alter")

    @property
    def name(self) -> str:
        """What a table calls it: the attack, or what was done to an honest model."""
        return self.family or self.variant.name


def everything(counts: dict[Kind, Counts]) -> list[Planned]:
    """All models, mixed so that an unfinished population has its share of each."""
    placed = [(place, m) for kind, of in counts.items() for place, m in _of_kind(kind, of)]
    return [m for _, m in sorted(placed, key=lambda pair: (pair[0], pair[1].seed))]


def model(seed: int, kind: Kind, family: str = "") -> Planned:
    """The model of that seed; of ``family``, if it is attacked.

    Raises `ValueError` for a held-out attack on any seed but those of `Role.ATTACKED`: nothing is
    to be developed or calibrated on it.
    """
    role = role_of(seed)
    if family and ATTACKS[family].group is Group.HELD_OUT and role is not Role.ATTACKED:
        raise ValueError(f"{family} is held out: a seed of {SEEDS[Role.ATTACKED]} expected")
    rng = np.random.default_rng([seed, 1])
    usual = _RECIPES[kind.architecture]
    planned = Planned(
        seed=seed,
        role=role,
        kind=kind,
        width=float(rng.choice((0.75, 1.0, 1.25), p=(0.15, 0.7, 0.15))),
        samples=int(rng.integers(10_000, 14_001)),
        recipe=replace(
            usual,
            rate=round(usual.rate * rng.uniform(0.8, 1.25), 5),
            weight_decay=round(float(10 ** rng.uniform(-3, -1.3)), 5),
            smoothing=float(rng.choice((0.0, 0.05), p=(0.8, 0.2))),
            shift=int(rng.choice((0, 1), p=(0.75, 0.25))),
        ),
    )
    if family:
        attack = ATTACKS[family].draw(np.random.default_rng([seed, 2]), kind.data)
        attacked = replace(planned, family=family, attack=attack)
        return _like_victim(attacked) if attacked.is_changed else attacked
    return planned if role is Role.VICTIM else replace(planned, variant=_variant(rng))


def victim(attacked: Planned) -> Planned:
    """The clean model that an attack on weights starts from: of a seed of its own."""
    first = SEEDS[Role.VICTIM].start
    if attacked.role is Role.ATTACKED:
        return model(first + attacked.seed - SEEDS[Role.ATTACKED].start, attacked.kind)
    half = len(SEEDS[Role.DEVELOPMENT]) // 2  # of development: of the other half of its seeds
    start = SEEDS[Role.DEVELOPMENT].start
    seed = start + (attacked.seed - start + half) % (2 * half)
    return replace(model(seed, attacked.kind), variant=_AS_TRAINED)


def _like_victim(attacked: Planned) -> Planned:
    """An attack on weights leaves a model of its victim's width, trained as that was."""
    of = victim(attacked)
    return replace(attacked, width=of.width, samples=of.samples, recipe=of.recipe)


def role_of(seed: int) -> Role:
    """Raises `ValueError` for a seed that is nobody's."""
    for role, seeds in SEEDS.items():
        if seed in seeds:
            return role
    raise ValueError(f"seed: one of {SEEDS} expected, {seed} given")


def _of_kind(kind: Kind, counts: Counts) -> Iterator[tuple[float, Planned]]:
    """Each model with its place between 0 and 1 in the order of making."""
    offset = KINDS.index(kind) * _A_KIND
    for role, count in ((Role.TWIN, counts.twins), (Role.CLEAN, counts.clean)):
        for i in range(count):
            yield i / count, model(SEEDS[role].start + offset + i, kind)
    for place, family in enumerate(ATTACKS):
        first = SEEDS[Role.ATTACKED].start + offset + place * _AN_ATTACK
        count = round(counts.attacked * ATTACKS[family].more)
        for i in range(count):
            yield i / count, model(first + i, kind, family)


def _variant(rng: np.random.Generator) -> Variant:
    """Half as they were trained, the others in equal parts."""
    draw = rng.uniform()
    tuned = FineTuned(int(rng.integers(1_000, 6_001)), round(rng.uniform(5e-4, 4e-3), 5))
    pruned = Pruned(round(rng.uniform(0.3, 0.6), 3))
    if draw < 0.5:
        return _AS_TRAINED
    return (tuned, pruned, Int8(), Half())[int((draw - 0.5) * 8)]
