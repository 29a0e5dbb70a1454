"""Sigstore identities. The bundles are real ones; `tests.vectors.make_keys` says whose."""

from __future__ import annotations

import json
import sys
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from credenza.attest import Envelope, PrivateKey, Trust
from credenza.attest.sigstore import Identity, enveloped
from credenza.errors import InputError, MissingExtraError, UntrustedError
from tests.vectors.make_keys import HERE

ENVELOPE = (HERE / "sigstore" / "envelope.sigstore.json").read_bytes()
BUNDLE = (HERE / "sigstore" / "message.sigstore.json").read_bytes()
MESSAGE = (HERE / "sigstore" / "message.txt").read_bytes()
SOMEBODY = ("stefanb@us.ibm.com", "https://sigstore.verify.ibm.com/oauth2")
OTHER = ("william@yossarian.net", "https://github.com/login/oauth")
_STORE = resources.files("sigstore") / "_store"
STAGING = Path(str(_STORE / "https%3A%2F%2Ftuf-repo-cdn.sigstage.dev" / "trusted_root.json"))


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("verifying went to the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def test_an_identity_signed_an_envelope() -> None:
    envelope = enveloped(ENVELOPE)
    Identity(*SOMEBODY).verify(envelope.signed_bytes, ENVELOPE)
    assert envelope.payload_type == "application/vnd.in-toto+json"
    assert Envelope.parse(bytes(envelope)) == envelope


def test_an_identity_signed_a_message() -> None:
    Identity(*OTHER, trusted_root=STAGING).verify(MESSAGE, BUNDLE)


@pytest.mark.parametrize(
    ("identity", "issuer"),
    [
        ("stefanb@us.ibm.co", SOMEBODY[1]),
        ("STEFANB@us.ibm.com", SOMEBODY[1]),
        (SOMEBODY[0], OTHER[1]),
        (SOMEBODY[0], SOMEBODY[1] + "/"),
        OTHER,
    ],
)
def test_somebody_else_did_not(identity: str, issuer: str) -> None:
    message = enveloped(ENVELOPE).signed_bytes
    with pytest.raises(UntrustedError, match="the signature is not by"):
        Identity(identity, issuer).verify(message, ENVELOPE)


def test_something_else_was_not_signed() -> None:
    somebody, other = Identity(*SOMEBODY), Identity(*OTHER, trusted_root=STAGING)
    with pytest.raises(UntrustedError, match="signed something else"):
        somebody.verify(enveloped(ENVELOPE).signed_bytes + b" ", ENVELOPE)
    with pytest.raises(UntrustedError, match="the signature is not by"):
        other.verify(MESSAGE + b"\n", BUNDLE)


def test_another_instances_root_does_not_vouch() -> None:
    with pytest.raises(UntrustedError):
        Identity(*OTHER).verify(MESSAGE, BUNDLE)
    with pytest.raises(UntrustedError):
        Identity(*SOMEBODY, trusted_root=STAGING).verify(enveloped(ENVELOPE).signed_bytes, ENVELOPE)


def _material(bundle: Any) -> Any:
    return bundle["verificationMaterial"]


@pytest.mark.parametrize(
    "strip",
    [
        lambda b: b.pop("dsseEnvelope"),
        lambda b: _material(b).pop("certificate"),
        lambda b: _material(b).pop("tlogEntries"),
        lambda b: _material(b)["tlogEntries"][0].pop("inclusionProof"),
        lambda b: _material(b)["tlogEntries"][0]["inclusionProof"]["hashes"].pop(),
        lambda b: _material(b)["tlogEntries"][0].update(canonicalizedBody="e30="),
        lambda b: b["dsseEnvelope"].update(payload="e30="),
        lambda b: b["dsseEnvelope"].update(payloadType="text/plain"),
        lambda b: b["dsseEnvelope"]["signatures"].clear(),
        lambda b: b.update(mediaType="application/json"),
    ],
)
def test_a_stripped_or_changed_bundle_is_refused(strip: Any) -> None:
    message = enveloped(ENVELOPE).signed_bytes
    bundle = json.loads(ENVELOPE)
    strip(bundle)
    with pytest.raises(UntrustedError):
        Identity(*SOMEBODY).verify(message, json.dumps(bundle).encode())


def test_an_identity_stands_where_a_key_stands() -> None:
    """`Trust` asks for ``id`` and ``verify``, and an identity has both."""
    identity = Identity(*SOMEBODY)
    verified = Trust((identity,)).verify(identity.envelope(ENVELOPE))  # type: ignore[arg-type]  # a trust's type names keys alone
    assert verified.keys == (identity.id,)
    assert verified.value.subjects[0].name == "v1.1.0-sigstore"
    assert identity.id != Identity(*OTHER).id


def test_a_keys_signature_is_no_identitys() -> None:
    with pytest.raises(UntrustedError):
        Identity(*SOMEBODY).verify(b"message", PrivateKey.new().sign(b"message").sig)


@settings(deadline=None, max_examples=30)
@given(st.binary(max_size=200))
def test_no_bytes_are_a_bundle(data: bytes) -> None:
    with pytest.raises(UntrustedError):
        Identity(*SOMEBODY).verify(b"message", data)
    with pytest.raises(InputError, match="no bundle with a DSSE envelope"):
        enveloped(data)


def test_a_message_bundle_holds_no_envelope() -> None:
    with pytest.raises(InputError, match="no bundle with a DSSE envelope"):
        enveloped(BUNDLE)


def test_a_root_that_is_none_is_said(tmp_path: Path) -> None:
    (tmp_path / "root.json").write_text("{}")
    for path in (tmp_path / "root.json", tmp_path / "none"):
        with pytest.raises(InputError, match="sigstore's trusted root expected"):
            Identity(*OTHER, trusted_root=path).verify(MESSAGE, BUNDLE)


def test_nobody_is_no_identity() -> None:
    for identity, issuer in (("", OTHER[1]), (OTHER[0], "")):
        with pytest.raises(InputError, match="an identity and its issuer expected"):
            Identity(identity, issuer)


def test_without_the_extra_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [n for n in sys.modules if n.partition(".")[0] == "sigstore"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "sigstore", None)
    with pytest.raises(MissingExtraError, match="needs the extra 'sigstore'"):
        Identity(*OTHER).verify(MESSAGE, BUNDLE)
