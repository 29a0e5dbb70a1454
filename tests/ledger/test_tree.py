"""Against the known tree of certificate-transparency, RFC 6962 itself, and C2SP's example."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credenza.errors import UntrustedError
from credenza.ledger import Head, check_consistency, check_inclusion
from credenza.ledger.tree import (
    EMPTY,
    head_of,
    leaf_hash,
    node_hash,
    prove_consistency,
    prove_inclusion,
)
from tests.ledger import reference

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


def nodes_of(leaves: list[bytes]) -> Callable[[int, int], bytes]:
    """The hashes of the complete subtrees over ``leaves``."""
    return lambda height, i: reference.root(leaves[i << height : (i + 1) << height])


def head(leaves: list[bytes]) -> Head:
    return Head(len(leaves), reference.root(leaves))


@pytest.mark.parametrize("size", range(9))
def test_known_roots(size: int) -> None:
    assert head_of(nodes_of(_LEAVES), size) == Head(size, bytes.fromhex(_ROOTS[size]))


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
    assert b"".join(prove_inclusion(nodes_of(_LEAVES), index, size)).hex() == proof


@given(sizes)
def test_root_is_that_of_the_recursive_definition(size: int) -> None:
    assert head_of(nodes_of(leaves_of(size)), size) == head(leaves_of(size))


@given(sizes, st.data())
def test_inclusion_is_proved_for_the_leaf_and_place_alone(size: int, data: st.DataObject) -> None:
    leaves = leaves_of(size)
    index = data.draw(st.integers(0, size - 1))
    proof = prove_inclusion(nodes_of(leaves), index, size)
    root = head(leaves)

    assert proof == reference.path(index, leaves)
    check_inclusion(root, index, leaves[index], proof)

    other = data.draw(st.integers(-2, size + 2).filter(lambda i: i != index))
    wrong: list[tuple[Head, int, bytes, tuple[bytes, ...]]] = [
        (root, other, leaves[index], proof),
        (root, index, leaf_hash(b"other"), proof),
        (root, index, leaves[index], (*proof, bytes(32))),
        (Head(size, bytes(32)), index, leaves[index], proof),
    ]
    if proof:
        wrong.append((root, index, leaves[index], proof[:-1]))
    for arguments in wrong:
        with pytest.raises(UntrustedError, match="inclusion of entry"):
            check_inclusion(*arguments)


@given(sizes, st.data())
def test_consistency_is_proved_for_a_beginning_alone(size: int, data: st.DataObject) -> None:
    leaves = leaves_of(size)
    old = data.draw(st.integers(0, size))
    proof = prove_consistency(nodes_of(leaves), old, size)
    before, after = head(leaves[:old]), head(leaves)

    assert proof == reference.proof(old, leaves)
    check_consistency(before, after, proof)

    wrong = [
        (Head(old, bytes(32)), after, proof),
        (before, after, (*proof, bytes(32))),
        (head([*leaves, leaf_hash(b"more")]), after, proof),
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


def test_two_logs_without_entries_are_one() -> None:
    check_consistency(EMPTY, EMPTY, ())
    with pytest.raises(UntrustedError, match="consistency"):
        check_consistency(EMPTY, Head(0, bytes(32)), ())


def test_the_example_of_c2sp_merkle_tree() -> None:
    a, b, c, d, e, f, g = leaves = leaves_of(7)
    h, i, j = node_hash(a, b), node_hash(c, d), node_hash(e, f)
    k, m = node_hash(h, i), node_hash(j, g)
    nodes = nodes_of(leaves)

    assert head_of(nodes, 7).root == node_hash(k, m)
    paths = {0: (b, i, m), 3: (c, h, m), 4: (f, g, k), 6: (j, k)}
    assert {at: prove_inclusion(nodes, at, 7) for at in paths} == paths
    proofs = {3: (c, d, h, m), 4: (m,), 6: (j, g, k)}
    assert {size: prove_consistency(nodes, size, 7) for size in proofs} == proofs
