"""What a Keras configuration would have run or read, and how bad that is.

Loading looks up each ``class_name`` in ``module`` and calls it with ``config``
(``keras/src/saving/serialization_lib.py``, ``_retrieve_class_or_fn``). Keras below 3.9 imports any
module (CVE-2025-1550), below 3.11 calls any function of its own (CVE-2025-8747); an .h5 file is
loaded without its safe mode below 3.11.3 (CVE-2025-9905). Which Keras will load the file is not
known here, so that a newer one refuses it makes it no better.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from credenza.artifact.keras_config import is_code
from credenza.findings import Severity
from credenza.scan.rules import name_lists
from credenza.scan.rules.keras_tree import Tree

_FUNCTION, _LAMBDA, _LAYER = "function", "__lambda__", "Lambda"
_OPERATIONS: Final = frozenset({"TFOpLambda", "SlicingOpLambda"})
_OWN: Final = ("keras", "keras.", "tf_keras.", "tensorflow.keras.", "tensorflow.python.keras.")
_BESIDE: Final = ("keras_hub.", "keras_nlp.", "keras_cv.", "keras_rs.")
"""Libraries of Keras' own authors, whose classes are layers and models."""
_CLASS: Final = re.compile(r"[A-Z][A-Za-z0-9]*")
_DANGEROUS: Final = frozenset(
    re.findall(
        r"\w+",
        """
    _posixsubprocess asyncio bdb builtins code codeop commands cProfile ctypes distutils ftplib
    functools http idlelib imaplib importlib inspect io joblib dill cloudpickle marshal
    multiprocessing nt operator os pathlib pdb pickle pip pkgutil platform poplib posix posixpath
    profile pty pydoc requests runpy shelve shutil signal site smtplib socket ssl subprocess sys
    tempfile timeit trace types urllib webbrowser zipimport
    """,
    )
)
"""Modules of which no model has a use, and whose functions run code, read, write or connect."""
_UNLOCKING: Final = "enable_unsafe_deserialization"
_GADGETS: Final = {
    "get_file": "CVE-2025-8747: it downloads a file, unpacks it and writes it where it is told",
    _UNLOCKING: "CVE-2025-9906: it turns off what keeps lambdas from running",
    "load_model": "it loads another model, from a path or an address",
    "load_weights": "it reads another file, from a path that the model gives",
    "load_lib": "it loads a native library",
    "func_load": "it makes a function of marshalled bytecode",
    "extract_archive": "CVE-2025-12060: it unpacks an archive to any place",
    "run_cell": "it runs code",
}
"""Functions of Keras itself that a configuration has been made to call."""
_RUNNING: Final = {
    "TorchModuleWrapper": "CVE-2025-49655: it unpickles a PyTorch module (fixed in Keras 3.11.3)",
    "TFSMLayer": "CVE-2026-1462: it loads and runs a SavedModel from another place",
    "FlaxLayer": "it holds a module of Flax, which is code",
    "JaxLayer": "it holds a function of JAX, which is code",
}
"""Layers of Keras itself that run what they are given."""
_PATHS: Final = ("vocabulary", "filepath", "file_path", "vocabulary_file", "idf_weights")
_TELLING: Final = re.compile(
    rb"\b(?:os|sys|pty|eval|exec|open|compile|socket|system|popen|Popen|getattr|urllib|requests"
    rb"|builtins|importlib|subprocess|__import__|base64|pickle|marshal|ctypes|check_output)\b"
)


@dataclass(frozen=True, slots=True)
class Judged:
    """What speaks against a configuration. ``key`` is the text by which its place is found."""

    rule: str
    severity: Severity
    what: str
    found: str
    key: str


def judged(tree: Tree) -> Iterator[Judged]:
    """What a configuration names that does more than compute, in no order."""
    for node in tree.nodes():
        if isinstance(node, str):
            yield from _text(node)
        elif isinstance(node, dict):
            yield from _object(node)


def _text(text: str) -> Iterator[Judged]:
    if is_code(text):
        what = "Python bytecode, which runs when the model is loaded or called"
        found = _names_in(text) or f"{len(text)} characters of base64"
        yield Judged("scan.keras-code", Severity.CRITICAL, what, found, text)
    elif text.endswith(f".{_UNLOCKING}"):
        yield _gadget(text, _UNLOCKING, text)


def _names_in(text: str) -> str:
    """The names in marshalled code that tell what it does, if there are some."""
    compact = "".join(text.split())
    try:
        data = base64.b64decode(compact[: len(compact) // 4 * 4])
    except (binascii.Error, ValueError):
        return ""
    told = dict.fromkeys(m.group().decode() for m in _TELLING.finditer(data))
    return f"bytecode that names {', '.join(list(told)[:6])}" if told else ""


def _object(node: dict[str, Any]) -> Iterator[Judged]:
    config = node.get("config")
    if isinstance(node.get("class_name"), str):
        yield from _called(node, node["class_name"], config)
    if isinstance(config, dict):
        yield from _files(node, config)


def _called(node: dict[str, Any], class_: str, config: Any) -> Iterator[Judged]:
    """Against the class or the function that an object names."""
    module = node.get("module")
    module = module if isinstance(module, str) else ""
    if class_ == _LAMBDA:
        what = "a lambda, which is Python bytecode"
        yield Judged("scan.keras-code", Severity.CRITICAL, what, _LAMBDA, _LAMBDA)
    elif class_ == _LAYER and isinstance(config, dict):
        yield from _lambda_layer(config)
    elif class_ in _OPERATIONS and isinstance(config, dict):
        yield from _operation(config)
    elif class_ == "__typespec__":
        yield from _name(module, str(node.get("spec_name")), node.get("registered_name"), "class")
    else:
        function = class_ == _FUNCTION and isinstance(config, str)
        name = str(config) if function else class_
        registered = node.get("registered_name")
        yield from _name(module, name, None if registered == class_ else registered, _use(function))


def _use(function: bool) -> str:
    return "function" if function else "class"


def _name(module: str, name: str, registered: Any, use: str) -> Iterator[Judged]:
    """Against a name, as it would be looked up: in a registry, and then in a module."""
    own = module in ("", "keras") or module.startswith(_OWN[1:])
    builtin = use == "function" and module == "builtins"  # Keras' own, in its words
    known = (
        name_lists.keras("function") if use == "function" else name_lists.keras("class", "value")
    )
    custom = registered not in (None, name)
    if (own or builtin) and name in known and not custom:
        return
    full = f"{module}.{name}" if module else name
    if module.partition(".")[0] in _DANGEROUS:
        what = "CVE-2025-1550: loading calls what has nothing to do with a model"
        yield Judged("scan.keras-call", Severity.CRITICAL, what, full, name)
    elif name.rpartition(".")[2] in _GADGETS and (own or builtin):
        yield _gadget(full, name.rpartition(".")[2], name)
    elif name in _RUNNING and own:
        yield Judged("scan.keras-call", Severity.HIGH, _RUNNING[name], full, name)
    elif module.startswith(_BESIDE) and use == "class" and _CLASS.fullmatch(name):
        what = "a class of a library of Keras' authors, which must be installed"
        yield Judged("scan.keras-call", Severity.LOW, what, full, name)
    else:
        yield _unjudged(full, name, use, f" (registered as {registered})" if custom else "")


def _gadget(full: str, name: str, key: str) -> Judged:
    return Judged("scan.keras-call", Severity.CRITICAL, _GADGETS[name], full, key)


def _unjudged(full: str, name: str, use: str, registered: str) -> Judged:
    what = f"loading calls a {use} that is none of those of Keras that only compute"
    return Judged("scan.keras-call", Severity.HIGH, what, full + registered, name)


def _lambda_layer(config: dict[str, Any]) -> Iterator[Judged]:
    """Against a Lambda layer: code of its own, or a function by its name in a module."""
    module = config.get("module")
    module = module if isinstance(module, str) else ""
    function = config.get("function")
    if isinstance(function, str) and module.partition(".")[0] in _DANGEROUS:
        yield from _name(module, function, None, "function")
    if isinstance(function, dict) and function.get("class_name") == _LAMBDA:
        return  # which is judged where it stands
    what = "a Lambda layer runs a function that is no part of Keras"
    code = config.get("function_type") in ("lambda", "raw") or isinstance(function, list)
    severity = Severity.CRITICAL if code else Severity.HIGH
    yield Judged("scan.keras-code", severity, what, _LAYER, _LAYER)


def _operation(config: dict[str, Any]) -> Iterator[Judged]:
    """Against a layer of tf.keras that calls a function of TensorFlow by its public name."""
    function = str(config.get("function"))
    plain = function.removeprefix("compat.v1.").removeprefix("compat.v2.")
    if plain in name_lists.tensorflow("function"):
        return
    reads = plain.startswith(("io.", "raw_ops.", "saved_model.", "py_", "numpy_", "load_"))
    severity = Severity.CRITICAL if reads else Severity.HIGH
    what = "a layer calls a function of TensorFlow that does more than compute"
    yield Judged("scan.keras-call", severity, what, f"tf.{function}", function)


def _files(node: dict[str, Any], config: dict[str, Any]) -> Iterator[Judged]:
    """Against paths that a layer reads as it is made (CVE-2025-12058, fixed in Keras 3.12)."""
    for key in _PATHS:
        path = config.get(key)
        if isinstance(path, str) and path:
            what = f"CVE-2025-12058: loading reads the file that {key} names"
            shown = f"{node.get('class_name')}: {path}"
            yield Judged("scan.keras-file", Severity.HIGH, what, shown, path)
    origin = config.get("origin")
    if isinstance(origin, str) and "://" in origin:
        what = "CVE-2025-8747: loading fetches an address"
        yield Judged("scan.keras-file", Severity.HIGH, what, origin, origin)
