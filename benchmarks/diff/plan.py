"""What each seed is for. No seed, of a base model or of a change, is for two things."""

from __future__ import annotations

from typing import Final

from credenza.diff import verdict

KINDS: Final = tuple(verdict.SEVERITIES)
"""The twelve kinds, by their verdicts."""

ROLES: Final = {
    "development": range(1_000_000, 1_000_030),
    "calibrating": range(2_000_000, 2_000_032),
    "test": range(3_000_000, 3_000_045),
}
"""Seeds of the changes of each kind. Thresholds and weights are chosen on development changes, the
rates and the honest scores that reports name are of calibrating ones, and the figures of the page
of test ones."""

BASES: Final = {
    "development": range(1_100_000, 1_100_004),
    "calibrating": range(2_100_000, 2_100_004),
    "test": range(3_100_000, 3_100_004),
}
"""Seeds of the models that are changed, for each architecture. The last of each is only ever the
foreign model."""

SHORT: Final = 3
"""Test changes of each kind in the short form."""

DIRECT: Final = ("row edit", "rank-one edit", "bit flips", "one-neuron path", "subnet")
HONEST: Final = ("fine-tune", "dtype conversion", "quantisation", "pruning")
"""What the score tells apart: variants of changes are named in `changes`."""

POISONED: Final = "poisoned fine-tune"
CLEAN_TWIN: Final = "its honest twin"
"""Fine-tunes of one base by one recipe in one order, with and without a mark in the data."""
