"""What Python itself, dill and cloudpickle make of plain values."""

from __future__ import annotations

import collections
import datetime as dt
import decimal
import fractions
import pathlib
import pickle
import uuid
from pathlib import Path
from typing import Any

from .interface import Files, Write

DISTRIBUTION = "dill"

VALUES: dict[str, Any] = {
    "config": {"classes": ["0", "1"], "rate": 0.1, "seed": 0, "nested": {"a": (1, 2, None)}},
    "counter": collections.Counter("credenza"),
    "ordered": collections.OrderedDict(a=1, b=[2, 3]),
    "defaults": collections.defaultdict(list, a=[1]),
    "deque": collections.deque([1, 2, 3], 5),
    "dates": [dt.datetime(2024, 1, 2, tzinfo=dt.UTC), dt.date(2024, 1, 2), dt.timedelta(3)],
    "numbers": [decimal.Decimal("1.5"), fractions.Fraction(1, 3), 2**70, 1j, -1.5e300],
    "names": [uuid.UUID(int=7), pathlib.PurePosixPath("a/b")],
    "sets": [{1, 2}, frozenset("ab"), b"bytes", bytearray(b"more"), True],
    "vocabulary": {f"word{i}": i for i in range(3000)},
}


def files() -> Files:
    import cloudpickle
    import dill

    found: Files = {}
    for protocol in (0, 2, 5):
        for name, value in VALUES.items():
            found[f"{name}-{protocol}.pkl"] = _pickled(pickle, value, protocol)
    found["config-dill.pkl"] = _pickled(dill, VALUES["config"], 4)
    found["config-cloudpickle.pkl"] = _pickled(cloudpickle, VALUES["config"], 5)
    return found


def _pickled(by: Any, value: Any, protocol: int) -> Write:
    def write(path: Path) -> None:
        path.write_bytes(by.dumps(value, protocol))

    return write
