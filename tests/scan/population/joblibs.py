"""Files of joblib: a pickle with arrays between its opcodes, raw and compressed."""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Iterator
from typing import Any, Final

from tests.scan.population import assemble as a
from tests.scan.population.interface import COMMAND, Form, Malicious
from tests.scan.population.zips import gzipped

_RUN: Final = a.call("os:system", a.text(COMMAND))
_EVIL: Final = a.pickled(_RUN, protocol=4)


def array(kind: str = "f8", inline: bytes = bytes(16), count: int = 2) -> bytes:
    """A `NumpyArrayWrapper`, and the array's bytes where joblib writes them."""
    dtype = a.build(
        a.call("numpy:dtype", a.text(kind), a.value(False), a.value(True)),
        a.value((3, "|" if kind == "O8" else "<", None, None, None, -1, -1, 63 * (kind == "O8"))),
    )
    state = a.dict_(
        (a.text("subclass"), a.global_("numpy:ndarray")),
        (a.text("shape"), a.value((count,))),
        (a.text("order"), a.text("C")),
        (a.text("dtype"), dtype),
        (a.text("allow_mmap"), a.value(kind != "O8")),
        (a.text("numpy_array_alignment_bytes"), a.NONE if kind == "O8" else a.value(16)),
    )
    wrapper = a.newobj(a.global_("joblib.numpy_pickle:NumpyArrayWrapper"))
    return a.build(wrapper, state) + (b"" if kind == "O8" else b"\0") + inline


def _pickle(*values: bytes) -> bytes:
    """joblib's own pickles have no frames: it would not find its arrays between them."""
    return a.pickled(*values, protocol=4, framed=False)


def vectors() -> Iterator[Malicious]:
    raw = "scan.md 2.1, joblib: array-interleaved joblib unread"
    behind = _pickle(a.list_(array(), _RUN))
    yield _joblib("call behind an array", behind, raw)
    yield _joblib("call before an array", _pickle(a.list_(_RUN, array())), raw)
    yield _joblib("call between two arrays", _pickle(a.list_(array(), _RUN, array())), raw)
    tail = bytes(7) + a.STOP + bytes(7) + a.STOP
    yield _joblib("call behind an array of full stops", _pickle(a.list_(array("f8", tail), _RUN)),
                  raw)  # fmt: skip
    objects = a.pickled(a.list_(_RUN))
    yield _joblib("array of objects", _pickle(array("O8", objects)), raw)
    yield _joblib("second pickle behind arrays", _pickle(array()) + _EVIL, raw, live=False)
    yield _joblib("plain pickle", _EVIL, raw, form=Form.PICKLE)
    yield _joblib(
        "array in a file outside",
        _pickle(_wrapper("NDArrayWrapper", "../../x.npy")),
        "joblib.numpy_pickle_compat",
        live=False,
    )
    yield _joblib(
        "compressed array in a file outside",
        _pickle(_wrapper("ZNDArrayWrapper", "/etc/x.z")),
        "joblib.numpy_pickle_compat",
        live=False,
    )
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
    path: str = "model.joblib", live: bool = True,
) -> Malicious:  # fmt: skip
    return Malicious(
        name=f"joblib {name}",
        category="joblib",
        reference=reference,
        files=((path, data),),
        form=form,
        live="joblib" if live else "",
    )
