"""DSSE envelopes and in-toto statements."""

import base64
import json

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from credenza.attest import (
    Envelope,
    PrivateKey,
    Signature,
    Standing,
    Statement,
    Subject,
    Trust,
    Verified,
    sign,
)
from credenza.errors import CredenzaError, InputError, UntrustedError

KEY = PrivateKey(bytes(32))
OTHER = PrivateKey(b"\1" * 32)
STATEMENT = Statement((Subject("m", "credenza-blake3", "00" * 32),), "https://t", b'{"a":1}')


def test_pae_is_the_specifications_example() -> None:
    # https://github.com/secure-systems-lab/dsse/blob/v1.0.0/protocol.md#pre-authentication-encoding
    envelope = Envelope(b"hello world", "http://example.com/HelloWorld", ())
    expected = b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    assert envelope.signed_bytes == expected


@given(
    st.binary(max_size=40),
    st.text(max_size=20),
    st.lists(
        st.builds(Signature, st.text(max_size=8), st.binary(max_size=70)),
        max_size=3,
        unique_by=(lambda s: s.keyid, lambda s: s.sig),
    ),
)
def test_round_trip(payload: bytes, kind: str, signatures: list[Signature]) -> None:
    envelope = Envelope(payload, kind, tuple(signatures))
    assert Envelope.parse(bytes(envelope)) == envelope


@pytest.mark.parametrize("again", [Signature("k", b"t"), Signature("l", b"s")])
def test_nobody_signs_twice(again: Signature) -> None:
    data = bytes(Envelope(b"a", "t", (Signature("k", b"s"), again)))
    with pytest.raises(InputError, match="once expected, one found twice"):
        Envelope.parse(data)
    with pytest.raises(InputError, match="each signer once expected"):
        sign(STATEMENT, [KEY, OTHER, KEY])


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.replace(b'"payload":', b' "payload":'),
        lambda d: d.rstrip(),
        lambda d: d.replace(b"==", b""),
        lambda d: d.replace(b"}\n", b',"more":1}\n'),
        lambda d: d.replace(b'{"payload"', b'{"payload":"","payload"'),
        lambda d: b"",
        lambda d: b"\xff",
        lambda d: b"[]",
    ],
)
def test_any_other_spelling_is_refused(change: object) -> None:
    data = bytes(Envelope(b"a", "t", (Signature("k", b"s"),)))
    assert callable(change)
    with pytest.raises(InputError):
        Envelope.parse(change(data))


def test_a_statement_is_read_back() -> None:
    assert Statement.parse(bytes(STATEMENT)) == STATEMENT


@pytest.mark.parametrize(
    ("member", "value"),
    [("_type", "https://in-toto.io/Statement/v0.1"), ("subject", [{"name": "m", "digest": {}}])],
)
def test_what_is_no_statement_is_refused(member: str, value: object) -> None:
    wire = json.loads(bytes(STATEMENT)) | {member: value}
    with pytest.raises(InputError):
        Statement.parse(json.dumps(wire).encode())


def test_a_trusted_signature_makes_it_verified() -> None:
    verified = Trust((OTHER.public, KEY.public)).verify(sign(STATEMENT, [KEY]))
    assert verified.value == STATEMENT
    assert verified.keys == (KEY.public.id,)


def test_another_key_does_not() -> None:
    with pytest.raises(UntrustedError, match="no trusted key signed it"):
        Trust((OTHER.public,)).verify(sign(STATEMENT, [KEY]))


def test_no_signature_does_not() -> None:
    unsigned = Envelope(bytes(STATEMENT), "application/vnd.in-toto+json", ())
    with pytest.raises(UntrustedError, match="it claims nobody"):
        Trust((KEY.public,)).verify(unsigned)


def test_a_key_id_that_lies_helps_nobody() -> None:
    envelope = sign(STATEMENT, [OTHER])
    lying = Envelope(
        envelope.payload,
        envelope.payload_type,
        (Signature(KEY.public.id, envelope.signatures[0].sig),),
    )
    with pytest.raises(UntrustedError):
        Trust((KEY.public,)).verify(lying)


def test_the_payload_type_is_signed() -> None:
    envelope = sign(STATEMENT, [KEY])
    with pytest.raises(UntrustedError):
        Trust((KEY.public,)).verify(Envelope(envelope.payload, "text/plain", envelope.signatures))


def test_nobody_to_trust_or_to_sign_is_an_error() -> None:
    with pytest.raises(InputError, match="at least one key"):
        Trust(())
    with pytest.raises(InputError, match="at least one signer"):
        sign(STATEMENT, [])


def test_only_trust_makes_a_verified() -> None:
    with pytest.raises(TypeError):
        Verified(STATEMENT, Standing("", 0, ()), object())


def test_any_flipped_bit_is_refused() -> None:
    data = bytes(sign(STATEMENT, [KEY]))
    trust = Trust((KEY.public,))

    for place in range(len(data)):
        for bit in range(8):
            changed = bytearray(data)
            changed[place] ^= 1 << bit
            with pytest.raises(CredenzaError):
                trust.verify(Envelope.parse(bytes(changed)))


def test_the_signature_is_what_another_library_makes() -> None:
    envelope = json.loads(bytes(sign(STATEMENT, [KEY])))
    payload = base64.b64decode(envelope["payload"])
    pae = b"DSSEv1 28 application/vnd.in-toto+json %d %s" % (len(payload), payload)
    signature = base64.b64decode(envelope["signatures"][0]["sig"])
    Ed25519PrivateKey.from_private_bytes(bytes(32)).public_key().verify(signature, pae)
