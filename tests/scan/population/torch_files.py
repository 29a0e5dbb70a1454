"""Files of torch in all their shapes: zip, legacy, tar, TorchScript and torch.package."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from typing import Final

from tests.scan.population import assemble as a
from tests.scan.population.interface import COMMAND, SOURCE, Form, Malicious
from tests.scan.population.zips import Entry, forged, tarred, zipped

RUN: Final = a.call("os:system", a.text(COMMAND))
EVIL: Final = a.pickled(RUN)
_FLOATS: Final = struct.pack("<4f", 1, 2, 3, 4)


def tensor(storage: bytes = a.text("0"), *, view: bytes = b"") -> bytes:
    """A tensor of 4 floats, as torch.save writes it; with ``view``, as it did before 1.6."""
    type_, device, count = a.global_("torch:FloatStorage"), a.text("cpu"), a.number(4)
    persistent = a.tuple_(a.text("storage"), type_, storage, device, count, view)
    shape = a.value((4,)) + a.value((1,)) + a.value(False)
    hooks = a.call("collections:OrderedDict")
    rebuild = a.global_("torch._utils:_rebuild_tensor_v2")
    return a.call(rebuild, persistent + b"Q", a.number(0), shape, hooks)


def state(extra: bytes = b"", *, view: bytes = b"") -> bytes:
    """A state dict; with ``extra`` as one more value."""
    pairs = [(a.text("weight"), tensor(view=view))]
    if extra:
        pairs.append((a.text("bias"), extra))
    return a.pickled(a.dict_(*pairs))


def archive(pickle: bytes, more: Mapping[str, bytes] | None = None, top: str = "archive") -> bytes:
    """A file of torch.save since 1.6."""
    members = {"data.pkl": pickle, "byteorder": b"little", "data/0": _FLOATS, "version": b"3\n"}
    return zipped({f"{top}/{name}": data for name, data in (members | dict(more or {})).items()})


def legacy(streams: Mapping[str, bytes] | None = None) -> bytes:
    """A file of torch.save before 1.6: five pickles and the storages."""
    pieces = {
        "magic": a.pickled(b"\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19"),
        "protocol": a.pickled(a.number(1001)),
        "system": a.pickled(a.value({"protocol_version": 1001, "little_endian": True})),
        "object": state(view=a.NONE),
        "keys": a.pickled(a.value(["0"])),
    } | dict(streams or {})
    return b"".join(pieces.values()) + struct.pack("<q", 4) + _FLOATS


def vectors() -> Iterator[Malicious]:
    yield from _zips()
    yield from _legacy()
    yield from _scripts()
    tar = [("pickle", state(RUN)), ("tensors", b""), ("storages", a.pickled(a.number(0)))]
    yield _torch("tar", tarred(tar), "scan.md 1, torch legacy")
    yield _torch("tar, storages", tarred([("storages", EVIL), *tar[1:2], ("pickle", state())]),
                 "scan.md 1, torch legacy")  # fmt: skip
    yield _torch("pickle named .pt", EVIL, "CVE-2025-10155", Form.PICKLE, live="torch")
    yield _torch(
        "pickle named .bin", EVIL, "CVE-2025-10155", Form.PICKLE, "pytorch_model.bin", "torch"
    )


def _torch(
    name: str, data: bytes, reference: str, form: str = Form.OPAQUE, path: str = "model.pt",
    live: str = "",
) -> Malicious:  # fmt: skip
    return Malicious(
        name=f"torch {name}",
        category="torch",
        reference=reference,
        files=((path, data),),
        form=form,
        live=live,
    )


def _zips() -> Iterator[Malicious]:
    plain = "scan.md 3.2, torch"
    yield _torch("zip", archive(EVIL), plain, Form.TORCH, live="torch")
    yield _torch("zip, in a state dict", archive(state(RUN)), plain, Form.TORCH, live="torch")
    yield _torch("zip, as a key", archive(a.pickled(a.dict_((RUN, tensor())))), plain, Form.TORCH,
                 live="torch")  # fmt: skip
    yield _torch(
        "zip, metadata of the state dict",
        archive(a.pickled(a.build(a.call("collections:OrderedDict"), a.dict_(
            (a.text("_metadata"), RUN))))), plain, Form.TORCH, live="torch",
    )  # fmt: skip
    yield _torch("zip, second pickle", archive(state() + EVIL), plain, Form.TORCH)
    yield _torch("zip, unlisted pickle", archive(state(), {"extra.pkl": EVIL}), plain, Form.TORCH)
    yield _torch("zip, pickle without extension", archive(state(), {"extra": EVIL}),
                 "CVE-2025-1889", Form.TORCH)  # fmt: skip
    yield _torch("zip, hidden as config.p", archive(state(), {"config.p": EVIL}),
                 "CVE-2025-1889", Form.TORCH)  # fmt: skip
    yield _torch("zip, of a class nobody knows", archive(a.pickled(a.newobj(
        a.global_("evil.nn:Module")))), plain, Form.TORCH)  # fmt: skip
    yield _torch("zip, storage of a strange type", archive(state().replace(
        b"ctorch\nFloatStorage\n", b"cos\nsystem\n")), plain)  # fmt: skip
    yield _torch("zip, id of a storage by a call", archive(a.pickled(a.dict_(
        (a.text("w"), tensor(RUN))))), plain, Form.TORCH, live="torch")  # fmt: skip
    yield _torch("zip, SETITEM on a tensor", archive(a.pickled(tensor() + a.text("x") * 2 + b"s")),
                 "CVE-2026-24747")  # fmt: skip
    yield _torch("zip, tampered with for weights_only", archive(a.pickled(a.call(
        "torch:load", a.text("x"), a.value(False)))), "CVE-2025-32434", Form.TORCH)  # fmt: skip
    name = "archive/data.pkl"
    twice = [(name, EVIL), ("archive/version", b"3"), (name, state())]
    yield _torch("zip, two data.pkl",
                 forged([Entry(name=n, data=d) for n, d in twice]), plain)  # fmt: skip
    yield _torch("zip, behind a comment of text", b"# readme\n" * 9 + archive(EVIL), plain)


def _legacy() -> Iterator[Malicious]:
    reference = "modelscan, first pickle of the legacy format only"
    object_ = {"object": state(RUN, view=a.NONE)}
    yield _torch("legacy, object", legacy(object_), reference, Form.PICKLE, live="torch")
    for part in ("protocol", "system", "keys"):
        runs = "" if part == "keys" else "torch"
        yield _torch(f"legacy, {part}", legacy({part: EVIL}), reference, Form.PICKLE, live=runs)
    magic = a.pickled(a.call("builtins:eval", a.text(
        f"[0x1950A86A20F9469CFC6C, {SOURCE}][0]")))  # fmt: skip
    yield _torch("legacy, magic by eval", legacy({"magic": magic}), "pytorch_magic_bypass",
                 Form.PICKLE, live="torch")  # fmt: skip
    yield _torch("legacy, behind the storages", legacy() + EVIL, reference)
    source = a.tuple_(a.text("module"), a.global_("evil.net:Net"), a.text("net.py"), a.text("x"))
    yield _torch("legacy, source of a module", legacy({"object": a.pickled(source + b"Q")}),
                 "scan.md 1, torch legacy", Form.PICKLE)  # fmt: skip


def _scripts() -> Iterator[Malicious]:
    reference = "scan.md 1, TorchScript and torch.package source"
    code = b"class Net(Module):\n  def forward(self, x):\n    return ops.evil.run(x)\n"
    evil = f"import os\nos.system({COMMAND!r})\n".encode()
    module = a.pickled(a.newobj(a.global_("__torch__:Net")) + a.EMPTY_DICT + a.BUILD)
    script = {"code/__torch__.py": code, "constants.pkl": a.pickled(a.EMPTY_TUPLE)}
    yield _torch("script, constants", archive(module, script | {"constants.pkl": EVIL}), reference)
    yield _torch(
        "script, operator that reads files",
        archive(module, script | {"code/__torch__.py": b"class Net(Module):\n"
                b"  def forward(self: __torch__.Net, x: str) -> Tensor:\n"
                b"    return torch.from_file(\"/etc/passwd\", False, 10)\n"}),
        "scan.md 1, TorchScript source",
    )  # fmt: skip
    package = {
        ".data/extern_modules": b"os\n",
        ".data/version": b"6\n",
        "net/net.py": evil,
        "models/net.pkl": a.pickled(a.newobj(a.global_("net.net:Net"))),
    }
    yield _torch("package, source", archive(state(), package), reference)
    only = {f"net/{name}": data for name, data in package.items()}
    yield _torch("package, alone", zipped(only), reference)
