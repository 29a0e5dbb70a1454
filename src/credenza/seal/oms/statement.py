"""The in-toto Statement around a manifest, of every version that there is.

ossf/model-signing-spec, spec/v1.0.md, sections 5.1, 6.6 and 11, and schemas/statement.schema.json.
"""

from __future__ import annotations

from typing import Any

import msgspec

from credenza.errors import InputError
from credenza.seal.oms import legacy, strict
from credenza.seal.oms.manifest import LEGACY_TYPE, PREDICATE_TYPE, Manifest, from_predicate

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"


def parse(payload: bytes) -> Manifest:
    """Read a statement that was verified to be signed.

    Raises `InputError` for anything but an OMS statement of a version that there is, as its
    specification has it: fields unknown to its schemas, a model digest that is not the one of
    the resources, resources out of order or twice, shards with a gap.
    """
    value = strict.loads(payload, "statement", most=None)
    statement = strict.convert(value, _Statement, "statement")
    if statement.type_ != STATEMENT_TYPE:
        found = ascii(statement.type_)
        raise InputError(f"statement: type {STATEMENT_TYPE} expected, {found} found")
    if statement.predicate_type == LEGACY_TYPE:
        return legacy.parse(statement.subject)
    if statement.predicate_type != PREDICATE_TYPE:
        found = ascii(statement.predicate_type)
        raise InputError(f"statement: predicate {PREDICATE_TYPE} expected, {found} found")
    return from_predicate(statement.subject, statement.predicate)


def to_payload(manifest: Manifest) -> bytes:
    """The statement to sign, as the specification has it: sections 5 and 6.6."""
    serialization: dict[str, Any] = {
        "method": "files" if manifest.shard_size is None else "shards",
        "hash_type": manifest.hash.value,
        "allow_symlinks": manifest.allow_symlinks,
    }
    if manifest.shard_size is not None:
        serialization["shard_size"] = manifest.shard_size
    if manifest.ignore_paths:
        serialization["ignore_paths"] = list(manifest.ignore_paths)
    resources = [
        {"name": r.name, "algorithm": manifest.hash.value, "digest": r.digest.hex()}
        for r in manifest.resources
    ]
    return msgspec.json.encode(
        {
            "_type": STATEMENT_TYPE,
            "subject": [{"name": manifest.name, "digest": {"sha256": manifest.digest}}],
            "predicateType": PREDICATE_TYPE,
            "predicate": {"serialization": serialization, "resources": resources},
        }
    )


class _Statement(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    type_: str = msgspec.field(name="_type")
    subject: list[Any]
    predicate_type: str
    predicate: dict[str, Any]
