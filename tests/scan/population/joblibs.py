"""Files of joblib: a pickle with arrays between its opcodes, raw and compressed."""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from tests.scan.population import assemble as a
from tests.scan.population.interface import COMMAND, Form, Malicious
from tests.scan.population.zips import gzipped

_RUN: Final = a.call("os:system", a.text(COMMAND))
_EVIL: Final = a.pickled(_RUN, protocol=4)


@dataclass(frozen=True, slots=True)
class Array:
    """A `NumpyArrayWrapper`, and the bytes that joblib writes behind it.

    ``padding`` says how many bytes stand before them, None for as many as joblib writes there.
    """

    kind: str = "f8"
    inline: bytes = bytes(16)
    padding: int | None = None

    def at(self, start: int) -> bytes:
        """Its bytes, where ``start`` of a file stand before it."""
        objects = self.kind == "O8"
        order = "|" if objects else "<"
        dtype = a.build(
            a.call("numpy:dtype", a.text(self.kind), a.value(False), a.value(True)),
            a.value((3, order, None, None, None, -1, -1, 63 * objects)),
        )
        state = a.dict_(
            (a.text("subclass"), a.global_("numpy:ndarray")),
            (a.text("shape"), a.value((1 if objects else len(self.inline) // 8,))),
            (a.text("order"), a.text("C")),
            (a.text("dtype"), dtype),
            (a.text("allow_mmap"), a.value(not objects)),
            (a.text("numpy_array_alignment_bytes"), a.NONE if objects else a.value(16)),
        )
        wrapper = a.build(a.newobj(a.global_("joblib.numpy_pickle:NumpyArrayWrapper")), state)
        if objects:
            return wrapper + self.inline
        usual = 16 - (start + len(wrapper) + 1) % 16
        count = usual if self.padding is None else self.padding
        return wrapper + bytes([count]) + b"\xff" * count + self.inline


def interleaved(*items: bytes | Array) -> bytes:
    """A list in protocol 4, without frames: joblib would not find its arrays between them."""
    made = a.proto(4) + a.EMPTY_LIST + a.MARK
    for item in items:
        made += item.at(len(made)) if isinstance(item, Array) else item
    return made + b"e" + a.STOP


def vectors() -> Iterator[Malicious]:
    raw = "scan.md 2.1, joblib: array-interleaved joblib unread"
    behind = interleaved(Array(), _RUN)
    stops = Array(inline=(bytes(7) + a.STOP) * 2)
    objects = Array("O8", a.pickled(a.list_(_RUN)))
    evil = Array(inline=_EVIL[:32])
    made = {
        "call behind an array": behind,
        "call before an array": interleaved(_RUN, Array()),
        "call between two arrays": interleaved(Array(), _RUN, Array()),
        "call behind an array of full stops": interleaved(stops, _RUN),
        "call behind an array like a pickle": interleaved(evil, _RUN),
        "array of objects": interleaved(objects),
        "array of objects behind an array": interleaved(Array(), objects),
    }
    for name, data in made.items():
        yield _joblib(name, data, raw)
    for count in (0, 3, 255):
        odd = interleaved(Array(padding=count), _RUN)
        yield _joblib(f"call behind {count} bytes of padding", odd, raw, unread_will_do=True)
    yield _joblib("second pickle behind arrays", interleaved(Array()) + _EVIL, raw, live=False)
    yield _joblib("plain pickle", _EVIL, raw, form=Form.PICKLE)
    for name, file in {"NDArrayWrapper": "../../x.npy", "ZNDArrayWrapper": "/etc/x.z"}.items():
        outside = a.pickled(_wrapper(name, file), protocol=4, framed=False)
        yield _joblib(f"{name} of a file outside", outside, "joblib.numpy_pickle_compat",
                      live=False)  # fmt: skip
    yield from _compressed(behind)


def _compressed(data: bytes) -> Iterator[Malicious]:
    reference = "scan.md 2.1, joblib: compressed joblib unread"
    forms = {
        "zlib": zlib.compress(data),
        "gzip": gzipped(data),
        "bz2": bz2.compress(data),
        "xz": lzma.compress(data),
        "lzma": lzma.compress(data, lzma.FORMAT_ALONE),
        "zlib of 0": zlib.compress(data, 0),
    }
    for name, packed in forms.items():
        yield _joblib(name, packed, reference)
        yield _joblib(f"{name}, otherwise named", packed, "CVE-2025-1889", path="weights.dat")
    old = b"ZF" + hex(len(data)).ljust(19).encode() + zlib.compress(data)
    yield _joblib("ZF of joblib 0.9", old, reference, live=False)


def _wrapper(name: str, file: str) -> bytes:
    state: dict[str, Any] = {"filename": file, "subclass": None, "allow_mmap": False}
    if name.startswith("Z"):
        state = {"filename": file, "state": (), "init_args": ()}
    return a.build(a.newobj(a.global_(f"joblib.numpy_pickle:{name}")), a.value(state))


def _joblib(
    name: str, data: bytes, reference: str, *, form: str = Form.OPAQUE,
    path: str = "model.joblib", live: bool = True, unread_will_do: bool = False,
) -> Malicious:  # fmt: skip
    return Malicious(
        name=f"joblib {name}",
        category="joblib",
        reference=reference,
        files=((path, data),),
        form=form,
        live="joblib" if live else "",
        unread_will_do=unread_will_do,
    )
