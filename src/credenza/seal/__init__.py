"""Exactly which parameters: seal a model, verify it, load from bytes that were verified.

Specification of the seal: docs/formats/seal.md. What a user types: docs/seal.md.
"""

from credenza.seal.contents import Sealed, VerifiedBytes
from credenza.seal.digests import Algorithm
from credenza.seal.loading import check, load, load_torch, read, verify
from credenza.seal.signing import read_seal, seal, seal_path
from credenza.seal.tree import Seal, SealedFile, Segment
from credenza.seal.vouching import Added, approve, attach, release
from credenza.verbs import callable_room

__all__ = [
    "Added",
    "Algorithm",
    "Seal",
    "Sealed",
    "SealedFile",
    "Segment",
    "VerifiedBytes",
    "approve",
    "attach",
    "check",
    "load",
    "load_torch",
    "read",
    "read_seal",
    "release",
    "seal",
    "seal_path",
    "verify",
]

callable_room(__name__)
