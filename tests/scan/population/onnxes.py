"""ONNX: tensors in files elsewhere, and operators that run programs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from credenza.findings import Severity
from tests.scan.population.interface import NOWHERE, SOURCE, Form, Malicious
from tests.scan.population.natives import ELF
from tests.scan.population.protobuf import message

_FLOAT: Final = 1
_EXTERNAL: Final = 1


def tensor(name: str = "w", entries: Mapping[str, str] | None = None, raw: bytes = b"") -> bytes:
    """TensorProto of 4 floats, here or elsewhere."""
    fields: list[tuple[int, int | str | bytes]] = [(1, 4), (2, _FLOAT), (8, name)]
    if entries is None:
        return message(*fields, (9, raw or bytes(16)))
    pairs = [(13, message((1, key), (2, value))) for key, value in entries.items()]
    return message(*fields, *pairs, (14, _EXTERNAL))


def node(op: str, domain: str = "", *attributes: bytes) -> bytes:
    fields: list[tuple[int, int | str | bytes]] = [(1, "x"), (2, "y"), (3, "n"), (4, op)]
    return message(*fields, *((5, attribute) for attribute in attributes), (7, domain))


def graph(*nodes: bytes, tensors: tuple[bytes, ...] = ()) -> bytes:
    shape = message((1, message((1, 1))))
    type_ = message((1, message((1, _FLOAT), (2, shape))))

    def info(name: str) -> bytes:
        return message((1, name), (2, type_))

    return message(
        *((1, n) for n in nodes), (2, "g"), *((5, t) for t in tensors),
        (11, info("x")), (12, info("y")),
    )  # fmt: skip


def model(
    graph_: bytes, *more: tuple[int, int | str | bytes], domains: tuple[str, ...] = ()
) -> bytes:
    opsets = [(8, message((1, domain), (2, 1))) for domain in domains]
    return message(
        (1, 10), (2, "torch"), (7, graph_), (8, message((1, ""), (2, 21))), *opsets, *more
    )


def vectors() -> Iterator[Malicious]:
    identity = node("Identity")
    for name, (reference, entries) in _elsewhere().items():
        data = model(graph(identity, tensors=(tensor(entries=entries),)))
        moon = "moon" in name
        yield _onnx(f"elsewhere, {name}", reference, data, unread_will_do=moon)
    for name, (reference, data, least) in _others(identity).items():
        yield _onnx(name, reference, data, least)


def _onnx(
    name: str, reference: str, data: bytes, least: Severity = Severity.HIGH, *,
    unread_will_do: bool = False,
) -> Malicious:  # fmt: skip
    return Malicious(
        name=f"onnx {name}", category="onnx", reference=reference, least=least,
        files=(("model.onnx", data),), form=Form.PROTOBUF, unread_will_do=unread_will_do,
    )  # fmt: skip


def _elsewhere() -> dict[str, tuple[str, dict[str, str]]]:
    up, away = "CVE-2024-27318", "CVE-2025-51480"
    return {
        "up": (up, {"location": "../../../../etc/passwd"}),
        "down and up": (up, {"location": "a/../../../etc/passwd"}),
        "absolute": (away, {"location": "/etc/passwd"}),
        "backslashes": (up, {"location": "..\\..\\secret"}),
        "a drive": (away, {"location": "C:\\Windows\\win.ini"}),
        "a share": (away, {"location": "\\\\192.0.2.1\\share\\x"}),
        "a URL": (away, {"location": NOWHERE}),
        "a file URL": (away, {"location": "file:///etc/passwd"}),
        "a device": (away, {"location": "/dev/stdin"}),
        "of this process": (away, {"location": "/proc/self/environ"}),
        "length below 0": ("CVE-2026-34445", {"location": "w.bin", "length": "-1"}),
        "offset below 0": ("CVE-2026-34445", {"location": "w.bin", "offset": "-4096"}),
        "a length of the moon": ("CVE-2026-34445", {"location": "w.bin", "length": "9" * 18}),
        "an attribute of the object": ("CVE-2026-34447", {"location": "w.bin", "__class__": "x"}),
    }


def _others(identity: bytes) -> dict[str, tuple[str, bytes, Severity]]:
    high, medium = Severity.HIGH, Severity.MEDIUM
    up = tensor(entries={"location": "../../etc/passwd"})
    in_if = message((1, "then_branch"), (6, graph(identity, tensors=(up,))), (20, 5))
    constant = message((1, "value"), (5, up), (20, 4))
    code = message((1, "code"), (4, SOURCE), (20, 3))
    python = node("PyOp", "ai.onnx.contrib", code)
    function = message((1, "f"), (4, "x"), (5, "y"), (7, python), (10, "local"))
    plain = "scan.md 1, custom operators"
    in_constant = model(graph(node("Constant", "", constant)))
    return {
        "elsewhere, in a branch": (
            "CVE-2024-27318", model(graph(node("If", "", in_if), identity)), high
        ),
        "elsewhere, in a constant": ("CVE-2024-27318", in_constant, high),
        "python operator": (plain, model(graph(python), domains=("ai.onnx.contrib",)), high),
        "python operator in a function": (
            plain, model(graph(node("f", "local")), (25, function), domains=("local",)), high
        ),
        "python operator of ATen": (
            plain, model(graph(node("PythonOp", "com.microsoft", code)),
                         domains=("com.microsoft",)), high,
        ),
        "operator of a domain nobody knows": (
            plain, model(graph(node("Run", "evil.ops")), domains=("evil.ops",)), medium
        ),
        "a program in a tensor": (
            "scan.md 1, embedded executables",
            model(graph(identity, tensors=(tensor(raw=ELF),))), medium,
        ),
        "a program in its metadata": (
            "scan.md 1, embedded executables",
            model(graph(identity), (14, message((1, "x"), (2, ELF)))), medium,
        ),
    }  # fmt: skip
