"""Gradient boosting: XGBoost and LightGBM, by pickle, joblib and their own formats."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

from .interface import Files, Write

DISTRIBUTION = "lightgbm"


def files() -> Files:
    import joblib
    import lightgbm as lgb
    import numpy as np
    import xgboost as xgb

    rng = np.random.default_rng(0)
    x = rng.normal(size=(80, 4))
    y = (x[:, 0] > 0).astype(int)
    light = lgb.LGBMClassifier(n_estimators=2, num_leaves=3, verbose=-1, n_jobs=1).fit(x, y)
    ranked = lgb.LGBMRegressor(n_estimators=2, num_leaves=3, verbose=-1, n_jobs=1).fit(x, y)
    extreme = xgb.XGBClassifier(n_estimators=2, max_depth=2, n_jobs=1).fit(x, y)
    regressor = xgb.XGBRegressor(n_estimators=2, max_depth=2, n_jobs=1).fit(x, y)
    booster = extreme.get_booster()
    return {
        "lightgbm-classifier.pkl": _pickled(light),
        "lightgbm-regressor.joblib": lambda path: joblib.dump(ranked, path) and None,
        "lightgbm-booster.pkl": _pickled(light.booster_),
        "lightgbm-model.txt": lambda path: light.booster_.save_model(path) and None,
        "xgboost-classifier.pkl": _pickled(extreme),
        "xgboost-regressor.joblib": lambda path: joblib.dump(regressor, path) and None,
        "xgboost-booster.pkl": _pickled(booster),
        "xgboost-model.json": lambda path: booster.save_model(path),
        "xgboost-model.ubj": lambda path: booster.save_model(path),
    }


def _pickled(thing: Any) -> Write:
    def write(path: Path) -> None:
        path.write_bytes(pickle.dumps(thing))

    return write
