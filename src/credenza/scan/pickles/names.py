"""The names that pickles may use, and those that are known to run code.

``names.json`` is written by ``python -m tools.make_pickle_names`` from the libraries and from two
lists that are kept by hand. A name that is on neither list is not allowed, and nobody has judged
it. What is allowed is allowed for one use: a class of a library to be made without arguments and
given plain attributes, a function to be a value and not called, and so on.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, final

from credenza.artifact.pickles import TENSORS, Allowed, Use
from credenza.artifact.pickles.lists import listed
from credenza.files import packaged

_COLLECTED: Final = {
    "plain": Allowed(
        use=Use.CLASS,
        reason="A class of the library's own that is given plain attributes.",
        state=True,
        arguments="none",
        states="plain attributes",
    ),
    "stateful": Allowed(
        use=Use.CLASS,
        reason="A class whose __setstate__ was read: it sets attributes.",
        state=True,
        arguments="none",
        states="a plain dict",
    ),
    "distribution": Allowed(
        use=Use.CLASS,
        reason="A distribution; its template runs, and is checked to be SciPy's own.",
        state=True,
        arguments="none",
        states="scipy's own template",
    ),
    "enumeration": Allowed(
        use=Use.CLASS, reason="A choice of the library's own.", arguments="an enumeration's value"
    ),
    "value": Allowed(use=Use.VALUE, reason="A function as a parameter; it is not called."),
}
"""What a class or function may be used for, by how the script has classed it."""

_TORCHSCRIPT: Final = Allowed(
    use=Use.CLASS,
    reason="A class of a TorchScript archive, whose code lies beside the pickle; no module has it.",
    state=True,
)
_BY_USER: Final = Allowed(
    use=Use.CLASS, reason="Allowed by its owner.", state=True, items=True, pairs=True
)


@final
@dataclass(frozen=True, slots=True)
class PickleNames:
    """The list, and ``more``: names that a user allows, each as ``module.Name``."""

    more: frozenset[str] = frozenset()

    def entry(self, module: str, name: str) -> Allowed | None:
        if self.more and f"{module}.{name}" in self.more:
            return _BY_USER
        return TENSORS.entry(module, name) or _entry(module, name)


def dangerous(module: str, name: str) -> str:
    """What a name is known to do; empty where it is not known to do harm.

    An attribute of an attribute (``torch`` and ``os.system``) is judged by each of its parts, and
    a name of Python 2 by what Python 3 makes of it.
    """
    known = _data().dangerous
    for path in _paths(module, name):
        parts = path.split(".")
        for count in range(len(parts), 0, -1):
            reason = known.get(".".join(parts[:count]))
            if reason:
                return reason
    return ""


def python3(module: str, name: str) -> tuple[str, str]:
    """What Python 3 makes of a name of Python 2 (``fix_imports`` of `pickle.Unpickler`)."""
    import _compat_pickle as compat

    mapped: tuple[str, str] | None = compat.NAME_MAPPING.get((module, name))
    return mapped or (compat.IMPORT_MAPPING.get(module, module), name)


def _paths(module: str, name: str) -> Iterator[str]:
    yield f"{module}.{name}"
    yield ".".join(python3(module, name))
    parts = name.split(".")[:16]
    for i in range(1, len(parts)):
        yield ".".join(parts[i - 1 :])
        yield f"builtins.{parts[i]}"


def versions() -> dict[str, tuple[str, ...]]:
    """The versions of the libraries that the list was collected from."""
    return {library: tuple(seen) for library, seen in _data().versions.items()}


@dataclass(frozen=True, slots=True)
class _Data:
    versions: dict[str, list[str]]
    uses: dict[str, dict[str, list[str]]]
    by_hand: dict[tuple[str, str], Allowed]
    dangerous: dict[str, str]


@functools.cache
def _data() -> _Data:
    data: dict[str, Any] = json.loads(packaged("credenza.scan.pickles", "names.json"))
    known = {
        name: group["reason"]
        for group in data["dangerous"]
        for name in (*group["modules"], *group["names"])
    }
    return _Data(data["versions"], data["uses"], listed(data["groups"]), known)


def _entry(module: str, name: str) -> Allowed | None:
    data = _data()
    by_hand = data.by_hand.get((module, name))
    if by_hand is not None:
        return by_hand
    if module.startswith("__torch__."):
        return _TORCHSCRIPT
    module = _moved(module)
    for use, modules in data.uses.items():
        if name in modules.get(module, ()):
            return _COLLECTED[use]
    return None


def _moved(module: str) -> str:
    """Where a module of scikit-learn or SciPy is now that had a public name before.

    ``sklearn.linear_model.logistic`` became ``sklearn.linear_model._logistic`` in 0.22,
    ``scipy.interpolate.interpolate`` became ``scipy.interpolate._interpolate`` in 1.8. Classes kept
    their names.
    """
    if not module.startswith(("sklearn.", "scipy.")):
        return module
    if any(module in modules for modules in _data().uses.values()):
        return module
    renamed = _RENAMED.get(module)
    if renamed:
        return renamed
    package, _, last = module.rpartition(".")
    return f"{package}._{last}"


_RENAMED: Final = {
    "sklearn.tree.tree": "sklearn.tree._classes",
    "sklearn.svm.classes": "sklearn.svm._classes",
    "sklearn.ensemble.forest": "sklearn.ensemble._forest",
    "sklearn.ensemble.gradient_boosting": "sklearn.ensemble._gb",
    "sklearn.ensemble.weight_boosting": "sklearn.ensemble._weight_boosting",
    "sklearn.ensemble.iforest": "sklearn.ensemble._iforest",
    "sklearn.ensemble.voting_classifier": "sklearn.ensemble._voting",
    "sklearn.cluster.k_means_": "sklearn.cluster._kmeans",
    "sklearn.cluster.dbscan_": "sklearn.cluster._dbscan",
    "sklearn.cluster.mean_shift_": "sklearn.cluster._mean_shift",
    "sklearn.cluster.hierarchical": "sklearn.cluster._agglomerative",
    "sklearn.cluster._hierarchical": "sklearn.cluster._agglomerative",
    "sklearn.decomposition.pca": "sklearn.decomposition._pca",
    "sklearn.decomposition.online_lda": "sklearn.decomposition._lda",
    "sklearn.decomposition._online_lda": "sklearn.decomposition._lda",
    "sklearn.neural_network.multilayer_perceptron": "sklearn.neural_network._multilayer_perceptron",
    "sklearn.neural_network.rbm": "sklearn.neural_network._rbm",
    "sklearn.linear_model.coordinate_descent": "sklearn.linear_model._coordinate_descent",
    "sklearn.linear_model.least_angle": "sklearn.linear_model._least_angle",
    "sklearn.linear_model.stochastic_gradient": "sklearn.linear_model._stochastic_gradient",
    "sklearn.feature_extraction.dict_vectorizer": "sklearn.feature_extraction._dict_vectorizer",
    "sklearn.feature_extraction.hashing": "sklearn.feature_extraction._hash",
    "sklearn.feature_extraction._hashing": "sklearn.feature_extraction._hash",
    "sklearn.feature_selection.univariate_selection": (
        "sklearn.feature_selection._univariate_selection"
    ),
    "sklearn.preprocessing.data": "sklearn.preprocessing._data",
    "sklearn.preprocessing.imputation": "sklearn.preprocessing._imputation",
    "sklearn.preprocessing.label": "sklearn.preprocessing._label",
    "sklearn.neighbors.classification": "sklearn.neighbors._classification",
    "sklearn.neighbors.unsupervised": "sklearn.neighbors._unsupervised",
    "sklearn.mixture.gaussian_mixture": "sklearn.mixture._gaussian_mixture",
    "sklearn.gaussian_process.gpr": "sklearn.gaussian_process._gpr",
    "sklearn.gaussian_process.gpc": "sklearn.gaussian_process._gpc",
    "sklearn.metrics.scorer": "sklearn.metrics._scorer",
}
