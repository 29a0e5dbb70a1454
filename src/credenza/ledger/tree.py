"""The Merkle tree of RFC 6962 section 2.1, over SHA-256. A hash is 32 bytes.

Proofs are made from the hashes of complete subtrees, wherever these come from; see `Nodes`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from credenza.errors import UntrustedError

Nodes: TypeAlias = Callable[[int, int], bytes]
"""``nodes(height, index)`` is the hash over the 2^height entries from index·2^height on."""


def leaf_hash(data: bytes) -> bytes:
    """SHA-256(0x00 ‖ data)."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256(0x01 ‖ left ‖ right)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


@dataclass(frozen=True, slots=True)
class Head:
    """What a whole log is known by: how many entries it has, and the root over them."""

    size: int
    root: bytes


EMPTY = Head(0, hashlib.sha256(b"").digest())
"""The head of the log without entries."""


def head_of(nodes: Nodes, size: int) -> Head:
    """MTH(D[0:size]) of RFC 6962 section 2.1."""
    return Head(size, _hash_of(nodes, 0, size)) if size else EMPTY


def _hash_of(nodes: Nodes, start: int, stop: int) -> bytes:
    """MTH(D[start:stop]), for a range that the recursive definition comes by."""
    size = stop - start
    if size & (size - 1) == 0:
        height = size.bit_length() - 1
        return nodes(height, start >> height)
    middle = start + _split(size)
    return node_hash(_hash_of(nodes, start, middle), _hash_of(nodes, middle, stop))


def prove_inclusion(nodes: Nodes, index: int, size: int) -> tuple[bytes, ...]:
    """PATH(index, D[0:size]) of RFC 6962 section 2.1.1. ``index`` is of 0 to below ``size``."""
    path = []
    start, stop = 0, size
    while stop - start > 1:
        middle = start + _split(stop - start)
        if index < middle:
            path.append(_hash_of(nodes, middle, stop))
            stop = middle
        else:
            path.append(_hash_of(nodes, start, middle))
            start = middle
    return tuple(reversed(path))


def prove_consistency(nodes: Nodes, old: int, new: int) -> tuple[bytes, ...]:
    """PROOF(old, D[0:new]) of RFC 6962 section 2.1.2. ``old`` is of 0 to ``new``."""
    if old in (0, new):
        return ()
    path = []
    start, stop = 0, new
    while old != stop:
        middle = start + _split(stop - start)
        if old <= middle:
            path.append(_hash_of(nodes, middle, stop))
            stop = middle
        else:
            path.append(_hash_of(nodes, start, middle))
            start = middle
    if start:  # else it is the old root, which whoever checks has
        path.append(_hash_of(nodes, start, stop))
    return tuple(reversed(path))


def check_inclusion(head: Head, index: int, leaf: bytes, proof: Sequence[bytes]) -> None:
    """Check that the leaf hash ``leaf`` is at ``index`` in the tree of ``head``.

    RFC 9162 section 2.1.3.2. Raises `UntrustedError` where the proof does not show it.
    """
    last, root, at = head.size - 1, leaf, index
    for node in proof:
        if last == 0:
            raise UntrustedError(f"inclusion of entry {index}: the proof is too long")
        if at & 1 or at == last:
            root = node_hash(node, root)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            root = node_hash(root, node)
        at, last = at >> 1, last >> 1
    if not 0 <= index < head.size or last != 0 or root != head.root:
        raise UntrustedError(
            f"inclusion of entry {index}: root {head.root.hex()} of size {head.size} expected, "
            f"the proof leads to {root.hex()}"
        )


def check_consistency(old: Head, new: Head, proof: Sequence[bytes]) -> None:
    """Check that the tree of ``old`` is the beginning of that of ``new``.

    RFC 9162 section 2.1.4.2. Raises `UntrustedError` where the proof does not show it.
    """
    if old.size == new.size:
        _require(old == new and not proof, old, new)
        return
    if old.size == 0:
        _require(old == EMPTY and not proof, old, new)
        return
    _require(0 < old.size < new.size and bool(proof), old, new)
    at, last = old.size - 1, new.size - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    # A power of two is a complete subtree, and its root is not repeated in the proof.
    nodes = [old.root, *proof] if old.size & (old.size - 1) == 0 else list(proof)
    first = second = nodes[0]
    for node in nodes[1:]:
        _require(last != 0, old, new)
        if at & 1 or at == last:
            first, second = node_hash(node, first), node_hash(node, second)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            second = node_hash(second, node)
        at, last = at >> 1, last >> 1
    _require(last == 0 and first == old.root and second == new.root, old, new)


def _require(shown: bool, old: Head, new: Head) -> None:
    if not shown:
        raise UntrustedError(
            f"consistency: the proof does not show that the log of size {old.size} and root "
            f"{old.root.hex()} is the beginning of that of size {new.size} and root "
            f"{new.root.hex()}"
        )


def _split(size: int) -> int:
    """The largest power of two below ``size``, which is 2 or more."""
    return 1 << ((size - 1).bit_length() - 1)
