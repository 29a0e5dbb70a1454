"""Checkpoints, notes, keys, receipts and requests: the vectors, and any other bytes."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credenza.errors import InputError
from credenza.ledger import Checkpoint, Leaf, Note, Receipt, SigningKey, VerifierKey
from credenza.ledger.witness import Request
from tests.vectors import make_ledger

VECTORS = make_ledger.HERE
PARSERS: dict[str, Callable[[bytes], bytes]] = {
    "checkpoint": lambda data: str(Checkpoint.parse(data.decode())).encode(),
    "note": lambda data: bytes(Note.parse(data)),
    "vkey": lambda data: str(VerifierKey.parse(data.decode())).encode(),
    "proof": lambda data: bytes(Receipt.parse(data)),
    "request": lambda data: bytes(Request.parse(data)),
    "leaf": lambda data: bytes(Leaf.parse(data)),
    "key": lambda data: str(SigningKey.parse(data.decode())).encode(),
}
WHOLE = {
    "checkpoint": make_ledger.TEXT.encode(),
    "note": make_ledger.NOTE.encode(),
    "vkey": make_ledger.VKEY.encode(),
    "proof": make_ledger.PROOF.encode(),
    "request": make_ledger.REQUEST.encode(),
    "leaf": b"act sha256:" + b"0a" * 32,
    "key": str(make_ledger.KEY).encode(),
}
CASES = [
    (name, path) for name in make_ledger.FORMATS for path in sorted((VECTORS / name).iterdir())
]


def test_the_vectors_are_those_that_the_script_makes() -> None:
    for name, cases in make_ledger.FORMATS.items():
        assert {path.name for path in (VECTORS / name).iterdir()} == cases.keys()
        for case, (data, expected) in cases.items():
            assert (VECTORS / name / case).read_bytes() == f"{expected}\n\n{data}".encode()


@pytest.mark.parametrize(
    ("name", "path"), CASES, ids=lambda x: x.name if isinstance(x, Path) else x
)
def test_each_vector(name: str, path: Path) -> None:
    expected, _, data = path.read_bytes().partition(b"\n\n")

    if expected == b"ok":
        assert PARSERS[name](data) == data
    else:
        with pytest.raises(InputError) as refused:
            PARSERS[name](data)
        assert expected.decode() in str(refused.value)


@pytest.mark.parametrize("name", PARSERS)
def test_no_flipped_bit_is_another_spelling(name: str) -> None:
    whole = WHOLE[name]
    assert PARSERS[name](whole) == whole
    for at in range(len(whole)):
        for bit in range(8):
            data = whole[:at] + bytes([whole[at] ^ 1 << bit]) + whole[at + 1 :]
            with contextlib.suppress(InputError, UnicodeDecodeError):
                assert PARSERS[name](data) == data


@given(st.sampled_from(sorted(PARSERS)), st.data())
def test_any_bytes_are_read_as_they_are_or_refused(name: str, data: st.DataObject) -> None:
    """Cut, repeated and mixed pieces of what is well-formed, which come further than noise."""
    whole = WHOLE[name].decode()
    pieces = st.sampled_from([*whole.splitlines(keepends=True), "\n", whole, "0", "\u2014 a b\n"])
    text = "".join(data.draw(st.lists(pieces | st.text(max_size=5), max_size=8)))
    with contextlib.suppress(InputError):
        assert PARSERS[name](text.encode(errors="replace")) == text.encode(errors="replace")


@given(st.binary(max_size=300))
def test_noise_is_refused(data: bytes) -> None:
    for parser in (Note.parse, Receipt.parse, Request.parse, Leaf.parse):
        with pytest.raises(InputError):
            parser(data)
