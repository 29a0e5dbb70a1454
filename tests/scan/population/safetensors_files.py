"""safetensors: headers that lie, and what hides behind the tensors."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from typing import Any, Final

from credenza.findings import Severity
from tests.scan.population import assemble as a
from tests.scan.population.interface import COMMAND, Malicious
from tests.scan.population.natives import ELF
from tests.scan.population.zips import zipped

_EVIL: Final = a.pickled(a.call("os:system", a.text(COMMAND)), protocol=4)


def entry(start: int = 0, stop: int = 16, shape: Any = (4,), dtype: str = "F32") -> dict[str, Any]:
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [start, stop]}


def file(header: dict[str, Any] | str, data: bytes = bytes(16), length: int | None = None) -> bytes:
    """A file of that header, which may be said to be of another length."""
    text = (header if isinstance(header, str) else json.dumps(header)).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def vectors() -> Iterator[Malicious]:
    for name, data in _differing().items():
        yield _safetensors(name, data, Severity.MEDIUM if "leads out" in name else Severity.HIGH)
    for name, data in _broken().items():
        yield _safetensors(name, data, unread_will_do=True)


def _differing() -> dict[str, bytes]:
    """What two readers would read differently, or what hides something."""
    one = json.dumps(entry())
    far = json.dumps(entry(16, 32))
    two = bytes(32)
    return {
        "a name twice": file(f'{{"w":{one},"w":{far}}}', two),
        "a name twice by an escape": file(f'{{"w":{one},"\\u0077":{far}}}', two),
        "a member twice": file('{"w":{"dtype":"F32","dtype":"F16","shape":[4],'
                               '"data_offsets":[0,16]}}'),
        "two tensors in one place": file({"a": entry(), "b": entry()}),
        "two tensors that overlap": file({"a": entry(), "b": entry(8, 24)}, bytes(24)),
        "a hole": file({"a": entry(), "b": entry(32, 48)}, bytes(48)),
        "a pickle in a hole": file({"a": entry(), "b": entry(16 + len(_EVIL), 32 + len(_EVIL))},
                                   bytes(16) + _EVIL + bytes(16)),
        "trailing bytes": file({"w": entry()}, bytes(64)),
        "a pickle behind it": file({"w": entry()}, bytes(16) + _EVIL),
        "a zip behind it": file({"w": entry()}, bytes(16) + zipped({"data.pkl": _EVIL})),
        "a program behind it": file({"w": entry()}, bytes(16) + ELF),
        "a shape that overflows": file({"w": entry(shape=(1 << 62, 8))}),
        "a shape that overflows to its size": file({"w": entry(shape=(1 << 32, 1 << 32, 4))}),
        "a shape below 0": file({"w": entry(shape=(-2, -2))}),
        "a size of another type": file({"w": entry(dtype="F64")}),
        "offsets in reverse": file({"w": entry(16, 0)}),
        "offsets below 0": file({"w": entry(-16, 0)}),
        "a name that leads out": file({"../../etc/passwd": entry()}),
        "a pickle of this name": _EVIL,
        "a zip of this name": zipped({"archive/data.pkl": _EVIL}),
    }  # fmt: skip


def _broken() -> dict[str, bytes]:
    """What may be bad luck as well."""
    return {
        "header longer than the file": file({"w": entry()}, length=1 << 20),
        "header longer than memory": file({"w": entry()}, length=(1 << 63) - 1),
        "header over the limit": file({"w": entry()}, length=200_000_000),
        "data cut short": file({"w": entry()}, bytes(3)),
        "offsets past the end": file({"w": entry(0, 1 << 40, (1 << 38,))}),
        "header nested deep": file('{"w":' * 5000 + "1" + "}" * 5000),
        "header is a list": file("[1]"),
        "text behind the header": file(json.dumps({"w": entry()}) + json.dumps({"v": entry()})),
        "a type nobody knows": file({"w": entry(dtype="X99")}),
    }


def _safetensors(
    name: str, data: bytes, least: Severity = Severity.HIGH, *, unread_will_do: bool = False
) -> Malicious:
    return Malicious(
        name=f"safetensors {name}", category="safetensors",
        reference="scan.md 1 and 3.2, header abuse",
        files=(("model.safetensors", data),), least=least, unread_will_do=unread_will_do,
    )  # fmt: skip
