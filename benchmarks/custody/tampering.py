"""The tamper campaign of the tests, ten times as large, with another seed."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Final

from tests.seal.alterations import ALTERATIONS
from tests.seal.honesty import honest
from tests.seal.makers import MAKERS
from tests.seal.tampering import campaign

from benchmarks.results import Bar
from credenza.rates import interval

ALTERED: Final = 10_000
HONEST: Final = 1_000
SEED: Final = 2026


def bars() -> Iterator[Bar]:
    """How many altered models are refused as they should be, and how many honest ones are."""
    wrong = [str(trial) for trial in campaign(ALTERED, SEED) if trial.wrong]
    kinds = f"{len(ALTERATIONS)} kinds of alteration, {len(MAKERS)} kinds of model"
    what = f"{ALTERED:,} altered models refused, each by the right error ({kinds})"
    yield _share(what, ALTERED - len(wrong), ALTERED, ">=", 100)
    refused = [str(trial) for trial in honest(HONEST, SEED) if trial.wrong]
    yield _share(f"{HONEST:,} honest models refused", len(refused), HONEST, "<=", 0)
    for trial in wrong + refused:
        print(f"  {trial}", file=sys.stderr)


def _share(bar: str, hits: int, of: int, sense: str, target: float) -> Bar:
    low, high = (100 * end for end in interval(hits, of))
    value = 100 * hits / of
    return Bar(bar=bar, value=value, unit="%", sense=sense, target=target, low=low, high=high)
