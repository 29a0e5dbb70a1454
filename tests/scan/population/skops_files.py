"""skops: schemas whose nodes name what skops would build or call."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

from tests.scan.population import assemble as a
from tests.scan.population.interface import COMMAND, Malicious
from tests.scan.population.numpys import npy
from tests.scan.population.zips import zipped

_EVIL: Final = a.pickled(a.call("os:system", a.text(COMMAND)), protocol=4)


def node(loader: str, name: str, content: Any, **more: Any) -> dict[str, Any]:
    """A node that is built by ``loader`` as ``module:class``."""
    module, _, class_ = name.partition(":")
    return {"__class__": class_, "__module__": module, "__loader__": loader,
            "content": content, "__id__": 1, **more}  # fmt: skip


def skops(tree: dict[str, Any], **members: bytes) -> bytes:
    whole = {**tree, "protocol": 2, "_skops_version": "0.11.0"}
    held = {name.replace("_npy", ".npy"): data for name, data in members.items()}
    return zipped({**held, "schema.json": json.dumps(whole).encode()})


def _text(value: str) -> dict[str, Any]:
    return node("JsonNode", "builtins:str", json.dumps(value), is_json=True)


def vectors() -> Iterator[Malicious]:
    for name, (reference, data) in _trees().items():
        yield Malicious(name=f"skops {name}", category="skops", reference=reference,
                        files=(("model.skops", data),))  # fmt: skip
    other = skops(node("TypeNode", "subprocess:Popen", {}))
    yield Malicious(name="skops named otherwise", category="skops", reference="CVE-2025-1889",
                    files=(("model.bin", other),))  # fmt: skip


def _trees() -> dict[str, tuple[str, bytes]]:
    missed = "scan.md 1, missed by modelaudit"
    system = node("FunctionNode", "os:system", {"module_path": "os", "function": "system"})
    arguments = node("TupleNode", "builtins:tuple", [_text(COMMAND)])
    partial = {"func": system, "args": arguments, "kwds": None, "namespace": None}
    safe = node("ObjectNode", "sklearn.linear_model._base:LinearRegression", None)
    inside = node("DictNode", "builtins:dict", {"coef_": system}, key_types=node(
        "ListNode", "builtins:list", []))  # fmt: skip
    method = {"obj": safe, "func": "__class__"}
    return {
        "FunctionNode": (missed, skops(system)),
        "FunctionNode inside": (missed, skops(node(
            "ObjectNode", "sklearn.linear_model._base:LinearRegression", inside))),
        "MethodNode": ("CVE-2025-54413", skops(node("MethodNode", "builtins:eval", method))),
        "MethodNode of another object": ("CVE-2025-54413", skops(node(
            "MethodNode", "sklearn.linear_model._base:LinearRegression", method))),
        "OperatorFuncNode": ("CVE-2025-54412", skops(node(
            "OperatorFuncNode", "operator:methodcaller", {"attrs": arguments}))),
        "OperatorFuncNode of another module": ("CVE-2025-54412", skops(node(
            "OperatorFuncNode", "builtins:exec", {"attrs": arguments}))),
        "PartialNode": (missed, skops(node("PartialNode", "functools:partial", partial))),
        "TypeNode": (missed, skops(node("TypeNode", "subprocess:Popen", {}))),
        "ObjectNode": (missed, skops(node("ObjectNode", "subprocess:Popen", None))),
        "ConstructorFromReduceNode": (missed, skops(node(
            "ConstructorFromReduceNode", "os:system", arguments))),
        "loader nobody knows": (missed, skops(node("ShellNode", "os:system", arguments))),
        "array of objects": ("scan.md 1, numpy", skops(node(
            "NdArrayNode", "numpy:ndarray", None, type="numpy", file="x.npy"),
            x_npy=npy(_EVIL))),
        "pickle of this name": ("CVE-2025-54886", _EVIL),
        "pickle in it": ("CVE-2025-54886", skops(safe, data=_EVIL)),
    }  # fmt: skip
