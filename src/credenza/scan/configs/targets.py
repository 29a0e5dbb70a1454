"""What a configuration has a loader call by its dotted name.

Hydra imports as much of a name as is a module, and takes attributes from there on: a module that
an honest one has imported is one of them, so ``torch.utils.data.dataloader.os.system`` is
``os.system``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from credenza.findings import Finding, Severity
from credenza.scan.configs.members import Members, finding, is_dotted, is_under
from credenza.scan.configs.names import names

INSTANTIATED: Final = ("target", "class_path", "()", "type")
"""By latent diffusion, jsonargparse, `logging.config` and MMEngine: with what stands beside it."""
_AMBIGUOUS: Final = frozenset(
    ("code", "trace", "profile", "operator", "types", "io", "http", "site", "signal", "platform")
) | frozenset(("commands", "trace", "timeit", "threading", "requests", "http", "gc", "tempfile"))
"""What modules and attributes of honest libraries are called, too."""
_FETCHES: Final = re.compile(
    r"_*(unsafe_)?(load|restore|download|fetch|open|exec|eval|run|import|compile|locate"
    r"|get_(class|function|method|object|cls|attr|module)|instantiate|call)(_\w*)?"
)
_TAKES_CODE: Final = ("trust_remote_code", "custom_pipeline")


def hydra(object_: Members) -> Iterator[Finding]:
    """``_target_``: Hydra calls what it names, with what stands beside it (CVE-2025-23304)."""
    for target in object_.texts("_target_"):
        if runs(target) or not is_under(target, names("hydra")):
            yield imported(target)
        elif _fetches(target, object_):
            what = "it has a loader call what loads or imports what it is told to"
            yield finding("config-import", Severity.HIGH, what, target)


def _fetches(target: str, object_: Members) -> bool:
    last = target.rpartition(".")[2]
    remote = last == "from_pretrained" and any(
        v not in (False, None, "", "false", "False", "null")
        for name in _TAKES_CODE
        for v in object_.all(name)
    )
    return remote or _FETCHES.fullmatch(last) is not None


def instantiated(object_: Members) -> Iterator[Finding]:
    """The same by other names, which stand for other things as well: only what is sure to run."""
    for name in INSTANTIATED:
        yield from (imported(text) for text in object_.texts(name) if is_call(text))


def is_call(value: Any) -> bool:
    """True for the dotted name of what runs programs or code, and of nothing else."""
    if not isinstance(value, str) or "." not in value or not is_dotted(value):
        return False
    return value.partition(".")[0] not in _AMBIGUOUS and is_under(value, names("dangerous"))


def runs(name: str) -> bool:
    """True for a name of a dangerous module, and for one that leads to it from another."""
    first, *parts = name.split(".")
    if is_under(name, names("dangerous")) or any(part.startswith("__") for part in parts):
        return True
    alone = {n for n in names("dangerous") if "." not in n} - _AMBIGUOUS
    return first in alone or not alone.isdisjoint(parts)


def imported(name: str, severity: Severity | None = None) -> Finding:
    """That a name is imported that nobody has judged, or that is known for what it does."""
    if runs(name):
        return finding(
            "config-import", Severity.CRITICAL, "it has a loader run what it names", name
        )
    what = "it has a loader import a name that nobody has judged"
    return finding("config-import", severity or Severity.HIGH, what, name)
