"""Lists of names that were judged, as data beside the code: ``NAME_names.toml``."""

from __future__ import annotations

import functools
import tomllib

from credenza.files import packaged


@functools.cache
def named(package: str, file: str, *uses: str) -> frozenset[str]:
    """The names of a list that have one of those uses."""
    groups = tomllib.loads(packaged(package, file))["group"]
    return frozenset(name for group in groups if group["use"] in uses for name in group["names"])


def tensorflow(*uses: str) -> frozenset[str]:
    """Operations and functions of TensorFlow, by what they may touch."""
    return named("credenza.scan.rules", "tensorflow_names.toml", *uses)


def keras(*uses: str) -> frozenset[str]:
    """Classes, functions and values of Keras that compute."""
    return named("credenza.artifact", "keras_names.toml", *uses)
