"""Skops schemas: what their nodes have the loader look up."""

from __future__ import annotations

import json
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skops.io
from sklearn.datasets import make_classification
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.feature_selection import SelectKBest, f_classif
from sklearn.gaussian_process import GaussianProcessClassifier
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from credenza.findings import Severity
from tests.scan.looking import looked

MODELS = [
    LogisticRegression(),
    SGDClassifier(),
    RandomForestClassifier(3, random_state=np.random.RandomState(0)),
    GradientBoostingClassifier(n_estimators=3),
    HistGradientBoostingClassifier(max_iter=3),
    GaussianProcessClassifier(),
    GaussianNB(),
    KNeighborsClassifier(algorithm="kd_tree"),
    MLPClassifier(max_iter=5),
    SVC(),
    DecisionTreeClassifier(),
    make_pipeline(StandardScaler(), SelectKBest(f_classif, k=2), LogisticRegression()),
    make_pipeline(FunctionTransformer(np.log1p), OneHotEncoder(handle_unknown="ignore"), SVC()),
]


def node(loader: str, module: str, class_: str, content: Any = None) -> str:
    inner = {"__class__": class_, "__module__": module, "__loader__": loader, "content": content}
    outer = {"__class__": "dict", "__module__": "builtins", "__loader__": "DictNode"}
    return json.dumps(
        {**outer, "content": {"a": [inner]}, "protocol": 2, "_skops_version": "0.13.0"}
    )


MALICIOUS = {
    "function": (node("FunctionNode", "os", "system"), Severity.CRITICAL),
    "function-builtin": (node("FunctionNode", "builtins", "eval"), Severity.CRITICAL),
    "function-numpy": (node("FunctionNode", "numpy", "fromfile"), Severity.CRITICAL),
    "function-testing": (node("FunctionNode", "sklearn.utils._testing", "x"), Severity.HIGH),
    "object": (node("ObjectNode", "subprocess", "Popen"), Severity.CRITICAL),
    "object-unknown": (node("ObjectNode", "evil", "Model"), Severity.HIGH),
    "object-dotted": (node("ObjectNode", "sklearn", "os.__dict__"), Severity.HIGH),
    "object-main": (node("ObjectNode", "__main__", "Model"), Severity.HIGH),
    "type": (node("TypeNode", "os", "_wrap_close"), Severity.CRITICAL),
    # CVE-2025-54413: what the node names was not what was looked up
    "operator": (node("OperatorFuncNode", "builtins", "eval"), Severity.CRITICAL),
    "operator-call": (node("OperatorFuncNode", "operator", "call"), Severity.CRITICAL),
    "operator-getter": (node("OperatorFuncNode", "operator", "attrgetter"), Severity.HIGH),
    # CVE-2025-54412: a method was looked up whatever the user trusted
    "method": (
        node("MethodNode", "builtins", "int", {"func": "__reduce__", "obj": {}}),
        Severity.HIGH,
    ),
    "reduce": (node("ConstructorFromReduceNode", "os", "popen"), Severity.CRITICAL),
    "partial": (
        node(
            "PartialNode",
            "functools",
            "partial",
            {"func": json.loads(node("FunctionNode", "os", "system"))},
        ),
        Severity.CRITICAL,
    ),
}


@pytest.mark.parametrize(("schema", "severity"), MALICIOUS.values(), ids=MALICIOUS.keys())
def test_a_node_that_reaches_further_is_found(schema: str, severity: Severity) -> None:
    assert looked("schema.json", schema).worst is severity


@pytest.mark.parametrize("model", MODELS, ids=lambda m: type(m).__name__)
def test_an_honest_model_is_not_accused(model: Any, tmp_path: Path) -> None:
    x, y = make_classification(60, 4, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it did not converge is of no matter here
        model.fit(np.abs(x), y)
    skops.io.dump(model, tmp_path / "a.skops")
    with zipfile.ZipFile(tmp_path / "a.skops") as archive:
        report = looked("schema.json", archive.read("schema.json"))
    assert not report.findings
    assert not report.unread
