"""NumPy's own formats, and its objects in pickles; SciPy's sparse matrices."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .interface import Files, Write

DISTRIBUTION = "numpy"


def files() -> Files:
    import numpy as np
    import scipy.sparse as sparse
    import scipy.stats as stats

    floats = np.arange(12, dtype=np.float32).reshape(3, 4)
    matrix = sparse.random(6, 6, 0.3, format="csr", random_state=0)
    found: Files = {f"{name}.npy": _saved(a) for name, a in _arrays()}
    found |= {f"{name}.pkl": _pickled(o, 4 - i % 4) for i, (name, o) in enumerate(_objects())}
    found["arrays.npz"] = lambda path: np.savez(path, a=floats, b=floats.T)
    found["compressed.npz"] = lambda path: np.savez_compressed(path, a=floats)
    found["objects.npz"] = lambda path: np.savez(path, a=np.array(["x", None], dtype=object))
    found["sparse.npz"] = lambda path: sparse.save_npz(path, matrix)
    found["sparse.pkl"] = _pickled(matrix, 4)
    found["distribution.pkl"] = _pickled(stats.norm(0, 1), 4)
    return found


def _saved(array: Any) -> Write:
    import numpy as np

    return lambda path: np.save(path, array)


def _pickled(thing: Any, protocol: int) -> Write:
    def write(path: Path) -> None:
        path.write_bytes(pickle.dumps(thing, protocol))

    return write


def _arrays() -> Iterator[tuple[str, Any]]:
    import numpy as np

    yield "float32", np.arange(6, dtype=np.float32)
    yield "fortran", np.asfortranarray(np.ones((3, 2)))
    yield "records", np.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")])
    yield "texts", np.array(["a", "bc"])
    yield "objects", np.array([{"a": 1}, [2, 3], "x", None], dtype=object)
    yield "dates", np.array(["2024-01-01"], dtype="datetime64[D]")


def _objects() -> Iterator[tuple[str, Any]]:
    import numpy as np

    yield "array", np.arange(5.0)
    yield "scalars", {"loss": np.float64(0.5), "step": np.int64(7), "ok": np.bool_(True)}
    yield "masked", np.ma.masked_array([1.0, 2.0], [True, False])
    yield "generator", np.random.default_rng(0)
    yield "random-state", np.random.RandomState(0)
    yield "types", [np.dtype("f4"), np.float32, np.dtype([("a", "i4")])]
    yield "functions", [np.log1p, np.exp]
    yield "strings", np.array(["a", "b"], dtype=object)
