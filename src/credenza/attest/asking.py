"""Where passwords and PINs come from. The library asks nobody by itself."""

from __future__ import annotations

from collections.abc import Callable

from credenza.errors import InputError

Ask = Callable[[str], str]
"""Given what is needed in words (``password of bank.key``), returns it. May raise `InputError`."""


def nobody(what: str) -> str:
    """Asks nobody: raises `InputError`."""
    raise InputError(f"{what}: needed, and not given")
