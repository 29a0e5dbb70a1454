"""GGUF: headers that say more than there is (docs/gguf.md of ggml)."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from typing import Any, Final

from tests.scan.population import assemble as a
from tests.scan.population.interface import COMMAND, Malicious
from tests.scan.population.natives import ELF

_BIG: Final = 1 << 62


def text(value: str) -> bytes:
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def pair(key: str, value: Any) -> bytes:
    """A key and its value: a text, a number of 32 bits, or a type and bytes."""
    if isinstance(value, str):
        return text(key) + struct.pack("<I", 8) + text(value)
    if isinstance(value, tuple):
        kind, data = value
        return text(key) + struct.pack("<I", kind) + bytes(data)
    return text(key) + struct.pack("<II", 4, value)


def gguf(
    pairs: Mapping[str, Any] | None = None, *, dims: tuple[int, ...] = (32,), kind: int = 0,
    offset: int = 0, counts: tuple[int | None, int | None] = (None, None), behind: bytes = b"",
) -> bytes:  # fmt: skip
    """A file of one tensor of zeros."""
    held = {"general.architecture": "llama"} | dict(pairs or {})
    tensors, count = counts
    head = b"GGUF" + struct.pack(
        "<IQQ", 3, 1 if tensors is None else tensors, len(held) if count is None else count
    )
    body = b"".join(pair(key, value) for key, value in held.items())
    info = text("w") + struct.pack(f"<I{len(dims)}QIQ", len(dims), *dims, kind, offset)
    whole = head + body + info
    return whole + bytes(-len(whole) % 32) + bytes(128) + behind


def vectors() -> Iterator[Malicious]:
    overflow = "CVE-2025-53630, CVE-2026-27940, CVE-2026-33298"
    broken = {
        "size that overflows": gguf(dims=(_BIG, 8)),
        "size that overflows to a little": gguf(dims=(1 << 32, 1 << 32, 32)),
        "dimension below 0": gguf(dims=((1 << 64) - 32,)),
        "offset far outside": gguf(offset=_BIG),
        "offset that overflows": gguf(offset=(1 << 64) - 32),
        "more tensors than memory": gguf(counts=(_BIG, None)),
        "more pairs than memory": gguf(counts=(None, _BIG)),
        "text longer than memory": gguf({"x": (8, struct.pack("<Q", (1 << 64) - 1) + b"x")}),
        "array longer than memory": gguf({"x": (9, struct.pack("<IQ", 4, _BIG))}),
        "nine dimensions": gguf(dims=(1,) * 9),
        "type nobody knows": gguf(kind=200),
        "alignment of 0": gguf({"general.alignment": 0}),
        "alignment of 3": gguf({"general.alignment": 3}),
        "arrays in arrays": gguf({"x": (9, struct.pack("<IQ", 9, 1) * 3000)}),
    }
    for name, data in broken.items():
        yield _gguf(name, data, overflow, unread_will_do=True)
    evil = a.pickled(a.call("os:system", a.text(COMMAND)), protocol=4)
    yield _gguf("pickle behind it", gguf(behind=evil), "scan.md 2.4, trailing")
    yield _gguf("program behind it", gguf(behind=ELF), "scan.md 1, embedded executables")
    key = "tokenizer.chat_template"
    twice = gguf(counts=(None, 2)).replace(
        pair("general.architecture", "llama"), pair(key, "{{ 1 }}") + pair(key, "{{ 2 }}")
    )
    yield _gguf("template twice", twice, "scan.md 2.4, two loaders")


def _gguf(name: str, data: bytes, reference: str, *, unread_will_do: bool = False) -> Malicious:
    return Malicious(
        name=f"gguf {name}", category="gguf", reference=reference,
        files=(("model.gguf", data),), unread_will_do=unread_will_do,
    )  # fmt: skip
