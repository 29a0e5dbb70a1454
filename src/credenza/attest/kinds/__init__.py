"""The kinds of keys. A new one is one file, and one line in the table."""

from __future__ import annotations

from credenza.attest.kinds.ed25519 import Ed25519
from credenza.attest.kinds.hybrid import Hybrid
from credenza.attest.kinds.interface import Kind
from credenza.attest.kinds.mldsa65 import MlDsa65
from credenza.attest.kinds.p256 import P256
from credenza.errors import InputError

__all__ = ["ED25519", "KINDS", "P256_KIND", "Kind", "kind_named", "kind_of"]

ED25519: Kind = Ed25519()
P256_KIND: Kind = P256()
KINDS: tuple[Kind, ...] = (ED25519, P256_KIND, MlDsa65(), Hybrid())


def kind_named(name: str) -> Kind:
    """The kind that a user calls so. Raises `InputError` where there is none."""
    for kind in KINDS:
        if kind.name == name:
            return kind
    raise InputError(f"{' or '.join(k.name for k in KINDS)} expected, {name!r} given")


def kind_of(algorithm: bytes) -> Kind:
    """The kind with that DER AlgorithmIdentifier. Raises `ValueError` where there is none."""
    for kind in KINDS:
        if kind.algorithm == algorithm:
            return kind
    raise ValueError(f"a key of {', '.join(k.title for k in KINDS)} expected, another kind found")
