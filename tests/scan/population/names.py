"""Names that say something else than the content, and names that do harm by themselves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from credenza.findings import Severity
from tests.scan.population import assemble as a
from tests.scan.population.interface import COMMAND, Form, Malicious

_EVIL: Final = a.pickled(a.call("os:system", a.text(COMMAND)), protocol=4)
_OLD: Final = a.pickled(a.call("os:system", a.text_line(COMMAND)), protocol=0)
_RUN: Final = f"import os; os.system({COMMAND!r})\n".encode()
_GOOD: Final = a.pickled(a.value({"weights": [1.0]}), protocol=4)

_DISGUISED: Final = (
    "weights.safetensors", "model.gguf", "model.onnx", "model.h5", "model.tflite", "model.json",
    "model.txt", "README.md", "logo.png", "arrays.npy", "model.zip", "model", "config.p", ".hidden",
    "model.pt.bak", "vocab.txt", "MODEL.PKL", "model.p\u212al", "tokenizer.model", "events.out",
    "LICENSE", "model.html", "model.msgpack", "spiece.model", "model.keras", "1",
)  # fmt: skip
_ODD: Final = {
    "text that runs backwards": "model\u202egnp.pkl",
    "a line's end": "model\n.pkl",
    "an escape of a terminal": "model\x1b[2K.pkl",
    "a space without width": "mo\u200bdel.pkl",
    "backslashes": "..\\..\\model.pkl",
    "a name of Windows": "CON.pkl",
    "a stream of NTFS": "model.txt:model.pkl",
    "an end in a dot": "model.pkl.",
    "an end in a space": "model.pkl ",
    "an option": "--output=x",
    "a delete character": "model\x7f.pkl",
}
_STARTED: Final = {
    "a line of site-packages": ("evil.pth", _RUN),
    "sitecustomize": ("sitecustomize.py", _RUN),
    "usercustomize": ("usercustomize.py", _RUN),
    "a module of the standard library": ("json.py", _RUN),
    "torch itself": ("torch.py", _RUN),
    "conftest": ("conftest.py", _RUN),
    "a hook of git": (".git/hooks/post-checkout", f"#!/bin/sh\n{COMMAND}\n".encode()),
}


def vectors() -> Iterator[Malicious]:
    disguised = "CVE-2025-1889, scan.md 2.1, content before name"
    for path in _DISGUISED:
        yield _named(f"pickle named {path}", path, _EVIL, disguised)
        yield _named(f"old pickle named {path}", path, _OLD, disguised)
    for name, path in _ODD.items():
        reference = "CVE-2021-42574 and paths.py"
        yield _named(f"{name}, and a payload", path, _EVIL, reference)
    for name in ("text that runs backwards", "an escape of a terminal", "a line's end"):
        yield _named(name, _ODD[name], _GOOD, "CVE-2021-42574", Severity.MEDIUM)
    for name, (path, data) in _STARTED.items():
        least = Severity.MEDIUM if path.startswith(".git/") else Severity.HIGH
        yield _named(name, path, data, "names that a program starts", least)


def _named(
    name: str, path: str, data: bytes, reference: str, least: Severity = Severity.HIGH
) -> Malicious:
    return Malicious(
        name=f"name {name!r}"[:90] if not name.isprintable() else f"name {name}",
        category="names", reference=reference, files=((path, data),), least=least, form=Form.NAMED,
    )  # fmt: skip
