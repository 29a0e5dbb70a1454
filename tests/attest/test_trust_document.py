"""Trust documents and their chains: what is read back, and what is refused."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from credenza import errors
from credenza.attest import Trust
from credenza.attest.roles import Role
from credenza.attest.trust_chain import Chain
from credenza.attest.trust_document import TrustDocument
from credenza.errors import CredenzaError, ExpiredTrustError, InputError
from tests.attest.people import ADA, BOB, PAST, chain, document, line, person, with_role

VECTORS = Path(__file__).parent.parent / "vectors" / "trust"
REFUSED = json.loads((VECTORS / "refused.json").read_text("utf-8"))


def test_a_document_is_read_back() -> None:
    assert TrustDocument.parse(bytes(document())) == document()


def test_the_chain_of_the_vectors_verifies() -> None:
    data = (VECTORS / "bank.trust").read_bytes()
    read = Chain.parse(data)
    assert bytes(read) == data
    assert [d.version for d in read.documents] == [1, 2, 3]
    assert (read.head.name, len(read.head.roles.revoked_roots)) == ("Bank", 1)


def test_every_refusal_has_its_vector() -> None:
    assert {path.stem for path in (VECTORS / "refused").iterdir()} == REFUSED.keys()


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(name: str) -> None:
    error, message = REFUSED[name]
    with pytest.raises(CredenzaError) as refused:
        Trust.read(VECTORS / "refused" / f"{name}.trust")
    assert type(refused.value) is getattr(errors, error)
    assert message in str(refused.value)


def test_only_what_was_verified_is_a_chain() -> None:
    with pytest.raises(TypeError):
        Chain((line(document()),), (document(),), object())
    with pytest.raises(InputError, match="at least one version"):
        Chain.of([])


@pytest.mark.parametrize("threshold", [2, 3])
def test_a_root_threshold_from_both_sides(threshold: int) -> None:
    roles = with_role(Role("root", ("ada", "bob", "carol"), threshold))
    signed = line(document(roles=roles), ADA, BOB)
    if threshold == 2:
        assert Chain.of([signed]).head.version == 1
    else:
        with pytest.raises(errors.TrustChainError, match="1 more of its own root"):
            Chain.of([signed])


def test_an_expired_document_is_a_freeze(tmp_path: Path) -> None:
    (tmp_path / "t").write_bytes(bytes(chain(document(expires=PAST))))
    trust = Trust.read(tmp_path / "t")
    with pytest.raises(ExpiredTrustError, match="version 1 expired on 2026-01-01"):
        trust.check_current()
    with pytest.raises(ExpiredTrustError):
        trust.verify(line(document()))


def test_only_the_last_version_must_be_current() -> None:
    held = chain(document(expires=PAST), document(2))
    Trust(chain=held).check_current()


def test_any_flipped_bit_is_refused(tmp_path: Path) -> None:
    data = (VECTORS / "bank.trust").read_bytes()
    for place in range(0, len(data), 7):
        for bit in range(8):
            changed = bytearray(data)
            changed[place] ^= 1 << bit
            with pytest.raises(CredenzaError):
                Chain.parse(bytes(changed))


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_mutated_document_is_read_whole_or_refused(data: st.DataObject) -> None:
    """Signed by whom it names: only the parser stands between these bytes and belief."""
    payload = bytearray(bytes(document()))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(payload) - 1))
        stop = at + data.draw(st.integers(0, 3))
        payload[at:stop] = data.draw(st.binary(max_size=3))
    try:
        read = TrustDocument.parse(bytes(payload))
    except InputError:
        return
    assert bytes(read) == payload


@settings(max_examples=200, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
        ),
        max_leaves=8,
    ),
    st.sampled_from(
        [
            "name",
            "version",
            "expires",
            "people",
            "roles",
            "separate",
            "require",
            "revokedKeys",
            "revokedRoots",
        ]
    ),
)
def test_any_json_in_the_place_of_a_member(value: object, member: str) -> None:
    wire = json.loads(bytes(document())) | {member: value}
    payload = json.dumps(wire, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "replace")
    try:
        read = TrustDocument.parse(payload)
    except InputError:
        return
    assert bytes(read) == payload


@given(st.binary(max_size=200))
def test_any_bytes_as_a_chain(data: bytes) -> None:
    with pytest.raises(InputError):
        Chain.parse(data)


def test_limits_from_both_sides() -> None:
    people = tuple(person(f"p{i:03}") for i in range(9))
    names = tuple(p.name for p in people)
    eight = (*document().roles.people, *people)
    roles = with_role(Role("approver", names, 8))
    assert document(people=eight, roles=roles, separate=()).roles.role("approver")
    with pytest.raises(InputError, match="takes 9"):
        document(people=eight, roles=with_role(Role("approver", names, 9)), separate=())


def test_keys_are_those_that_openssl_writes() -> None:
    wire = json.loads(bytes(document()))
    [bob] = [p for p in wire["people"] if p["name"] == "bob"]
    # RFC 8410, section 4: a SubjectPublicKeyInfo of Ed25519 is these 12 bytes and the key.
    der = base64.b64decode(bob["keys"][0])
    assert der[:12].hex() == "302a300506032b6570032100"
    assert len(der) == 44


def test_a_document_and_keys_together_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "t").write_bytes(bytes(chain()))
    (tmp_path / "k").write_bytes(ADA.public.pem)
    with pytest.raises(InputError):
        Trust.read(tmp_path / "t", tmp_path / "k")
    with pytest.raises(InputError, match="both given"):
        Trust((ADA.public,), chain())
    assert Trust.read(tmp_path / "k").name == ""
