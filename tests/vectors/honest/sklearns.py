"""scikit-learn estimators, pickled, dumped by joblib and by skops."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .interface import Files, Write

DISTRIBUTION = "scikit-learn"
JOBLIB = ("forest", "histogram", "neighbours", "text", "grid")
COMPRESSED = {"boosting.joblib.gz": "gzip", "network.joblib.xz": "xz", "columns.joblib.bz2": "bz2"}
SKOPS = ("logistic", "forest", "pipeline", "columns", "text", "machine")


def files() -> Files:
    """Every estimator in one way, some in several."""
    made = dict(_estimators())
    found: Files = {
        f"{name}.pkl": _pickled(e, 4 - i % 4) for i, (name, e) in enumerate(made.items())
    }
    found |= {f"{name}.joblib": _dumped(made[name]) for name in JOBLIB}
    found |= {
        name: _dumped(made[name.partition(".")[0]], (method, 3))
        for name, method in COMPRESSED.items()
    }
    try:
        import skops.io  # noqa: F401
    except ImportError:
        return found
    return found | {f"{name}.skops": _skops(made[name]) for name in SKOPS}


def _pickled(estimator: Any, protocol: int) -> Write:
    return lambda path: path.write_bytes(pickle.dumps(estimator, protocol)) and None


def _dumped(estimator: Any, compress: Any = 0) -> Write:
    import joblib

    return lambda path: joblib.dump(estimator, path, compress=compress) and None


def _skops(estimator: Any) -> Write:
    import skops.io

    def write(path: Path) -> None:
        skops.io.dump(estimator, path)

    return write


def _estimators() -> Iterator[tuple[str, Any]]:
    import numpy as np
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.cluster import KMeans
    from sklearn.compose import ColumnTransformer
    from sklearn.decomposition import PCA, TruncatedSVD
    from sklearn.ensemble import (
        AdaBoostRegressor,
        GradientBoostingClassifier,
        HistGradientBoostingClassifier,
        IsolationForest,
        RandomForestClassifier,
        StackingClassifier,
        VotingRegressor,
    )
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.feature_selection import SelectKBest
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import RBF, WhiteKernel
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import ElasticNet, LogisticRegression, Ridge, SGDClassifier
    from sklearn.mixture import GaussianMixture
    from sklearn.model_selection import GridSearchCV
    from sklearn.naive_bayes import GaussianNB, MultinomialNB
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
    from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
    from sklearn.svm import SVC, LinearSVC
    from sklearn.tree import DecisionTreeRegressor

    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 5))
    y = (x[:, 0] + x[:, 1] > 0).astype(int)
    words = [f"pay {n} euros to number {n % 7}" for n in range(60)]
    table = np.array([[f"city{n % 3}", str(n)] for n in range(60)], dtype=object)
    two = {"max_iter": 20}
    yield "logistic", LogisticRegression().fit(x, y)
    yield "forest", RandomForestClassifier(3, max_depth=3, random_state=0).fit(x, y)
    yield "boosting", GradientBoostingClassifier(n_estimators=3, random_state=0).fit(x, y)
    yield "histogram", HistGradientBoostingClassifier(max_iter=3, random_state=0).fit(x, y)
    yield "machine", SVC(probability=True, random_state=0).fit(x, y)
    yield "linear-machine", LinearSVC(random_state=0).fit(x, y)
    yield "neighbours", KNeighborsClassifier().fit(x, y)
    pipeline = Pipeline([("scale", StandardScaler()), ("pca", PCA(3)), ("l", LogisticRegression())])
    yield "pipeline", pipeline.fit(x, y)
    columns = ColumnTransformer([("city", OneHotEncoder(), [0]), ("rest", "passthrough", [1])])
    yield "columns", columns.fit(table)
    yield "text", make_pipeline(TfidfVectorizer(), MultinomialNB()).fit(words, y)
    yield (
        "network",
        MLPClassifier((4,), random_state=0, early_stopping=False, tol=1, **two).fit(x, y),
    )
    yield "grid", GridSearchCV(Ridge(), {"alpha": [0.1, 1]}, cv=2).fit(x, y)
    yield "means", KMeans(n_clusters=2, n_init=1, random_state=0).fit(x)
    yield "isolation", IsolationForest(n_estimators=3, random_state=0).fit(x)
    kernel = RBF() + WhiteKernel()
    yield "process", GaussianProcessRegressor(kernel, optimizer=None).fit(x, y)
    yield "calibrated", CalibratedClassifierCV(GaussianNB(), cv=2).fit(x, y)
    stacked = [("tree", DecisionTreeRegressor(max_depth=2)), ("net", ElasticNet())]
    yield "voting", VotingRegressor(stacked).fit(x, y)
    both = [("nb", GaussianNB()), ("sgd", SGDClassifier(loss="log_loss", random_state=0))]
    yield "stacking", StackingClassifier(both, cv=2).fit(x, y)
    yield "tree", DecisionTreeRegressor(max_depth=3, random_state=0).fit(x, y)
    union = FeatureUnion([("svd", TruncatedSVD(2)), ("best", SelectKBest(k=2))])
    yield "union", make_pipeline(SimpleImputer(), union).fit(x, y)
    yield "function", make_pipeline(FunctionTransformer(np.log1p), Ridge()).fit(abs(x), y)
    yield "mixture", GaussianMixture(2, random_state=0).fit(x)
    yield "adaboost", AdaBoostRegressor(n_estimators=2, random_state=0).fit(x, y)
