"""Collects the classes and functions that honest pickles of models name.

``python -m tools.make_pickle_names collect OUT`` imports the libraries that are installed where it
runs, and writes what of them may be listed. ``wheel OUT WHEEL…`` reads libraries' sources without
importing them. ``merge OUT…`` puts these and what was written by hand (``pickle_names.toml``,
``pickle_dangerous.toml``) together in ``src/credenza/scan/pickles/names.json``; without any OUT it
keeps what that has of libraries.

A class is listed to be made by ``__new__`` without arguments and given plain attributes, so what
runs at loading is ``__new__``, ``__setstate__`` and ``__del__``: one that has any of them is left
out, unless it is the one of a base that was read and is named in `READ`.
"""

from __future__ import annotations

import ast
import enum
import importlib
import io
import json
import pkgutil
import sys
import threading
import tomllib
import types
import warnings
import zipfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

TARGET = Path(__file__).parents[1] / "src" / "credenza" / "scan" / "pickles" / "names.json"
PLAIN, STATEFUL, ENUM, VALUE, SCIPY = "plain", "stateful", "enumeration", "value", "distribution"

ROOTS = {
    "sklearn": ("sklearn",),
    "scipy": (
        "scipy.cluster",
        "scipy.interpolate",
        "scipy.optimize",
        "scipy.sparse",
        "scipy.spatial",
        "scipy.special",
        "scipy.stats",
    ),
    "pandas": ("pandas.core", "pandas.tseries"),
    "xgboost": ("xgboost",),
    "lightgbm": ("lightgbm",),
    "torch": ("torch.nn", "torch.optim", "torch.ao.nn", "torch.ao.quantization"),
}
LEFT_OUT = (
    "test",
    "conftest",
    "externals",
    "_build",
    "datasets._",
    "fetch",
    "show_versions",
    "setup",
    "dask",
    "spark",
    "tracker",
    "callback",
    "compat",
    "torch.nn.parallel",
    "torch.ao.quantization.fx",
    "pickle",
    "torch.ao.quantization.pt2e",
    "computation",
    "interchange",
    "flex_attention",
    "stateless",
    "_native",
    "window",
    "libsvm",
    "linear_cross_entropy",
    "_highs",
    "_trlib",
    "_shgo",
    "_dual_annealing",
    "_lib",
    "_unuran",
    "_trust",
    "_differentialevolution",
    "_minimize",
    "pipeline_utils",
    "_numba",
    "plotting",
)
"""Modules that no model names, by a part of theirs."""
READ = {
    "__setstate__": (
        "sklearn.base.BaseEstimator",
        "sklearn.isotonic.IsotonicRegression",
        "sklearn.utils._bunch.Bunch",
        "torch.nn.modules.",
        "torch.ao.nn.quantized.modules.conv._ConvNd",
        "torch.optim.",
        "scipy.stats._distn_infrastructure.rv_generic",
        "scipy.sparse._coo.coo_matrix",
        "scipy.interpolate._rbfinterp.RBFInterpolator",
    ),
    "__setattr__": ("torch.nn.modules.module.Module", "torch.nn.modules.rnn.RNNBase"),
    "__new__": ("builtins.dict", "builtins.list", "typing.Generic", "builtins.object"),
    "__del__": (),
}
NEVER_BASES = (BaseException, io.IOBase, threading.Thread, types.ModuleType, type)
FUNCTIONS = ("sklearn.", "torch.nn.functional")
"""Where functions are parameters of estimators and layers: as values, never to be called."""
BASES = ("Module", "nn.Module", "object", "torch.nn.Module", "Sequential", "nn.Sequential", "ABC")
ENUMS = ("Enum", "ExplicitEnum", "IntEnum", "StrEnum")
HOOKS = {"__setstate__", "__del__", "__new__", "__setattr__", "__reduce__", "__reduce_ex__"}


Names = dict[str, dict[str, set[str]]]


def collect() -> dict[str, Any]:
    """What the installed libraries have: versions, and by use and module the names."""
    warnings.filterwarnings("ignore")
    versions, found = {}, _empty()
    for library, roots in ROOTS.items():
        try:
            versions[library] = importlib.import_module(library).__version__
        except ImportError:
            continue
        for root in roots:
            for module in _modules(root):
                for use, name in _listed(module):
                    found[use][module.__name__].add(name)
    return _data(versions, found)


def _empty() -> Names:
    return {use: defaultdict(set) for use in (PLAIN, STATEFUL, ENUM, VALUE, SCIPY)}


def _modules(root: str) -> Iterator[types.ModuleType]:
    top = importlib.import_module(root)
    yield top
    for info in pkgutil.walk_packages(top.__path__, root + "."):
        if any(word in info.name for word in LEFT_OUT):
            continue
        try:
            yield importlib.import_module(info.name)
        except Exception as e:  # noqa: BLE001  an optional part of a library that is not there
            sys.stderr.write(f"left out: {info.name}: {e!r}"[:120] + "\n")


def _listed(module: types.ModuleType) -> Iterator[tuple[str, str]]:
    for name, thing in sorted(vars(module).items()):
        if name.startswith("__") or not name.isidentifier() or name == "_":
            continue
        if isinstance(thing, type):
            if thing.__module__ == module.__name__ and thing.__qualname__ == name:
                use = _use(thing)
                if use:
                    yield use, name
        elif _is_value(module, thing, name):
            yield VALUE, name


def _is_value(module: types.ModuleType, thing: object, name: str) -> bool:
    """True for a function that only computes and is a parameter of estimators or layers."""
    if type(thing).__name__ == "ufunc":
        return module.__name__ == "scipy.special._ufuncs"
    if not isinstance(thing, types.FunctionType) or not module.__name__.startswith(FUNCTIONS):
        return False
    return thing.__module__ == module.__name__ and thing.__qualname__ == name


def _use(class_: type) -> str:
    """What a class may be listed as; empty for not at all."""
    if issubclass(class_, enum.Enum):
        return ENUM
    if issubclass(class_, NEVER_BASES) or "Protocol" in {b.__name__ for b in class_.__bases__}:
        return ""
    for hook, read in READ.items():
        owner = _owner(class_, hook)
        if owner and not owner.startswith(tuple(read)):
            return ""
    owner = _owner(class_, "__setstate__")
    if owner.startswith("scipy.stats"):
        return SCIPY
    return STATEFUL if owner else PLAIN


def _owner(class_: type, hook: str) -> str:
    """Who defines a hook, of the class's bases; empty where that is `object`, or nobody."""
    for base in class_.__mro__:
        if hook in vars(base):
            return "" if base is object else f"{base.__module__}.{base.__qualname__}"
    return ""


# --- libraries that are read and not imported ----------------------------------------------------


def wheels(paths: list[str]) -> dict[str, Any]:
    """The torch modules that wheels define, by their sources."""
    versions, found = {}, _empty()
    for path in paths:
        library, version = Path(path).name.split("-")[:2]
        versions[library] = version
        with zipfile.ZipFile(path) as wheel:
            for name in wheel.namelist():
                if name.endswith(".py") and not any(word in name for word in ("test", "setup")):
                    _read_source(name, wheel.read(name).decode(), found)
    return _data(versions, found)


def _read_source(path: str, source: str, found: Names) -> None:
    module = path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("__"):
            own = {n.name for n in node.body if isinstance(n, ast.FunctionDef)}
            bases = [ast.unparse(b) for b in node.bases]
            if any(
                b.rpartition(".")[2] in ("Enum", "ExplicitEnum", "IntEnum", "StrEnum")
                for b in bases
            ):
                found[ENUM][module].add(node.name)
            elif not own & HOOKS and _is_network(bases, found):
                found[STATEFUL][module].add(node.name)


def _is_network(bases: list[str], found: Names) -> bool:
    """True where every base is torch's, or a network that was read before."""
    known = {name for names in found[STATEFUL].values() for name in names}
    return bool(bases) and all(b in BASES or b.rpartition(".")[2] in known for b in bases)


# --- putting together ----------------------------------------------------------------------------


def _data(versions: dict[str, str], found: Names) -> dict[str, Any]:
    uses = {
        use: {module: sorted(names) for module, names in sorted(modules.items())}
        for use, modules in found.items()
    }
    return {"versions": {k: [v] for k, v in versions.items()}, "uses": uses}


def merge(parts: list[dict[str, Any]]) -> dict[str, Any]:
    """What is shipped, of the libraries' parts and of what is written by hand."""
    versions: dict[str, set[str]] = defaultdict(set)
    found = _empty()
    for part in parts:
        for library, seen in part["versions"].items():
            versions[library] |= set(seen)
        for use, modules in part["uses"].items():
            for module, names in modules.items():
                found[use][module] |= set(names)
    hand = by_hand()
    harmful = {n for group in hand["dangerous"] for n in (*group["modules"], *group["names"])}
    for modules in found.values():
        for module, names in modules.items():
            names -= {name for name in names if _parents(f"{module}.{name}") & harmful}
    data = _data({}, found)
    data["versions"] = {library: sorted(seen) for library, seen in sorted(versions.items())}
    return data | hand


def _parents(path: str) -> set[str]:
    """A dotted name, and all that it lies in."""
    parts = path.split(".")
    return {".".join(parts[:count]) for count in range(1, len(parts) + 1)}


def by_hand() -> dict[str, Any]:
    """What the two files say that are written by hand."""
    folder = Path(__file__).parent
    groups = tomllib.loads((folder / "pickle_names.toml").read_text("utf-8"))["group"]
    dangerous = tomllib.loads((folder / "pickle_dangerous.toml").read_text("utf-8"))["group"]
    return {"groups": groups, "dangerous": dangerous}


def main(verb: str, *arguments: str) -> None:
    """Run one of the three steps; every step's result is JSON."""
    if verb == "collect":
        Path(arguments[0]).write_text(json.dumps(collect()))
    elif verb == "wheel":
        Path(arguments[0]).write_text(json.dumps(wheels(list(arguments[1:]))))
    else:
        merged = merge([json.loads(Path(a).read_text()) for a in arguments or (TARGET,)])
        TARGET.write_text(json.dumps(merged, indent=0, sort_keys=True) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
