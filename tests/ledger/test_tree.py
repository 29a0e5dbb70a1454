"""Against the known tree of certificate-transparency-go and RFC 6962 itself."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credenza.errors import UntrustedError
from credenza.ledger import Head, check_consistency, check_inclusion
from credenza.ledger.tree import (
    Frontier,
    head_of,
    leaf_hash,
    node_hash,
    prove_consistency,
    prove_inclusion,
)

# certificate-transparency, C++ test data "merkle_tree_test": leaves, and the root after each
_LEAVES = [
    leaf_hash(bytes.fromhex(leaf))
    for leaf in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
_ROOTS = (
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)

sizes = st.integers(1, 70)


def leaves_of(size: int) -> list[bytes]:
    return [leaf_hash(bytes([i])) for i in range(size)]


def reference(leaves: list[bytes]) -> bytes:
    """MTH, word for word from RFC 6962 section 2.1."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while 2 * split < len(leaves):
        split *= 2
    return node_hash(reference(leaves[:split]), reference(leaves[split:]))


@pytest.mark.parametrize("size", range(9))
def test_known_roots(size: int) -> None:
    assert head_of(_LEAVES[:size]) == Head(size, bytes.fromhex(_ROOTS[size]))


@pytest.mark.parametrize(
    ("index", "size", "proof"),
    [
        (0, 1, ""),
        (
            0,
            8,
            "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7"
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e"
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
        ),
        (2, 3, "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"),
    ],
)
def test_known_inclusion_proofs(index: int, size: int, proof: str) -> None:
    assert b"".join(prove_inclusion(_LEAVES[:size], index)).hex() == proof


@given(sizes)
def test_root_is_that_of_the_recursive_definition(size: int) -> None:
    assert head_of(leaves_of(size)).root == reference(leaves_of(size))


@given(sizes, st.data())
def test_inclusion_is_proved_for_the_leaf_and_place_alone(size: int, data: st.DataObject) -> None:
    leaves = leaves_of(size)
    index = data.draw(st.integers(0, size - 1))
    proof = prove_inclusion(leaves, index)
    head = head_of(leaves)

    check_inclusion(head, index, leaves[index], proof)

    other = data.draw(st.integers(-2, size + 2).filter(lambda i: i != index))
    wrong: list[tuple[Head, int, bytes, tuple[bytes, ...]]] = [
        (head, other, leaves[index], proof),
        (head, index, leaf_hash(b"other"), proof),
        (head, index, leaves[index], (*proof, bytes(32))),
        (Head(size, bytes(32)), index, leaves[index], proof),
    ]
    if proof:
        wrong.append((head, index, leaves[index], proof[:-1]))
    for arguments in wrong:
        with pytest.raises(UntrustedError, match="inclusion of entry"):
            check_inclusion(*arguments)


@given(sizes)
def test_the_frontier_proves_the_leaf_that_comes_next(size: int) -> None:
    leaves = leaves_of(size)
    frontier = Frontier()
    for leaf in leaves[:-1]:
        frontier = frontier.append(leaf)

    assert frontier.proof_of_next == prove_inclusion(leaves, size - 1)


@given(sizes, st.data())
def test_consistency_is_proved_for_a_beginning_alone(size: int, data: st.DataObject) -> None:
    leaves = leaves_of(size)
    old = data.draw(st.integers(0, size))
    proof = prove_consistency(leaves, old)
    before, after = head_of(leaves[:old]), head_of(leaves)

    check_consistency(before, after, proof)

    wrong = [
        (Head(old, bytes(32)), after, proof),
        (before, after, (*proof, bytes(32))),
        (head_of([*leaves, leaf_hash(b"more")]), after, proof),
    ]
    if proof:
        wrong += [
            (before, after, proof[:-1]),
            (before, Head(size, bytes(32)), proof),
            (before, after, (bytes(32), *proof[1:])),
        ]
    for arguments in wrong:
        with pytest.raises(UntrustedError, match="consistency"):
            check_consistency(*arguments)
