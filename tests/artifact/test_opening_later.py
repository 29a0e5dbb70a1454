"""A reader that is imported later claims just what it would have claimed at once."""

from __future__ import annotations

import importlib
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credenza.artifact import READERS, Held, Reader
from credenza.artifact.opening import Later

LATER = [reader for reader in READERS if isinstance(reader, Later)]
MAGICS = [m.rjust(r.signs.at + len(m), b"\0") for r in LATER for m in r.signs.magics]
SUFFIXES = [s for r in LATER for s in r.signs.suffixes]


def at_once(reader: Later) -> Reader:
    module = importlib.import_module(f"credenza.artifact.{reader.module}")
    return cast("Reader", getattr(module, reader.name)())


@pytest.mark.parametrize("reader", LATER, ids=lambda r: r.name)
@given(
    head=st.sampled_from([b"", *MAGICS]) | st.binary(max_size=12),
    rest=st.binary(max_size=24),
    name=st.sampled_from(["model", "a.bin", *SUFFIXES, *(s.upper() for s in SUFFIXES)]),
)
def test_it_claims_what_the_reader_claims(
    reader: Later, head: bytes, rest: bytes, name: str
) -> None:
    file = Held(name, head + rest)
    assert reader.claims(file) == at_once(reader).claims(file)
