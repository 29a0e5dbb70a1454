"""The malicious population: one vector of every class that is known, built by hand.

`population` holds them all. The classes, and where they come from: the ``reference`` of each.
"""

from __future__ import annotations

import functools
import importlib
from typing import Final

from tests.scan.population.interface import COMMAND, MARKER, SOURCE, Form, Malicious

MODULES: Final = (
    "pickles",
    "evasions",
    "indirections",
    "broken_pickles",
    "gadgets",
    "lent",
    "torch_files",
    "joblibs",
    "numpys",
    "archives",
    "zips_tampered",
    "kerases",
    "onnxes",
    "tflites",
    "tf_graphs",
    "ggufs",
    "templates",
    "configs",
    "safetensors_files",
    "skops_files",
    "pmmls",
    "sources",
    "natives",
    "names",
    "floods",
    "targets",
)
"""One an area; each has ``vectors()``."""


@functools.cache
def population() -> tuple[Malicious, ...]:
    """All of them, area by area."""
    return tuple(vector for module in MODULES for vector in area(module))


def area(module: str) -> tuple[Malicious, ...]:
    """The vectors of one area, built anew."""
    return tuple(importlib.import_module(f"tests.scan.population.{module}").vectors())


__all__ = ["COMMAND", "MARKER", "MODULES", "SOURCE", "Form", "Malicious", "area", "population"]
