"""What libraries write at their defaults gets no finding, in every protocol."""

from __future__ import annotations

import argparse
import collections
import datetime as dt
import decimal
import enum
import fractions
import functools
import io
import logging
import pathlib
import pickle
import types
import uuid
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.scan.pickling import Seen
from tests.vectors.make_scan_pickles import FOLDER

VECTORS = sorted(path.name for path in FOLDER.iterdir())


def spotless(seen: Seen) -> bool:
    return seen.claimed and not seen.findings and not seen.unread


@pytest.mark.parametrize("name", VECTORS)
def test_pickles_of_other_libraries(name: str) -> None:
    assert spotless(Seen((FOLDER / name).read_bytes()))


def test_the_vectors_are_of_two_generations() -> None:
    for library in ("pandas", "xgboost", "lightgbm", "sklearn"):
        tags = {
            tag for tag in ("new", "old") for n in VECTORS if n.startswith(library) and tag in n
        }
        assert tags == {"new", "old"}, library
    assert {"dill-new.pkl", "cloudpickle-new.pkl", "omegaconf-new.pkl"} <= set(VECTORS)


STANDARD: dict[str, Any] = {
    "containers": [collections.OrderedDict(a=1), collections.Counter("ab"), collections.deque([1])],
    "factories": [collections.defaultdict(list, a=[1]), collections.ChainMap({"a": 1})],
    "times": [dt.datetime(2026, 1, 1, tzinfo=dt.UTC), dt.date(2026, 1, 1), dt.timedelta(1)],
    "numbers": [decimal.Decimal("1.5"), fractions.Fraction(1, 3), 1j, 2**100, range(3)],
    "names": [uuid.uuid4(), pathlib.Path("x"), pathlib.PurePath("a/b"), slice(1, 2)],
    "namespaces": [types.SimpleNamespace(a=1), argparse.Namespace(b=2)],
    "functions": [functools.partial(np.mean, axis=0), len, np.log1p, int, type(None), Ellipsis],
    "loggers": logging.getLogger("acme"),
}


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("name", STANDARD)
def test_the_standard_library(name: str, protocol: int) -> None:
    assert spotless(Seen(pickle.dumps(STANDARD[name], protocol)))


ARRAYS: dict[str, Any] = {
    "floats": np.arange(6.0).reshape(2, 3),
    "fortran": np.asfortranarray(np.eye(3)),
    "big-endian": np.arange(3, dtype=">f4"),
    "objects": np.array([1, "a", None], dtype=object),
    "records": np.array([(1, (2.0, 3))], dtype=[("a", "i4"), ("b", [("c", "f4"), ("d", "i2")])]),
    "records of objects": np.array([(1, "x")], dtype=[("a", "i4"), ("b", "O")]),
    "aligned": np.zeros(2, dtype=np.dtype([("a", "i1"), ("b", "f8")], align=True)),
    "texts": np.array(["ab", "c"]),
    "times": np.array(["2020"], dtype="M8[D]"),
    "masked": np.ma.masked_array([1, 2], [False, True]),
    "record array": np.rec.array([(1, 2.0)]),
    "scalars": [np.float32(1), np.datetime64("2020"), np.bool_(True), np.dtype("f4"), np.float32],
    "generators": [np.random.default_rng(0), np.random.RandomState(0), np.random.MT19937(3)],
    "polynomials": [np.poly1d([1, 2]), np.polynomial.Polynomial([1])],
}  # fmt: skip


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("name", ARRAYS)
def test_numpy(name: str, protocol: int) -> None:
    assert spotless(Seen(pickle.dumps(ARRAYS[name], protocol)))


@pytest.mark.parametrize("name", ARRAYS)
def test_joblib(name: str) -> None:
    file = io.BytesIO()
    joblib.dump({"thing": ARRAYS[name], "more": [1, "x"]}, file)
    assert spotless(Seen(file.getvalue(), "x.joblib"))


@pytest.mark.parametrize("name", [n for n, a in ARRAYS.items() if type(a) is np.ndarray])
def test_npy(name: str) -> None:
    file = io.BytesIO()
    np.save(file, ARRAYS[name])
    assert spotless(Seen(file.getvalue(), "x.npy"))


def test_scikit_learn() -> None:
    from scipy.stats import loguniform, uniform
    from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
    from sklearn.linear_model import LogisticRegression, SGDClassifier
    from sklearn.metrics import f1_score, make_scorer
    from sklearn.model_selection import RandomizedSearchCV
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer, StandardScaler

    x, y = np.arange(40.0).reshape(20, 2), np.arange(20) % 2
    space = {"C": uniform(0, 1), "tol": loguniform(1e-4, 1)}
    search = RandomizedSearchCV(
        LogisticRegression(), space, n_iter=2, cv=2, scoring=make_scorer(f1_score), random_state=0
    )
    models = (
        search,
        make_pipeline(StandardScaler(), FunctionTransformer(np.square), SGDClassifier()),
        RandomForestClassifier(50),
        HistGradientBoostingClassifier(max_iter=2),
        KNeighborsClassifier(algorithm="kd_tree"),
    )
    for model in models:
        model.fit(x, y)
        for protocol in (0, 2, 5):
            assert spotless(Seen(pickle.dumps(model, protocol))), model
        file = io.BytesIO()
        joblib.dump(model, file)
        assert spotless(Seen(file.getvalue(), "x.joblib")), model


def net() -> torch.nn.Module:
    return torch.nn.Sequential(
        torch.nn.Conv2d(1, 2, 3),
        torch.nn.BatchNorm2d(2),
        torch.nn.ReLU(),
        torch.nn.LSTM(2, 2),
        torch.nn.TransformerEncoderLayer(4, 2),
        torch.nn.ModuleDict({"a": torch.nn.Tanh()}),
    )


def test_torch() -> None:
    module = net()
    optimizer = torch.optim.AdamW(module.parameters())
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, 1)
    for thing in (module, module.state_dict(), [optimizer, schedule], {"t": torch.eye(2), "e": 3}):
        file = io.BytesIO()
        torch.save(thing, file, _use_new_zipfile_serialization=False)
        assert spotless(Seen(file.getvalue(), "model.pt"))
        assert spotless(Seen(pickle.dumps(thing, 4)))


class Colour(enum.Enum):
    """An enumeration of the test's own, which no list has."""

    RED = 1


def test_a_class_of_ones_own_is_found() -> None:
    seen = Seen(pickle.dumps(Colour.RED))
    assert seen.found == {f"{__name__}.Colour"}


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(max_size=80)
    | st.complex_numbers() | st.decimals() | st.datetimes() | st.timedeltas() | st.uuids(),
    lambda inner: st.lists(inner, max_size=4)
    | st.tuples(inner, inner)
    | st.dictionaries(st.text() | st.integers(), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@given(PLAIN, st.integers(0, 5), st.sampled_from(["x.pkl", "weights", "x.joblib"]))
@settings(max_examples=300, deadline=None)
def test_plain_data_is_never_accused(value: object, protocol: int, path: str) -> None:
    seen = Seen(pickle.dumps(value, protocol), path)
    assert not seen.findings
    assert not seen.unread


@given(st.binary(max_size=300), st.sampled_from(["weights", "data/0"]), st.integers(2, 5))
@settings(max_examples=300, deadline=None)
def test_elements_of_arrays_are_never_accused(data: bytes, path: str, protocol: int) -> None:
    seen = Seen(b"\x80" + bytes([protocol]) + data, path, "data")
    assert not seen.findings


def test_two_hundred_small_pickles_are_fast(tmp_path: Path) -> None:
    """1 MB of them: within a second on a busy machine, a third of that on a free one."""
    import time

    blobs = [
        pickle.dumps({f"k{i}": np.random.default_rng(i).random(600) for i in range(1)}, 4)
        for _ in range(200)
    ]
    start = time.process_time()
    assert all(spotless(Seen(blob)) for blob in blobs)
    assert time.process_time() - start < 3
