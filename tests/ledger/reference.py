"""RFC 6962 section 2.1, word for word, over lists: slow, and what the fast one is compared with."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from credenza.ledger.tree import node_hash


def _split(size: int) -> int:
    split = 1
    while 2 * split < size:
        split *= 2
    return split


def root(leaves: Sequence[bytes]) -> bytes:
    """MTH(D[n])."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    split = _split(len(leaves))
    return node_hash(root(leaves[:split]), root(leaves[split:]))


def path(index: int, leaves: Sequence[bytes]) -> tuple[bytes, ...]:
    """PATH(m, D[n])."""
    if len(leaves) == 1:
        return ()
    split = _split(len(leaves))
    if index < split:
        return (*path(index, leaves[:split]), root(leaves[split:]))
    return (*path(index - split, leaves[split:]), root(leaves[:split]))


def proof(size: int, leaves: Sequence[bytes]) -> tuple[bytes, ...]:
    """PROOF(m, D[n])."""
    return _subproof(size, leaves, whole=True) if 0 < size < len(leaves) else ()


def _subproof(size: int, leaves: Sequence[bytes], *, whole: bool) -> tuple[bytes, ...]:
    if size == len(leaves):
        return () if whole else (root(leaves),)
    split = _split(len(leaves))
    if size <= split:
        return (*_subproof(size, leaves[:split], whole=whole), root(leaves[split:]))
    return (*_subproof(size - split, leaves[split:], whole=False), root(leaves[:split]))
