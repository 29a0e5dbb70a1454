"""What is signed: the files or shards of a model, and their digests.

ossf/model-signing-spec, spec/v1.0.md, sections 5 and 6, and schemas/predicate.schema.json.
"""

from __future__ import annotations

import collections
import hashlib
import itertools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import msgspec

from credenza.artifact.paths import check_path
from credenza.errors import InputError, MalformedError
from credenza.seal.oms import strict
from credenza.seal.oms.hashes import Hash

PREDICATE_TYPE = "https://model_signing/signature/v1.0"
LEGACY_TYPE = "https://model_signing/Digests/v0.1"

ONE_FILE = "."
"""model-signing's name for the file of a model that is one file; the specification's is its own."""

_SHARD = re.compile(r"(.+):(0|[1-9][0-9]{0,18}):([1-9][0-9]{0,18})", re.DOTALL)
_LARGEST = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Resource:
    """A file (``stop`` is None), or a run of its bytes, and its digest."""

    path: str
    start: int
    stop: int | None
    digest: bytes

    @property
    def name(self) -> str:
        """As a manifest names it: section 6.3.2."""
        return self.path if self.stop is None else f"{self.path}:{self.start}:{self.stop}"


@dataclass(frozen=True, slots=True)
class Manifest:
    """The signed content of an OMS signature, well-formed throughout.

    ``resources`` are as listed; ``ignore_paths`` were left out by the signer, by his own word.
    """

    name: str
    hash: Hash
    shard_size: int | None
    resources: tuple[Resource, ...]
    ignore_paths: tuple[str, ...] = ()
    allow_symlinks: bool = False
    predicate_type: str = PREDICATE_TYPE

    @property
    def digest(self) -> str:
        """The model's digest, in hex: SHA-256 of the joined digests as listed (section 6.5.1)."""
        return hashlib.sha256(b"".join(r.digest for r in self.resources)).hexdigest()


def in_order(resources: Iterable[Resource]) -> tuple[Resource, ...]:
    """Sorted as the specification says: by name, code point by code point (section 5.2.1)."""
    return tuple(sorted(resources, key=lambda r: r.name))


def unhex(text: str, size: int, name: str) -> bytes:
    """A digest in lower-case hex. Raises `InputError` for another spelling or length."""
    if not re.fullmatch(f"[0-9a-f]{{{2 * size}}}", text):
        raise InputError(f"resource {name!a}: {2 * size} lower-case hex digits expected, not found")
    return bytes.fromhex(text)


def check_name(path: str) -> None:
    """Refuse a path that is not canonical (section 6.1.2), or leads out. Raises `InputError`."""
    try:
        check_path(path)
    except MalformedError as e:
        raise InputError(f"resource: {e}") from e


def from_predicate(subjects: list[Any], value: dict[str, Any]) -> Manifest:
    """The manifest in a predicate of version 1.0. Raises `InputError` for anything else."""
    predicate = strict.convert(value, _Predicate, "predicate")
    how = predicate.serialization
    shard_size = _shard_size(how)
    hash_ = Hash(how.hash_type)
    labels = {hash_.value, f"{hash_.value}-sharded-{shard_size}" if shard_size else hash_.value}
    resources = tuple(_resource(r, hash_, shard_size, labels) for r in predicate.resources)
    if len(subjects) != 1:
        raise InputError(f"statement: one subject expected, {len(subjects)} found")
    subject = strict.convert(subjects[0], _Subject, "subject")
    manifest = Manifest(
        name=subject.name,
        hash=hash_,
        shard_size=shard_size,
        resources=resources,
        ignore_paths=tuple(how.ignore_paths),
        allow_symlinks=how.allow_symlinks,
    )
    check_resources(manifest)
    if subject.digest != {"sha256": manifest.digest}:
        found = ascii(subject.digest)
        raise InputError(f"subject: digest sha256 {manifest.digest} expected, {found} found")
    return manifest


def check_resources(manifest: Manifest) -> None:
    """Raises `InputError` unless the list is in order, each file in it once and whole."""
    resources = manifest.resources
    names = [r.name for r in resources]
    if len(set(names)) != len(names):
        [(twice, _)] = collections.Counter(names).most_common(1)
        raise InputError(f"resource {twice!a} occurs twice")
    if any(r.path == ONE_FILE for r in resources) and any(r.path != ONE_FILE for r in resources):
        raise InputError(f"resource {ONE_FILE!a} occurs beside others")
    # model-signing 1.1.1 sorts by path components, and shards by offset (manifest.py, `_Shard`)
    by_parts = sorted(resources, key=lambda r: (r.path.split("/"), r.start))
    if names != sorted(names) and list(resources) != by_parts:
        raise InputError("resources: sorted by name expected, another order found")
    if manifest.shard_size is not None:
        for path, shards in itertools.groupby(by_parts, key=lambda r: r.path):
            _check_shards(path, list(shards), manifest.shard_size)


def _check_shards(path: str, shards: Sequence[Resource], size: int) -> None:
    """One after the other from the first byte, each of ``size`` bytes, the last up to that."""
    expected = 0
    for shard in shards:
        stop = shard.stop or 0
        last = shard is shards[-1]
        whole = stop - shard.start == size or (last and 0 < stop - shard.start < size)
        if shard.start != expected or not whole:
            raise InputError(f"resource {path!a}: shards of {size} bytes without a gap expected")
        expected = stop


def _resource(wire: _Resource, hash_: Hash, shard_size: int | None, labels: set[str]) -> Resource:
    if wire.algorithm not in labels:
        found = ascii(wire.algorithm)
        raise InputError(f"resource {wire.name!a}: {hash_.value} expected, {found} found")
    digest = unhex(wire.digest, hash_.size, wire.name)
    path, start, stop = wire.name, 0, None
    if shard_size is not None:
        match = _SHARD.fullmatch(wire.name)
        if match is None or int(match[3]) > _LARGEST:
            raise InputError(f"resource {wire.name!a}: PATH:START:STOP expected")
        path, start, stop = match[1], int(match[2]), int(match[3])
    if path != ONE_FILE:
        check_name(path)
    return Resource(path, start, stop, digest)


def _shard_size(how: _Serialization) -> int | None:
    """The size of a shard in bytes. model-signing's protobuf makes a float of it."""
    size = how.shard_size
    if (how.method == "shards") != (size is not None):
        raise InputError("serialization: a shard_size for shards, and none for files, expected")
    if size is None:
        return None
    if size != int(size) or not 0 < size <= 2**53:  # a float is exact up to there
        raise InputError(f"serialization: shard_size of 1 to 2^53 expected, {size} found")
    return int(size)


_Text = Annotated[str, msgspec.Meta(min_length=1)]


class _Subject(msgspec.Struct, frozen=True):
    name: _Text
    digest: dict[str, str]


class _Resource(msgspec.Struct, frozen=True):
    """More members are ignored: section 5.2.1."""

    name: _Text
    algorithm: str
    digest: str


class _Serialization(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    method: Literal["files", "shards"]
    hash_type: Literal["sha256", "blake2b", "blake3"]
    allow_symlinks: bool
    shard_size: int | float | None = None
    ignore_paths: list[_Text] = []


class _Predicate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    resources: Annotated[list[_Resource], msgspec.Meta(min_length=1)]
    serialization: _Serialization
