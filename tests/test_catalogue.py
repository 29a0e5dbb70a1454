"""The rule catalogue is data, and has a version."""

from __future__ import annotations

import hashlib
import tomllib
from importlib import resources

import pytest

from credenza import catalogue

DIGEST = "3c6638f6682d9bba7dd7e9be37ccbbf9a850d3feb37f328dd8ff57df24bec8b6"


def test_a_change_of_the_rules_is_a_change_of_the_version() -> None:
    """Fails where a file of rules changed: then `catalogue.VERSION` and this pair change too."""
    folder = resources.files("credenza.catalogue")
    files = sorted((f for f in folder.iterdir() if f.name.endswith(".toml")), key=lambda f: f.name)
    digest = hashlib.sha256(b"".join(f.name.encode() + f.read_bytes() for f in files)).hexdigest()
    assert (catalogue.VERSION, digest) == ("2026.11.24", DIGEST)


def test_a_rule_is_found_by_its_id() -> None:
    assert catalogue.rule("seal.tensor-altered").title
    with pytest.raises(KeyError):
        catalogue.rule("seal.no-such-rule")


def test_rules_are_read_one_by_one_as_a_whole_file_is() -> None:
    read = {rule.id: (rule.title, rule.references) for rule in catalogue.rules()}
    whole = {
        f"{file.name.removesuffix('.toml')}.{name}": (entry["title"], tuple(entry["references"]))
        for file in resources.files("credenza.catalogue").iterdir()
        if file.name.endswith(".toml")
        for name, entry in tomllib.loads(file.read_text("utf-8")).items()
    }
    assert read == whole
