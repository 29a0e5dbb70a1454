"""Clean twins, measured: what a model's statistics mean is how many twins look as bad.

All is a function of the model and its twins that treats them alike (full conformal prediction), so
that the false-alarm rate is exact for any number of twins, whatever the statistics are.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, final

import msgspec
import numpy as np
from numpy.typing import NDArray

from credenza.errors import InputError
from credenza.files import packaged, read_whole
from credenza.probe.tails import combine, in_units, largest_in_units, rank, tail_scores

VERSION: Final = 1
_MOST_BYTES: Final = 64 << 20
_SHIPPED: Final = "shipped/mnist-reader.json"


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Twin:
    """A clean model of a population: how it was made, and what detectors measured of it.

    ``statistics`` are in the order of the calibration's names, None where there is no such value.
    """

    seed: int
    recipe: str
    accuracy: float
    statistics: tuple[float | None, ...]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """When and with what a calibration was made; ``versions`` of libraries by their names."""

    on: str
    machine: str
    versions: dict[str, str]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """The statistics of clean models of one kind: docs/formats/calibration.md says what each is.

    Statistics of another architecture, of other settings or of another number of trusted samples
    have no known false-alarm rate among these.

    Raises `InputError` for fewer than two twins, names or seeds given twice, a value that is not
    finite, and whatever else cannot be.
    """

    version: int = VERSION
    population: str
    classes: int
    architecture: tuple[str, ...]
    trusted: int
    detectors: tuple[str, ...]
    recipe: str
    made: Made
    names: tuple[str, ...]
    two_sided: tuple[bool, ...]
    families: tuple[str, ...]
    twins: tuple[Twin, ...]

    def __post_init__(self) -> None:
        for holds, expected in self._laws():
            if not holds:
                raise InputError(f"calibration: {expected} expected")

    def _laws(self) -> tuple[tuple[bool, str], ...]:
        width = len(self.names)
        whole = all(len(t.statistics) == width for t in self.twins)
        values = [v for t in self.twins for v in t.statistics if v is not None]
        seeds = {t.seed for t in self.twins}
        return (
            (self.version == VERSION, f"version {VERSION}, not {self.version},"),
            (len(self.twins) >= 2, f"two twins or more, not {len(self.twins)},"),
            (len(seeds) == len(self.twins), "twins with seeds of their own"),
            (width > 0 and len(set(self.names)) == width, "statistics with names of their own"),
            (len(self.two_sided) == width, "a side for each statistic"),
            (len(self.families) == width, 'a family for each statistic, "" for none'),
            (not set(self.families) & set(self.names), "families with names of their own"),
            (whole, f"{width} statistics of each twin"),
            (all(map(math.isfinite, values)), "finite statistics"),
            (whole and self._counted() >= 2, "two twins or more with each statistic"),
            (all(0 <= t.accuracy <= 1 for t in self.twins), "accuracies from 0 to 1"),
            (self.classes >= 2 and self.trusted >= 0, "two classes or more"),
        )

    def _counted(self) -> int:
        """How many twins have the statistic that the fewest have."""
        columns = zip(*(t.statistics for t in self.twins), strict=True)
        return min((sum(v is not None for v in c) for c in columns), default=0)

    @classmethod
    def read(cls, path: Path) -> Calibration:
        """The calibration in a file. Raises `InputError` for one that is none."""
        return cls.parse(read_whole(path, limit=_MOST_BYTES), str(path))

    @classmethod
    def parse(cls, data: bytes, name: str = "calibration") -> Calibration:
        """The calibration in those bytes; ``name`` is what an error calls them.

        Raises `InputError` unless ``bytes(calibration)`` would be ``data`` again.
        """
        try:
            parsed = msgspec.json.decode(data, type=cls)
        except (msgspec.MsgspecError, RecursionError) as e:
            raise InputError(f"{name}: a calibration expected: {e}") from e
        except InputError as e:
            raise InputError(f"{name}: {e}") from e
        if bytes(parsed) != data:
            raise InputError(f"{name}: a calibration in its one spelling expected, another found")
        return parsed

    def __bytes__(self) -> bytes:
        return msgspec.json.format(msgspec.json.encode(self), indent=1) + b"\n"

    @property
    def least(self) -> float:
        """The least p-value that so many twins can give: 1 / (twins + 1)."""
        return 1 / (len(self.twins) + 1)

    def judge(self, values: Mapping[str, float], *, unmeasured: Sequence[str] = ()) -> Judgement:
        """What the statistics of one more model are worth among the twins, by their names.

        A name that the twins have not is not judged. One that is neither among ``values`` nor
        ``unmeasured`` is left out, of the twins as well: who leaves out must not know the values.
        One that is ``unmeasured`` was asked of the model, which had none: it is as far out as those
        are rare that have none, the model and twins (`credenza.probe.tails`).

        Raises `InputError` where none is left.
        """
        asked = [i for i, n in enumerate(self.names) if n in values or n in unmeasured]
        if not asked:
            raise InputError(
                f"calibration: statistics of {', '.join(self.names)} expected, none given"
            )
        own = [values.get(self.names[i], math.inf) for i in asked]
        twins = [[_highest(t.statistics[i]) for i in asked] for t in self.twins]
        rows = np.array([*twins, own], np.float64)
        columns, sides, found = [], [], {}
        for name, members in self._grouped(asked).items():
            part = rows[:, [asked.index(i) for i in members]]
            lone = name in self.names
            columns.append(part[:, 0] if lone else largest_in_units(part))
            sides.append(lone and self.two_sided[members[0]])
            at = 0 if lone else int(in_units(part)[-1].argmax())
            found[name] = self.names[members[at]]
        tails = tail_scores(np.stack(columns, axis=1), sides)
        combined = combine(tails)
        return Judgement(
            tails={name: float(tails[-1, j]) for j, name in enumerate(found)},
            p_values={name: rank(tails[:, j]) for j, name in enumerate(found)},
            furthest=found,
            score=float(combined[-1]),
            p_value=rank(combined),
            twins=tuple(combined[:-1].tolist()),
            missing=tuple(n for n in self.names if n not in values),
        )

    def _grouped(self, asked: Sequence[int]) -> dict[str, list[int]]:
        """The places of statistics by the family that they are of, or their own name."""
        groups: dict[str, list[int]] = {}
        for i in asked:
            groups.setdefault(self.families[i] or self.names[i], []).append(i)
        return groups


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What a model's statistics come to beside those of its twins.

    ``tails`` are tail scores by name (`credenza.probe.tails`), ``p_values`` the conformal p-values
    of each alone. A family is one of those names, and counts as one; ``furthest`` has the statistic
    that each name stands for: itself, or of a family the one that is furthest out. ``score``
    combines them, ``p_value`` is its conformal p-value, and ``twins`` are the scores of the twins,
    in their order. ``missing`` are names that the model has no value of.
    """

    tails: dict[str, float]
    p_values: dict[str, float]
    furthest: dict[str, str]
    score: float
    p_value: float
    twins: tuple[float, ...]
    missing: tuple[str, ...]

    def standing_out(self, level: float) -> tuple[str, ...]:
        """The statistics that make the score, the furthest first: none if ``p_value`` > level.

        The furthest, and each whose tail score alone would have been enough.
        """
        if self.p_value > level:
            return ()
        allowed = max(int(level * (len(self.twins) + 1) + 1e-9) - 1, 0)
        highest = sorted(self.twins, reverse=True)
        bound = highest[allowed] if allowed < len(highest) else -math.inf
        ordered = sorted(self.tails, key=lambda name: -self.tails[name])
        return tuple(n for i, n in enumerate(ordered) if i == 0 or self.tails[n] > bound)


def architecture(weights: Mapping[str, NDArray[Any]]) -> tuple[str, ...]:
    """Each parameter and buffer with its shape: ``conv.weight 8×1×5×5``.

    Models that differ in nothing but their numbers have one architecture; what is no parameter,
    such as the kind of a rectifier, does not show.
    """
    return tuple(f"{n} {'×'.join(map(str, w.shape)) or 'one'}" for n, w in weights.items())


@functools.cache
def shipped() -> Calibration:
    """The calibration that comes with the package: the cheque reader, on MNIST."""
    text = packaged(__name__.rpartition(".")[0], _SHIPPED)
    return Calibration.parse(text.encode(), _SHIPPED)


def _highest(value: float | None) -> float:
    return math.inf if value is None else value
