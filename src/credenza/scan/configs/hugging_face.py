"""What transformers, diffusers, PEFT and sentence-transformers import because a file says so."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from credenza.findings import Finding, Severity
from credenza.scan.configs.members import (
    Members,
    finding,
    is_dotted,
    is_under,
    leaves,
)
from credenza.scan.configs.names import names
from credenza.scan.configs.targets import imported

_URL: Final = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)
_OWN_KERNELS: Final = "kernels-community/"
"""Whose kernels Hugging Face builds itself; transformers names them for its users."""
KERNELS: Final = ("attn_implementation", "_attn_implementation", "experts_implementation")
ACTIVATIONS: Final = (
    "activation_fn",
    "activation_function",
    "default_activation_function",
    "sbert_ce_default_activation_function",
)


def auto_map(object_: Members) -> Iterator[Finding]:
    """``auto_map`` and ``custom_pipelines``: classes of Python files beside the model, or not.

    ``repo--module.Class`` is code of another repository, which changes without the model
    (transformers ``dynamic_module_utils.get_class_from_dynamic_module``).
    """
    for mapping in object_.all("auto_map"):
        for reference in _strings(mapping):
            yield _reference(reference)
    for pipelines in object_.all("custom_pipelines"):
        if isinstance(pipelines, Members):
            for _, pipeline in pipelines.pairs:
                if isinstance(pipeline, Members):
                    yield from map(_reference, pipeline.texts("impl"))


def _reference(reference: str) -> Finding:
    repository, separator, local = reference.rpartition("--")
    if separator:
        what = f"it imports code of another repository, {ascii(repository)[1:60]}"
        return finding("remote-code", Severity.HIGH, what, reference)
    if not is_dotted(local) or local.count(".") != 1 or leaves(local):
        what = "it imports code by a path that leads somewhere else"
        return finding("remote-code", Severity.HIGH, what, reference)
    what = "it imports a Python file that comes with the model"
    return finding("custom-code", Severity.MEDIUM, what, reference)


def trust_remote_code(object_: Members) -> Iterator[Finding]:
    """A consent to run the model's own code that the model itself gives."""
    for name in ("trust_remote_code", "allow_remote_code", "trust_remote_kernels"):
        if any(v is True or str(v).lower() == "true" for v in object_.all(name)):
            what = "it consents to running its own code"
            yield finding("custom-code", Severity.MEDIUM, what, name)


def kernels(object_: Members) -> Iterator[Finding]:
    """An attention implementation that is a repository: transformers downloads and imports it."""
    for name in KERNELS:
        for value in _strings(list(object_.all(name))):
            if "/" in value:
                own = value.startswith(_OWN_KERNELS)
                what = "it has the library download code and import it"
                severity = Severity.MEDIUM if own else Severity.HIGH
                yield finding("remote-code", severity, what, value)


def modules(object_: Members) -> Iterator[Finding]:
    """``modules.json`` of sentence-transformers: each ``type`` is imported by its name."""
    if not all(name in object_ for name in ("idx", "name", "path", "type")):
        return
    for type_ in object_.texts("type"):
        if not (is_dotted(type_) and type_.startswith("sentence_transformers.")):
            yield imported(type_)
    for path in object_.texts("path"):
        if leaves(path):
            yield finding("config-path", Severity.HIGH, "a module lies outside the model", path)


def activations(object_: Members) -> Iterator[Finding]:
    """Activation functions that sentence-transformers imports; those of torch.nn are its own."""
    for name in ACTIVATIONS:
        for value in object_.texts(name):
            if "." in value and not is_under(value, ("torch.nn", "sentence_transformers")):
                yield imported(value)


def adapters(object_: Members) -> Iterator[Finding]:
    """PEFT imports the library of ``auto_mapping`` and, for LoRA, that of ``megatron_core``."""
    for mapping in object_.all("auto_mapping"):
        if isinstance(mapping, Members):
            for library in mapping.texts("parent_library"):
                if not is_under(library, ("transformers", "diffusers", "torch.nn", "timm", "peft")):
                    severity = Severity.MEDIUM if _is_custom(library) else None
                    yield imported(library, severity)
    for library in object_.texts("megatron_core"):
        if library != "megatron.core":
            yield imported(library)


def _is_custom(library: str) -> bool:
    """Whether it is the class of whoever trained it: ``__main__``, or a transformers module."""
    return library == "__main__" or library.startswith("transformers_modules.")


def pipeline(object_: Members) -> Iterator[Finding]:
    """``model_index.json`` of diffusers: parts as ``[library, class]``, imported by name."""
    classes = list(object_.all("_class_name"))
    whole = any(isinstance(c, list) or "Pipeline" in str(c) for c in classes)
    for name, value in object_.pairs:
        if not classes or not isinstance(value, list) or len(value) != 2:
            continue
        library, class_ = value
        # in a part of a pipeline, lists of two are of blocks, which have the names of classes
        if isinstance(library, str) and (whole or library[:1].islower()):
            shown = f"{library}.{class_}"
            if name == "_class_name":
                what = "the pipeline is a Python file that comes with the model"
                yield finding("custom-code", Severity.MEDIUM, what, shown)
            elif library not in names("diffusers") + names("pipelines"):
                yield imported(shown)


def sources(object_: Members) -> Iterator[Finding]:
    """Where the base of a model is said to be, if not on a hub."""
    for name in ("_name_or_path", "base_model_name_or_path", "tokenizer_name_or_path"):
        for value in object_.texts(name):
            if _URL.match(value) or leaves(value):
                what = "it names its base by a path or address of somebody's own"
                yield finding("config-path", Severity.NOTE, what, value)


def pickled(object_: Members) -> Iterator[Finding]:
    """What jsonpickle wrote: ``py/object`` is instantiated, ``py/reduce`` called, by name."""
    for key in ("py/object", "py/function", "py/type", "py/repr", "py/mod"):
        for name in object_.texts(key):
            yield imported(name)
    if "py/reduce" in object_:
        what = "jsonpickle calls what is named in it"
        yield finding("config-import", Severity.HIGH, what, "py/reduce")


def operators(object_: Members) -> Iterator[Finding]:
    """The library of operators that ONNX Runtime's generator links (``genai_config.json``)."""
    for key in ("custom_ops_library", "custom_op_library"):
        for path in object_.texts(key):
            severity = Severity.HIGH if leaves(path) else Severity.MEDIUM
            yield finding("custom-code", severity, "it has a loader link a library", path)


def shards(object_: Members) -> Iterator[Finding]:
    """The index of a sharded model, whose shards are opened by their names."""
    for mapping in object_.all("weight_map"):
        if isinstance(mapping, Members):
            for path in sorted({v for _, v in mapping.pairs if isinstance(v, str)}):
                if leaves(path) or _URL.match(path):
                    what = "the index leads to a shard outside the model"
                    yield finding("config-path", Severity.HIGH, what, path)


def _strings(value: Any) -> Iterator[str]:
    """The texts in a value, down to those of an object in an object."""
    todo, entered = [value], set[int]()
    while todo:
        value = todo.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, list | Members) and id(value) not in entered:
            entered.add(id(value))  # YAML has aliases: one object can stand in many places
            parts = value if isinstance(value, list) else [v for _, v in value.pairs]
            todo += reversed(parts)
