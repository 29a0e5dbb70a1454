"""What is seen in source: a kind, a name, when it runs, and where it stands."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import final

from credenza.findings import Severity


class Kind(enum.Enum):
    """What code does. The value is the rule of the catalogue."""

    EXECUTES = "scan.source-executes"
    PROCESS = "scan.source-process"
    NETWORK = "scan.source-network"
    UNPICKLES = "scan.source-unpickles"
    IMPORTS = "scan.source-imports"
    REMOTE = "scan.source-remote"
    NATIVE = "scan.source-native"
    WRITES = "scan.source-persists"
    HARVESTS = "scan.source-harvests"
    HIDDEN = "scan.source-hidden"
    PATCHES = "scan.source-patches"
    ESCAPES = "scan.source-escapes"


class Reach(enum.IntEnum):
    """When code runs. Ordered: what runs without being asked for comes last."""

    CALLED = 0
    """Where somebody calls it."""
    HOOK = 1
    """Where a model is made, loaded or used: ``__init__``, ``forward``, a server's handler."""
    IMPORT = 2
    """As soon as the module is imported, or an object of it unpickled."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """One thing that code does: ``name`` is what it reaches, ``line`` counts from 1.

    ``column`` counts the bytes of the line in UTF-8. ``hidden`` where it is written so that it is
    not read: assembled from pieces, decoded, or moved out of sight.
    """

    kind: Kind
    name: str
    severity: Severity
    reach: Reach
    line: int
    column: int = 0
    hidden: bool = False
