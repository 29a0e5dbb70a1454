"""Tiles and bundles: where they lie, what is in them, and the tree that is read from them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credenza.errors import AlteredError, InputError
from credenza.ledger.bundles import (
    content_part,
    entry_bundle,
    index_path,
    parse_content_part,
    parse_entry_bundle,
    tile_path,
)
from credenza.ledger.tiles import Tree
from credenza.ledger.tree import EMPTY, Head, leaf_hash, prove_consistency, prove_inclusion
from tests.ledger import reference

SIZES = (1, 2, 3, 7, 8, 255, 256, 257, 300, 511, 512, 513, 767, 1000)


def leaves_of(size: int) -> list[bytes]:
    return [leaf_hash(i.to_bytes(4, "big")) for i in range(size)]


def grown(leaves: list[bytes], *batches: int) -> tuple[Tree, dict[str, bytes]]:
    """The tree over ``leaves``, appended in batches up to these sizes, and all its files."""
    files: dict[str, bytes] = {}
    tree = Tree("log", lambda path, _: files.get(path), 0, ())
    for stop in (*batches, len(leaves)):
        tree, more = tree.grown(leaves[tree.size : stop])
        assert not files.keys() & more.keys()  # nothing is ever written twice
        files |= more
    return tree, files


def reading(files: dict[str, bytes]) -> Callable[[str, int], bytes | None]:
    return lambda path, _: files.get(path)


def test_the_path_of_c2sp_tlog_tiles() -> None:
    assert index_path(1234067) == "x001/x234/067"
    assert tile_path(0, 0) == "tile/0/000"
    assert tile_path(3, 999, 17) == "tile/3/999.p/17"
    assert tile_path("entries", 1000, 256) == "tile/entries/x001/000"


def test_the_tree_of_size_70000_of_c2sp_tlog_tiles() -> None:
    leaves = leaves_of(70_000)
    tree, files = grown(leaves)

    level_0 = [path for path in files if path.startswith("tile/0/")]
    assert len([path for path in level_0 if ".p" not in path]) == 273
    rest = sorted(path for path in files if not path.startswith("tile/0/"))
    assert [path for path in level_0 if ".p" in path] == ["tile/0/273.p/112"]
    assert rest == ["tile/1/000", "tile/1/001.p/17", "tile/2/000.p/1"]
    assert {path: len(files[path]) for path in rest} == {
        "tile/1/000": 8192,
        "tile/1/001.p/17": 17 * 32,
        "tile/2/000.p/1": 32,
    }
    assert tree.head == Head(70_000, reference.root(leaves))
    read = Tree.load("log", reading(files), tree.head)
    for index in (0, 255, 256, 65_535, 65_536, 69_887, 69_888, 69_999):
        assert prove_inclusion(read.node, index, 70_000) == reference.path(index, leaves)
    for size in (1, 256, 65_536, 65_537, 69_888, 69_999):
        assert prove_consistency(read.node, size, 70_000) == reference.proof(size, leaves)


def test_a_proof_reads_few_tiles() -> None:
    _, files = grown(leaves_of(70_000))
    asked: list[str] = []

    def read(path: str, _: int) -> bytes | None:
        asked.append(path)
        return files.get(path)

    tree = Tree.load("log", read, Head(70_000, reference.root(leaves_of(70_000))))
    assert len(asked) == 3  # the right edge
    prove_inclusion(tree.node, 12_345, 70_000)
    assert len(asked) == 5  # and the tiles over one entry


@pytest.mark.parametrize("size", SIZES)
def test_all_proofs_are_those_of_the_recursive_definition(size: int) -> None:
    leaves = leaves_of(size)
    _, files = grown(leaves)
    tree = Tree.load("log", reading(files), Head(size, reference.root(leaves)))

    for index in range(0, size, max(1, size // 20)):
        assert prove_inclusion(tree.node, index, size) == reference.path(index, leaves)
        assert prove_consistency(tree.node, index, size) == reference.proof(index, leaves)
        assert tree.tile(0, index // 256).node(0, index % 256) == leaves[index]


@given(st.lists(st.integers(0, 600), max_size=8).map(sorted))
def test_any_batches_make_the_same_tree(batches: list[int]) -> None:
    leaves = leaves_of(600)

    tree, files = grown(leaves, *batches)

    assert tree.head.root == reference.root(leaves)
    assert Tree.load("log", reading(files), tree.head).edges[0].data == tree.edges[0].data


def test_the_tree_without_entries() -> None:
    assert Tree.load("log", lambda *_: None, EMPTY).head == EMPTY


def test_a_full_tile_stands_for_a_partial_one_that_is_gone() -> None:
    leaves = leaves_of(300)
    _, files = grown(leaves, 10)
    del files["tile/0/000.p/10"]

    assert Tree.load("log", reading(files), Head(10, reference.root(leaves[:10]))).size == 10
    del files["tile/0/000"]
    with pytest.raises(AlteredError, match="missing"):
        Tree.load("log", reading(files), Head(10, reference.root(leaves[:10])))


@given(st.data())
def test_no_altered_tile_is_used(data: st.DataObject) -> None:
    leaves = leaves_of(700)
    tree, files = grown(leaves)
    path = data.draw(st.sampled_from(sorted(files)))
    whole = files[path]
    at = data.draw(st.integers(0, len(whole) - 1))
    altered = data.draw(
        st.sampled_from([whole[:at], whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :], b""])
    )
    files[path] = altered

    with pytest.raises(AlteredError) as refused:
        _read_all(files, tree.head)
    assert refused.value.report.findings[0].rule in ("ledger.tile-altered", "ledger.missing")


def _read_all(files: dict[str, bytes], head: Head) -> None:
    read = Tree.load("log", reading(files), head)
    for index in range(-(-head.size // 256)):
        read.tile(0, index)


@given(st.lists(st.binary(max_size=200), max_size=256))
def test_bundles_round_trip(entries: list[bytes]) -> None:
    assert parse_entry_bundle(entry_bundle(entries)) == tuple(entries)
    kept = tuple(entry or None for entry in entries)
    assert parse_content_part(content_part(entries)) == kept


@given(st.binary(max_size=2000))
def test_a_bundle_of_any_bytes_is_read_or_refused(data: bytes) -> None:
    for parse, write in ((parse_entry_bundle, entry_bundle), (parse_content_part, content_part)):
        with contextlib.suppress(InputError):
            assert write([record or b"" for record in parse(data)]) == data


def test_a_bundle_has_at_most_256_entries() -> None:
    assert len(parse_entry_bundle(entry_bundle([b"a"] * 256))) == 256
    with pytest.raises(InputError, match="at most 256"):
        parse_entry_bundle(entry_bundle([b"a"] * 257))
