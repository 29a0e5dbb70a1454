"""Keras models in both formats: lambdas, named functions and classes, and files outside."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import h5py

from tests import vectors as vectors_of_artifact
from tests.scan.population import assemble as a
from tests.scan.population.interface import COMMAND, MARKER, NOWHERE, Malicious
from tests.scan.population.torch_files import EVIL, archive
from tests.scan.population.zips import Entry, forged, tarred, zipped

_CODE: Final = base64.b64encode(b"\xe3" + bytes(20) + b"os\0system\0" + COMMAND.encode()).decode()
"""What stands for a marshalled code object: nothing can load it."""


def layer(class_name: str, config: dict[str, Any], module: str | None = "keras.layers") -> Any:
    """A layer of Keras 3; of Keras 2 where it has no module."""
    made = {"class_name": class_name, "config": {"name": class_name.lower(), **config}}
    return made if module is None else {"module": module, "registered_name": None, **made}


def named(module: str, name: str) -> dict[str, Any]:
    """A function by its name, as Keras 3 writes it."""
    return {
        "module": module, "class_name": "function", "config": name, "registered_name": "function"
    }  # fmt: skip


LAMBDA: Final = {"class_name": "__lambda__", "config": {"code": _CODE, "defaults": None,
                                                        "closure": None}}  # fmt: skip
_OLD: Final = layer("Lambda", {"function": [_CODE, None, None], "function_type": "lambda",
                               "module": "__main__"}, None)  # fmt: skip
_DENSE: Final = layer("Dense", {"units": 2, "activation": "relu"})


def model(*layers: Any, **more: Any) -> dict[str, Any]:
    """A sequential model of Keras 3."""
    config = {"name": "sequential", "layers": list(layers)}
    return {"module": "keras", "class_name": "Sequential", "config": config,
            "registered_name": None, **more}  # fmt: skip


def old(*layers: Any) -> dict[str, Any]:
    """A sequential model of Keras 2."""
    return {"class_name": "Sequential", "config": {"name": "sequential", "layers": list(layers)}}


def h5(attributes: dict[str, Any] | None = None, **links: Any) -> bytes:
    """An HDF5 file with attributes of JSON, and links."""
    made = io.BytesIO()
    with h5py.File(made, "w") as file:
        for name, value in (attributes or {}).items():
            file.attrs[name] = json.dumps(value)
        file.attrs["keras_version"] = "3.9.0"
        weights = file.create_group("model_weights")
        weights.create_dataset("kernel", data=[1.0, 2.0], dtype="<f4")
        for name, link in links.items():
            weights[name] = link
    return made.getvalue()


def keras(config: Any, weights: bytes | None = None, **more: bytes) -> bytes:
    """A file of Keras 3."""
    members = {
        "metadata.json": json.dumps({"keras_version": "3.9.0"}).encode(),
        "config.json": json.dumps(config).encode(),
        "model.weights.h5": h5() if weights is None else weights,
    }
    return zipped(members | {name.replace("__", "/"): data for name, data in more.items()})


def vectors() -> Iterator[Malicious]:
    for name, (reference, data) in _h5().items():
        yield _keras(f"h5, {name}", "keras h5", "model.h5", reference, data)
    for name, (reference, data) in _v3().items():
        yield _keras(f"v3, {name}", "keras v3", "model.keras", reference, data)
    yield _keras("h5, named otherwise", "keras h5", "weights.bin", "CVE-2025-1889",
                 h5({"model_config": old(_OLD)}))  # fmt: skip
    yield _keras("json, Lambda", "keras v3", "model.json", "CVE-2024-3660",
                 json.dumps(model(layer("Lambda", {"function": LAMBDA}))).encode())  # fmt: skip


def _keras(name: str, category: str, path: str, reference: str, data: bytes) -> Malicious:
    return Malicious(
        name=f"keras {name}", category=category, reference=reference, files=((path, data),)
    )


def _h5() -> dict[str, tuple[str, bytes]]:
    legacy = "CVE-2024-3660, CVE-2025-9905"
    inner = layer("Sequential", old(_OLD)["config"], None)
    wrapped = layer("TimeDistributed", {"layer": _OLD}, None)
    custom = layer(
        "Dense",
        {
            "units": 1,
            "activation": {
                "class_name": "function",
                "config": "system",
                "module": "os",
                "registered_name": None,
            },
        },
        None,
    )
    loss = {"loss": {"class_name": "function", "config": "system", "module": "os"}}
    functional = {"class_name": "Functional", "config": {"layers": [{**_OLD, "inbound_nodes": []}]}}
    external = h5py.ExternalLink("/etc/passwd", "/x")
    return {
        "Lambda": (legacy, h5({"model_config": old(_OLD)})),
        "Lambda behind a layer": (legacy, h5({"model_config": old(_DENSE, _OLD)})),
        "Lambda in a model in it": (legacy, h5({"model_config": old(inner)})),
        "Lambda in a wrapper": (legacy, h5({"model_config": old(wrapped)})),
        "Lambda in a functional model": (legacy, h5({"model_config": functional})),
        "Lambda of Keras 3": (legacy, h5({"model_config": model(
            layer("Lambda", {"function": LAMBDA}))})),
        "Lambda by name": (legacy, h5({"model_config": old(layer("Lambda", {
            "function": "system", "function_type": "function", "module": "os"}, None))})),
        "function by name": ("CVE-2025-1550", h5({"model_config": old(custom)})),
        "loss by name": ("CVE-2025-1550", h5({"model_config": old(_DENSE),
                                              "training_config": loss})),
        "external link": ("CVE-2026-1669", h5({"model_config": old(_DENSE)}, w=external)),
        "external storage": ("CVE-2026-1669", _external()),
        "virtual dataset": ("CVE-2026-1669", _virtual()),
        "pickle in a dataset of bytes": ("CVE-2025-49655", h5({"model_config": model(
            layer("TorchModuleWrapper", {"module": _torch()}))})),
    }  # fmt: skip


def _external() -> bytes:
    made = io.BytesIO()
    with h5py.File(made, "w") as file:
        file.create_dataset("w", (4,), "<u1", external=[("/etc/passwd", 0, 4)])
    return made.getvalue()


def _virtual() -> bytes:
    """What h5py wrote once: it leaves bytes in such a file as they were in memory."""
    return (
        Path(vectors_of_artifact.__file__).parent / "artifact/hdf5/base-virtual.h5"
    ).read_bytes()


def _torch() -> dict[str, Any]:
    """What TorchModuleWrapper unpickles: a file of torch, in base64."""
    text = base64.b64encode(archive(EVIL)).decode()
    return {"class_name": "__bytes__", "config": {"value": text}}


def _v3() -> dict[str, tuple[str, bytes]]:
    named_ = "CVE-2025-1550"
    evil = {"function": named("os", "system"), "arguments": {"command": COMMAND}}
    lambda_ = layer("Lambda", {"function": LAMBDA})
    get_file = layer(
        "Lambda",
        {
            "function": named("keras.utils", "get_file"),
            "arguments": {"origin": NOWHERE, "extract": True, "cache_dir": "/opt"},
        },
    )
    unsafe = layer("Lambda", {"function": named("keras.config", "enable_unsafe_deserialization")})
    lookup = {"vocabulary": "/etc/passwd"}
    inside = layer("Sequential", model(lambda_)["config"], "keras")
    extra = {"assets__x.pkl": EVIL}
    return {
        "Lambda": ("CVE-2024-3660", keras(model(lambda_))),
        "Lambda in a model in it": ("CVE-2024-3660", keras(model(inside))),
        "Lambda in a wrapper": ("CVE-2024-3660", keras(model(
            layer("TimeDistributed", {"layer": lambda_})))),
        "Lambda of Keras 2": ("CVE-2025-9905", keras(old(_OLD))),
        "function by name": (named_, keras(model(layer("Lambda", evil)))),
        "function of builtins": (named_, keras(model(
            layer("Lambda", {"function": named("builtins", "eval")})))),
        "class by name": (named_, keras(model(layer("Popen", {"args": ["touch", MARKER]},
                                                    "subprocess")))),
        "class of a module beside it": (named_, keras(model(layer("Layer", {}, "evil.layers")))),
        "activation by name": (named_, keras(model(
            layer("Dense", {"units": 1, "activation": named("os", "system")})))),
        "initializer by name": (named_, keras(model(layer("Dense", {
            "units": 1, "kernel_initializer": {"module": "subprocess", "class_name": "Popen",
                                               "config": {"args": "x"}}})))),
        "loss by name": (named_, keras(model(_DENSE, compile_config={
            "loss": named("os", "system"), "metrics": []}))),
        "metric that is a lambda": (named_, keras(model(_DENSE, compile_config={
            "metrics": [LAMBDA]}))),
        "build config by name": (named_, keras(model(_DENSE, build_config={
            "input_shape": named("os", "system")}))),
        "get_file": ("CVE-2025-8747", keras(model(get_file))),
        "get_file of a tar": ("CVE-2025-12060", keras(model(get_file), None,
            assets__x_tar=tarred([("../../evil", b"x")]))),
        "unsafe deserialisation": ("CVE-2025-9906", keras(model(unsafe, lambda_))),
        "vocabulary outside": ("CVE-2025-12058", keras(model(layer("StringLookup", lookup)))),
        "vocabulary by URL": ("CVE-2025-12058", keras(model(
            layer("IndexLookup", {"vocabulary": NOWHERE})))),
        "vocabulary of a text layer": ("CVE-2025-12058", keras(model(
            layer("TextVectorization", lookup)))),
        "torch module": ("CVE-2025-49655", keras(model(
            layer("TorchModuleWrapper", {"module": _torch()})))),
        "weights in a file outside": ("CVE-2026-1669", keras(model(_DENSE), _external())),
        "weights by an external link": ("CVE-2026-1669", keras(
            model(_DENSE), h5(None, w=h5py.ExternalLink("../x.h5", "/x")))),
        "weights in a virtual dataset": ("CVE-2026-1669", keras(model(_DENSE), _virtual())),
        "a pickle as an asset": ("scan.md 2.1", keras(model(_DENSE), None, **extra)),
        "two config.json": ("scan.md 2.4", forged([
            Entry(name="config.json", data=json.dumps(model(lambda_)).encode()),
            Entry(name="metadata.json", data=b"{}"), Entry(name="model.weights.h5", data=h5()),
            Entry(name="config.json", data=json.dumps(model(_DENSE)).encode())])),
        "a key twice in its config": ("scan.md 2.4", zipped({
            "metadata.json": b"{}", "model.weights.h5": h5(),
            "config.json": json.dumps(model(lambda_)).encode()[:-1]
            + b',"config":{"name":"x","layers":[]}}'})),
        "pickle instead of weights": ("scan.md 2.1", keras(model(_DENSE), a.pickled(
            a.call("os:system", a.text(COMMAND))))),
    }  # fmt: skip
