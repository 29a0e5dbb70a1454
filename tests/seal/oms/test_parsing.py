"""Whatever comes in, what comes out is a manifest or one of our errors."""

from __future__ import annotations

import copy
import hashlib
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from credenza.errors import InputError
from credenza.seal.oms import bundle as bundles
from credenza.seal.oms import strict
from credenza.seal.oms.hashes import Hash
from credenza.seal.oms.manifest import Manifest, Resource, in_order
from credenza.seal.oms.statement import parse, to_payload
from tests.seal.oms import samples as s

_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=6,
)
_NAMES = st.text(st.characters(categories=["L", "N"]) | st.sampled_from(" -.:_"), min_size=1)
_PATHS = (
    st.lists(_NAMES, min_size=1, max_size=3)
    .map("/".join)
    .filter(lambda p: not any(part in (".", "..") for part in p.split("/")))
)


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Each member of each object and list in a value: where it is, and its key there."""
    own: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        own = [(value, key) for key in value]
    elif isinstance(value, list):
        own = [(value, i) for i in range(len(value))]
    return own + [place for parent, key in own for place in _places(parent[key])]


def _changed(data: st.DataObject, good: dict[str, Any]) -> dict[str, Any]:
    value = copy.deepcopy(good)
    for _ in range(data.draw(st.integers(1, 3))):
        places = _places(value)
        if places:
            parent, key = data.draw(st.sampled_from(places))
            parent[key] = data.draw(_VALUES)
    return value


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_a_statement_of_any_shape(data: st.DataObject) -> None:
    try:
        manifest = parse(json.dumps(_changed(data, s.statement())).encode())
    except InputError:
        return
    assert parse(to_payload(manifest)).resources == manifest.resources


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_a_bundle_of_any_shape(data: st.DataObject) -> None:
    good = s.sign_statement(s.statement(), chain=data.draw(st.sampled_from([(), (s.LEAF,)])))
    try:
        bundle = bundles.parse(json.dumps(_changed(data, good)).encode())
    except InputError:
        return
    assert bundle.envelope.signatures


@given(st.binary(max_size=200))
@settings(max_examples=200, deadline=None)
def test_any_bytes(data: bytes) -> None:
    for read in (bundles.parse, parse):
        with pytest.raises(InputError):
            read(data)


@given(
    st.dictionaries(_PATHS, st.binary(max_size=40), min_size=1, max_size=5),
    st.sampled_from(Hash),
    st.none() | st.integers(1, 50),
)
@settings(max_examples=200, deadline=None)
def test_what_is_written_is_read_back(
    files: dict[str, bytes], hash_: Hash, shard_size: int | None
) -> None:
    resources = []
    for path, content in files.items():
        data = content or b"x"
        step = shard_size or len(data)
        for start in range(0, len(data), step):
            hasher = hash_.new()
            hasher.update(data[start : start + step])
            stop = min(start + step, len(data)) if shard_size else None
            resources.append(Resource(path, start, stop, hasher.digest()))
    manifest = Manifest("m", hash_, shard_size, in_order(resources), (".git",))
    assert parse(to_payload(manifest)) == manifest
    names = [r["name"] for r in json.loads(to_payload(manifest))["predicate"]["resources"]]
    assert names == sorted(names)
    joined = b"".join(r.digest for r in sorted(resources, key=lambda r: r.name))
    assert manifest.digest == hashlib.sha256(joined).hexdigest()


def test_digests_are_the_standards() -> None:
    """RFC 7693, appendix A; FIPS 180-4's example; the BLAKE3 paper's test vectors."""
    for hash_, message, digest in (
        (Hash.BLAKE2B, b"abc", "ba80a53f981c4d0d"),
        (Hash.SHA256, b"abc", "ba7816bf8f01cfea"),
        (Hash.BLAKE3, b"", "af1349b9f5f9a1a6"),
    ):
        hasher = hash_.new()
        hasher.update(message)
        assert hasher.digest().hex().startswith(digest)
        assert len(hasher.digest()) == hash_.size


@pytest.mark.parametrize("number", ["1e999", "-1e999", "Infinity", "9" * 5000])
def test_a_number_that_is_none(number: str) -> None:
    text = json.dumps(s.statement()).replace('"files"', f'"shards", "shard_size": {number}')
    with pytest.raises(InputError):
        parse(text.encode())


def test_many_names() -> None:
    """None of the checks looks at each name for each other, which would not come back."""
    files = {f"f{i:06}/{i}": b"" for i in range(100_000)}
    good = s.statement(files, ignore_paths=list(files))
    assert len(parse(json.dumps(good).encode()).resources) == len(files)
    resources = good["predicate"]["resources"]
    resources.append(resources[-1])
    with pytest.raises(InputError, match="occurs twice"):
        parse(json.dumps(s.rooted(good)).encode())


@pytest.mark.parametrize("text", ["YQ==", "YWI=", "YWJj", ""])
def test_base64_in_its_one_spelling(text: str) -> None:
    strict.unbase64(text, "x")


@pytest.mark.parametrize("text", ["YR==", "YQ", "YQ=", "YWJ-", "Y Q==", "YQ==\n", "YQ==YQ==", "é"])
def test_base64_in_another(text: str) -> None:
    with pytest.raises(InputError, match="base64"):
        strict.unbase64(text, "x")


def test_a_bundle_is_no_larger_than_its_limit() -> None:
    with pytest.raises(InputError, match="bytes expected"):
        bundles.parse(b" " * (bundles.LARGEST + 1))
