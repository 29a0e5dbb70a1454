"""Every check of a configuration's objects: one function and one line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from credenza.findings import Finding, Severity, Unread
from credenza.scan.configs import hugging_face as hf
from credenza.scan.configs import targets
from credenza.scan.configs.members import Check, Members, finding
from credenza.scan.configs.mlflow import mlflow
from credenza.scan.configs.skops import skops

_TEMPLATES: Final = ("chat_template", "chat_templates")

CHECKS: Final[tuple[Check, ...]] = (
    hf.auto_map,
    hf.trust_remote_code,
    hf.kernels,
    hf.modules,
    hf.activations,
    hf.adapters,
    hf.pipeline,
    hf.sources,
    hf.shards,
    targets.hydra,
    targets.instantiated,
    hf.pickled,
    hf.operators,
    mlflow,
    skops,
)

_RUNNING: Final = frozenset(
    (
        *("auto_map", "_target_", "chat_template", "type", "loader_module", "custom_pipelines"),
        *("__module__", "__class__", "__loader__", "class_name", "module", "registered_name"),
        *("py/object", "py/function", "py/reduce", "custom_ops_library", "custom_op_library"),
        *("config", "code", "parent_library", "megatron_core", "trust_remote_code"),
    )
)
"""Names of which a second value would change what runs."""
_TRIGGERS: Final = frozenset(
    (
        *("auto_map", "custom_pipelines", "trust_remote_code", "allow_remote_code", "idx"),
        *("trust_remote_kernels", "auto_mapping", "megatron_core", "_diffusers_version"),
        *("py/object", "py/function", "py/type", "py/repr", "py/mod", "py/reduce", "_class_name"),
        *("custom_ops_library", "custom_op_library"),
        *("weight_map", "_target_", "loader_module", "__loader__", "_name_or_path"),
        *("base_model_name_or_path", "tokenizer_name_or_path", *hf.KERNELS, *hf.ACTIVATIONS),
    )
)
"""Names without one of which no check has anything to say of an object."""
_LOOKED_AT: Final = (
    _TRIGGERS
    | _RUNNING
    | frozenset(("name", "path", "content", "func", "template", "impl", "model_code_path"))
    | {"_class_name", *targets.INSTANTIATED}
)


def is_looked_at(name: str) -> bool:
    """Whether any check looks at a member of that name, but for the parts of a pipeline."""
    return name in _LOOKED_AT or name.endswith(_TEMPLATES)


def matters(object_: Members) -> bool:
    """Whether there may be anything to say of an object: cheap, for there are many."""
    names = {name for name, _ in object_.pairs}
    return (
        len(names) != len(object_.pairs)
        or not names.isdisjoint(_TRIGGERS)
        or any(isinstance(name, str) and name.endswith(_TEMPLATES) for name in names)
        or any(name in targets.INSTANTIATED and targets.is_call(v) for name, v in object_.pairs)
    )


def looked_at(object_: Members) -> Iterator[Finding | Unread]:
    """What speaks against one object, or cannot be read of it."""
    for check in CHECKS:
        yield from check(object_)
    yield from _templates(object_)
    yield from _twice(object_)


def _templates(object_: Members) -> Iterator[Finding | Unread]:
    """Chat templates, as a text, as ``[{name, template}]``, or by name."""
    for name, value in object_.pairs:
        if isinstance(name, str) and name.endswith(_TEMPLATES):
            from credenza.scan.templates import seen  # Jinja is imported for the first template

            for text in _texts(value):
                yield from seen(text)


def _texts(value: Any) -> Iterator[str]:
    listed = value if isinstance(value, list) else [value]
    if all(isinstance(one, str) for one in listed):  # one template, line by line
        yield "\n".join(listed)
        return
    for one in listed:
        if isinstance(one, str):
            yield one
        elif isinstance(one, Members):
            named = "template" in one
            yield from (
                v for k, v in one.pairs if isinstance(v, str) and (k == "template" or not named)
            )


def _twice(object_: Members) -> Iterator[Finding]:
    """A name with two values: parsers differ in which they take."""
    values: dict[Any, Any] = {}
    for name, value in object_.pairs:
        if name in values and not _same(values[name], value):
            severity = Severity.HIGH if name in _RUNNING else Severity.MEDIUM
            what = "it gives one name two values, of which one parser takes one"
            yield finding("config-twice", severity, what, str(name))
        values[name] = value


def _same(one: Any, other: Any) -> bool:
    """Whether two values are one. Lists are not compared: YAML's aliases can make them endless."""
    if isinstance(one, list | Members):
        return one is other
    return type(one) is type(other) and bool(one == other)
