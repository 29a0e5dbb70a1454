"""Nodes of a skops schema: what each has the loader look up, and call.

CVE-2025-54412 and CVE-2025-54413 (skops < 0.12): ``OperatorFuncNode`` and ``MethodNode`` reached
anything whatever the user trusted. CVE-2025-54886 (< 0.13): a model card loaded them as joblib.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from credenza.findings import Finding, Severity
from credenza.scan.configs.members import Members, finding, is_dotted, is_under
from credenza.scan.configs.names import names

_OPERATORS: Final = frozenset(("attrgetter", "itemgetter", "methodcaller"))
_LOOKING: Final = frozenset(("OperatorFuncNode", "MethodNode"))


def skops(object_: Members) -> Iterator[Finding]:
    """What a node names: known for what it does, or judged by nobody."""
    for loader in object_.texts("__loader__"):
        for module in object_.texts("__module__"):
            for class_ in object_.texts("__class__"):
                yield from _node(object_, loader, module, class_)


def _node(object_: Members, loader: str, module: str, class_: str) -> Iterator[Finding]:
    name = f"{module}.{class_}"
    if loader == "OperatorFuncNode" or is_under(module, ("operator", "_operator")):
        known = is_under(module, ("operator", "_operator")) and class_ in _OPERATORS
        severity = Severity.HIGH if known and loader == "OperatorFuncNode" else Severity.CRITICAL
        what = "a node makes a function that looks names up (CVE-2025-54413)"
        yield finding("skops-type", severity, what, f"{loader} {name}")
        return
    if loader == "MethodNode":
        what = "a node looks a method up on another (CVE-2025-54412)"
        yield finding("skops-type", Severity.HIGH, what, f"{loader} {_method(object_)}")
    yield from _judged(name)


def _method(object_: Members) -> str:
    inner = (c for c in object_.all("content") if isinstance(c, Members))
    return next((f for c in inner for f in c.texts("func")), "")


def _judged(name: str) -> Iterator[Finding]:
    if name in names("skops_types"):
        return
    under = is_under(name, names("skops")) and not is_under(name, names("skops_refused"))
    if under and is_dotted(name) and "__" not in name:
        return
    if is_under(name, names("dangerous")):
        what = "a node looks up what runs programs or text"
        yield finding("skops-type", Severity.CRITICAL, what, name)
    else:
        what = "a node looks up a type or function that nobody has judged"
        yield finding("skops-type", Severity.HIGH, what, name)
