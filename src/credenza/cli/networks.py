"""Networks that the caller's own code builds."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn


def built(name: str) -> nn.Module:
    """What ``PACKAGE.MODULE:FUNCTION`` gives. Raises `InputError` where it gives no network."""
    from torch import nn

    from credenza.errors import InputError

    where, _, function = name.partition(":")
    try:
        network = getattr(importlib.import_module(where), function)()
    except (ImportError, AttributeError, ValueError, TypeError) as e:
        raise InputError(f"--module: package.module:function expected, {name!r}: {e}") from e
    if not isinstance(network, nn.Module):
        raise InputError(f"--module: {name} gives no torch module but a {type(network).__name__}")
    return network
