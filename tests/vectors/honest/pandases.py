"""pandas objects, as `to_pickle` writes them, and in every compression that it knows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .interface import Files, Write

DISTRIBUTION = "pandas"


def files() -> Files:
    made = dict(_objects())
    found: Files = {f"{name}.pkl": _pickled(o) for name, o in made.items()}
    endings = ("gz", "bz2", "xz", "zip", "tar")
    return found | {f"frame.pkl.{ending}": _pickled(made["frame"]) for ending in endings}


def _pickled(thing: Any) -> Write:
    return lambda path: thing.to_pickle(path)


def _objects() -> Iterator[tuple[str, Any]]:
    import numpy as np
    import pandas as pd

    days = pd.date_range("2024-01-01", periods=6, tz="Europe/Zurich")
    columns = {"amount": np.arange(6.0), "count": range(6), "who": list("abcdef")}
    frame = pd.DataFrame(columns, index=days)
    yield "frame", frame
    yield "series", frame["amount"]
    yield "categories", frame.assign(who=frame["who"].astype("category"))
    yield "levels", frame.set_index(["who", "count"])
    yield "periods", frame.tz_localize(None).to_period("D")
    yield "nullable", frame.astype({"count": "Int64", "who": "string"})
    yield "sparse", pd.DataFrame({"a": pd.arrays.SparseArray([0, 0, 1])})
    yield "intervals", pd.Series(pd.cut([1, 2, 3], 2))
    yield "times", pd.DataFrame({"a": days, "b": days - days[0]})
    yield "objects", pd.DataFrame({"a": [{"x": 1}, [2], None]})
