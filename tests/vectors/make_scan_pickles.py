"""Writes honest pickles of libraries that the tests do not install: tests/vectors/scan/pickles.

Run as ``python -m tests.vectors.make_scan_pickles TAG`` in an environment that has them; what is
not there is left out. The tag says which environment wrote a file: ``new`` has pandas 3.1, xgboost
3.2, lightgbm 4.7, dill 0.4, cloudpickle 3.1 and omegaconf 2.4; ``old`` has pandas 1.5, scikit-learn
1.2, scipy 1.10, xgboost 1.7 and lightgbm 3.3, with numpy 1.26.
"""

from __future__ import annotations

import importlib
import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "scan" / "pickles"


def pandas(tag: str) -> None:
    pd = importlib.import_module("pandas")
    table = pd.DataFrame(
        {
            "number": [1, 2],
            "text": ["x", "y"],
            "choice": pd.Categorical(["u", "v"]),
            "time": pd.to_datetime(["2020-01-01", "2021-01-01"]).tz_localize("UTC"),
            "masked": pd.array([1, None], dtype="Int64"),
            "sparse": pd.arrays.SparseArray([0, 1]),
            "step": pd.to_timedelta([1, 2], unit="D"),
            "range": pd.interval_range(0, 2),
            "month": pd.period_range("2020-01", periods=2, freq="M"),
        }
    )
    things = {
        "table": table,
        "indexed": table[["number", "time"]].set_index("time"),
        "series": table["text"],
        "levels": pd.MultiIndex.from_product([[1, 2], ["a", "b"]]),
        "times": [pd.Timestamp("2020-01-01", tz="Europe/Paris"), pd.NaT, pd.NA, pd.Timedelta(1)],
        "offset": [pd.offsets.MonthEnd(), pd.Period("2020-01"), pd.Interval(0, 1)],
    }
    for name, thing in things.items():
        for protocol in (2, 4):
            write(f"pandas-{name}-{tag}-{protocol}.pkl", pickle.dumps(thing, protocol))


def boosted(tag: str) -> None:
    numpy = importlib.import_module("numpy")
    x, y = numpy.arange(40.0).reshape(20, 2), numpy.arange(20) % 2
    for library, settings in (
        ("xgboost", {}),
        ("lightgbm", {"verbose": -1, "min_child_samples": 2}),
    ):
        module = importlib.import_module(library)
        class_ = module.XGBClassifier if library == "xgboost" else module.LGBMClassifier
        model = class_(n_estimators=2, max_depth=2, **settings).fit(x, y)
        write(f"{library}-{tag}.pkl", pickle.dumps(model, 4))


def sklearn(tag: str) -> None:
    numpy = importlib.import_module("numpy")
    linear = importlib.import_module("sklearn.linear_model")
    ensemble = importlib.import_module("sklearn.ensemble")
    selection = importlib.import_module("sklearn.model_selection")
    neighbors = importlib.import_module("sklearn.neighbors")
    stats = importlib.import_module("scipy.stats")
    x, y = numpy.arange(40.0).reshape(20, 2), numpy.arange(20) % 2
    space = {"C": stats.uniform(0, 1), "tol": stats.loguniform(1e-4, 1)}
    base = linear.LogisticRegression()
    models = {
        "forest": ensemble.RandomForestClassifier(3),
        "boosted": ensemble.GradientBoostingClassifier(n_estimators=2),
        "histograms": ensemble.HistGradientBoostingClassifier(max_iter=2),
        "search": selection.RandomizedSearchCV(base, space, n_iter=2, cv=2),
        "neighbours": neighbors.KNeighborsClassifier(algorithm="ball_tree"),
        "gradient": linear.SGDClassifier(),
    }
    for name, model in models.items():
        write(f"sklearn-{name}-{tag}.pkl", pickle.dumps(model.fit(x, y), 2))


def others(tag: str) -> None:
    numpy = importlib.import_module("numpy")
    omegaconf = importlib.import_module("omegaconf")
    settings = omegaconf.OmegaConf.create({"model": {"layers": [1, 2], "name": "x"}})
    write(f"omegaconf-{tag}.pkl", pickle.dumps(settings, 4))
    for library in ("dill", "cloudpickle"):
        thing = {"weights": numpy.arange(4), "names": ["a", "b"]}
        write(f"{library}-{tag}.pkl", importlib.import_module(library).dumps(thing))


def write(name: str, data: bytes) -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / name).write_bytes(data)


def main(tag: str) -> None:
    writers: tuple[Callable[[str], Any], ...] = (pandas, boosted, sklearn, others)
    for writer in writers:
        try:
            writer(tag)
        except ImportError as e:
            sys.stderr.write(f"left out: {e}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
