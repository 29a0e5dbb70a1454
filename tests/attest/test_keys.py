"""Key files."""

import hashlib
import os
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from credenza.attest import PrivateKey, PublicKey, new_key
from credenza.errors import InputError, UntrustedError


def test_a_new_key_signs_what_its_public_half_verifies(tmp_path: Path) -> None:
    new_key(tmp_path / "k")
    signature = PrivateKey.read(tmp_path / "k").sign(b"message")
    public = PublicKey.read(tmp_path / "k.pub")
    assert signature.keyid == public.id
    public.verify(b"message", signature.sig)
    with pytest.raises(UntrustedError):
        public.verify(b"massage", signature.sig)


def test_the_private_half_is_its_owners_alone(tmp_path: Path) -> None:
    new_key(tmp_path / "k")
    assert stat.S_IMODE((tmp_path / "k").stat().st_mode) == 0o600


@pytest.mark.parametrize("taken", ["k", "k.pub"])
def test_no_key_is_overwritten(tmp_path: Path, taken: str) -> None:
    (tmp_path / taken).write_bytes(b"mine")
    with pytest.raises(InputError, match="exists already"):
        new_key(tmp_path / "k")
    assert (tmp_path / taken).read_bytes() == b"mine"
    assert os.listdir(tmp_path) == [taken]


def test_the_id_is_the_digest_of_the_subject_public_key_info() -> None:
    # RFC 8032 §7.1, test 1: the secret key and, by RFC 8410, the DER of its public key.
    secret = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
    key = PrivateKey(Ed25519PrivateKey.from_private_bytes(secret)).public
    der = bytes.fromhex(
        "302a300506032b6570032100d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
    )
    assert (
        key.raw.public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        == der
    )
    assert key.id == hashlib.sha256(der).hexdigest()


def _pem_of(key: ec.EllipticCurvePrivateKey | Ed25519PrivateKey, password: bytes = b"") -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(password)
        if password
        else serialization.NoEncryption(),
    )


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "a private key in PEM expected"),
        (b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "expected"),
        (_pem_of(ec.generate_private_key(ec.SECP256R1())), "an Ed25519 private key expected"),
        (_pem_of(Ed25519PrivateKey.generate(), b"pw"), "unencrypted"),
        (bytes(70_000), "at most 65536 bytes expected"),
    ],
)
def test_what_is_no_private_key(tmp_path: Path, data: bytes, message: str) -> None:
    (tmp_path / "k").write_bytes(data)
    with pytest.raises(InputError, match=message):
        PrivateKey.read(tmp_path / "k")


def test_a_private_key_is_not_taken_for_a_public_one(tmp_path: Path) -> None:
    new_key(tmp_path / "k")
    with pytest.raises(InputError, match="a public key expected, a private one found"):
        PublicKey.read(tmp_path / "k")
    with pytest.raises(InputError, match="a private key in PEM expected"):
        PrivateKey.read(tmp_path / "k.pub")


def test_what_is_no_public_key(tmp_path: Path) -> None:
    (tmp_path / "k").write_bytes(b"hello")
    with pytest.raises(InputError, match="a public key in PEM expected"):
        PublicKey.read(tmp_path / "k")
    with pytest.raises(InputError, match="cannot be read"):
        PublicKey.read(tmp_path / "none")
