"""The Merkle tree of RFC 6962 section 2.1, over SHA-256. A hash is 32 bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from credenza.errors import UntrustedError


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


@dataclass(frozen=True, slots=True)
class Frontier:
    """All of a tree that is needed to append to it.

    ``nodes`` are the roots of its complete subtrees from the left, one for each bit set in
    ``size``, largest first.
    """

    size: int = 0
    nodes: tuple[bytes, ...] = ()

    def append(self, leaf: bytes) -> Frontier:
        """The frontier after one more leaf hash."""
        nodes, remaining = list(self.nodes), self.size
        while remaining & 1:  # a complete subtree of this size stands to the left: join it
            leaf = node_hash(nodes.pop(), leaf)
            remaining >>= 1
        return Frontier(self.size + 1, (*nodes, leaf))

    @property
    def head(self) -> Head:
        """The head of the tree."""
        if not self.nodes:
            return Head(0, hashlib.sha256(b"").digest())
        *rest, root = self.nodes
        for node in reversed(rest):
            root = node_hash(node, root)
        return Head(self.size, root)

    @property
    def proof_of_next(self) -> tuple[bytes, ...]:
        """The inclusion proof of the leaf that is appended next, in the tree that it completes."""
        return self.nodes[::-1]


def head_of(leaves: Sequence[bytes]) -> Head:
    """The head of the tree over leaf hashes: MTH of RFC 6962 section 2.1."""
    frontier = Frontier()
    for leaf in leaves:
        frontier = frontier.append(leaf)
    return frontier.head


def prove_inclusion(leaves: Sequence[bytes], index: int) -> tuple[bytes, ...]:
    """PATH(index, leaves) of RFC 6962 section 2.1.1. ``index`` is of 0 to below len(leaves)."""
    if len(leaves) == 1:
        return ()
    split = _split(len(leaves))
    if index < split:
        return (*prove_inclusion(leaves[:split], index), head_of(leaves[split:]).root)
    return (*prove_inclusion(leaves[split:], index - split), head_of(leaves[:split]).root)


def prove_consistency(leaves: Sequence[bytes], size: int) -> tuple[bytes, ...]:
    """PROOF(size, leaves) of RFC 6962 section 2.1.2. ``size`` is of 0 to len(leaves)."""
    return () if size in (0, len(leaves)) else _subproof(leaves, size, whole=True)


def _subproof(leaves: Sequence[bytes], size: int, *, whole: bool) -> tuple[bytes, ...]:
    if size == len(leaves):
        return () if whole else (head_of(leaves).root,)
    split = _split(len(leaves))
    if size <= split:
        return (*_subproof(leaves[:split], size, whole=whole), head_of(leaves[split:]).root)
    return (*_subproof(leaves[split:], size - split, whole=False), head_of(leaves[:split]).root)


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
    if old.size == 0 or old.size == new.size:
        shown = not proof and old.size <= new.size and old in (new, head_of(()))
        _require(shown, old, new)
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
