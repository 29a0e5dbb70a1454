from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credenza.errors import InputError
from credenza.ledger import Entry

GOOD: dict[str, Any] = {
    "time": "2026-11-23T21:30:00Z",
    "action": "sealed",
    "root": "0f" * 32,
    "actor": "Ada",
}
text = st.text(alphabet=st.characters(exclude_categories=["Cs"]))


@given(text, st.lists(st.tuples(text, text)).map(tuple))
def test_round_trip_on_one_line(actor: str, detail: tuple[tuple[str, str], ...]) -> None:
    entry = Entry(**{**GOOD, "actor": actor, "detail": detail})

    assert Entry.parse(bytes(entry)) == entry
    assert b"\n" not in bytes(entry)


@pytest.mark.parametrize(
    "member",
    [
        {"time": "2026-11-23 21:30:00"},
        {"time": "2026-11-23T21:30:00+00:00"},
        {"time": "2026-02-30T00:00:00Z"},
        {"time": "2026-1-3T00:00:00Z"},
        {"action": ""},
        {"action": "Sealed"},
        {"action": "sealed\n"},
        {"root": "0F" * 32},
        {"root": "0f" * 31},
        {"actor": "\udcff"},
        {"detail": (("k", "v" * 65_535),)},
    ],
)
def test_a_member_in_another_form_is_refused(member: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"^entry: "):
        Entry(**{**GOOD, **member})


@pytest.mark.parametrize(
    "change",
    [
        (b'"time"', b' "time"'),
        (b'"Ada"', b'"\\u0041da"'),
        (b"}", b',"more":1}'),
        (b'"detail":[]', b'"detail":null'),
        (b'"actor":"Ada"', b'"actor":"Bob","actor":"Ada"'),
        (b'"Ada"', b'"\xff"'),
    ],
)
def test_another_spelling_is_refused(change: tuple[bytes, bytes]) -> None:
    data = bytes(Entry(**GOOD))
    assert change[0] in data

    with pytest.raises(InputError, match=r"^entry: not in "):
        Entry.parse(data.replace(*change))


def test_deep_nesting_is_refused() -> None:
    with pytest.raises(InputError):
        Entry.parse(b"[" * 60_000)


def test_now_is_of_the_right_form() -> None:
    entry = Entry.now("admitted", root="", actor="Ada", policy="strict")

    assert entry.detail == (("policy", "strict"),)
    assert Entry.parse(bytes(entry)) == entry
