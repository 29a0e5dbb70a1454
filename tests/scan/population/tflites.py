"""TFLite: operators of the application's own, and of TensorFlow (flex)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from credenza.findings import Severity
from tests.artifact import tflites
from tests.scan.population.interface import Malicious
from tests.scan.population.natives import ELF
from tests.scan.population.zips import zipped

_MADE: Final = [tflites.Made("w", (4,), 0, bytes(16))]


def vectors() -> Iterator[Malicious]:
    flex = "scan.md 1, TFLite custom and flex operators"
    for name in ("FlexReadFile", "FlexWriteFile", "FlexPyFunc", "FlexEagerPyFunc",
                 "FlexMatchingFiles"):  # fmt: skip
        yield _tflite(name, flex, tflites.model(_MADE, custom=(name,)))
    yield _tflite("operator nobody knows", flex, tflites.model(_MADE, custom=("EvilRun",)),
                  Severity.MEDIUM)  # fmt: skip
    yield _tflite("shape that overflows", "CVE-2026-42627", tflites.model(
        [tflites.Made("w", (2**31 - 1, 2**31 - 1, 2**31 - 1), 0, bytes(16))]))  # fmt: skip
    noted = tflites.model(_MADE, notes={"x": ELF})
    yield _tflite("a program in its metadata", "scan.md 1, embedded executables", noted,
                  Severity.MEDIUM)  # fmt: skip
    behind = tflites.model(_MADE) + zipped({"../../evil": b"x"})
    yield _tflite("an archive behind it", "scan.md 2.1, traversal and links", behind)


def _tflite(name: str, reference: str, data: bytes, least: Severity = Severity.HIGH) -> Malicious:
    return Malicious(
        name=f"tflite {name}", category="tflite", reference=reference, least=least,
        files=(("model.tflite", data),),
    )  # fmt: skip
