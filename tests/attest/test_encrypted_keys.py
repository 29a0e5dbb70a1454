"""Private keys under a password."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from hypothesis import given, settings
from hypothesis import strategies as st

from credenza.attest import KINDS, PrivateKey, new_key
from credenza.attest.kinds import Kind
from credenza.attest.pem import unarmour
from credenza.attest.pkcs8 import decrypt, encrypt
from credenza.errors import InputError
from tests.vectors.make_keys import KEYS

kinds = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)

# PyPI's cryptography_vectors, asymmetric/PKCS8/ed25519-scrypt.pem (password "hunter42") and
# asymmetric/Ed25519/ed25519-pkcs8-enc.pem (password "password", PBKDF2 with HMAC-SHA-256).
THEIRS = {
    "hunter42": b"""-----BEGIN ENCRYPTED PRIVATE KEY-----
MIGTME8GCSqGSIb3DQEFDTBCMCEGCSsGAQQB2kcECzAUBAjmIR4jSK1p4AICQAAC
AQgCAQEwHQYJYIZIAWUDBAEqBBCb0KYlHyJU+f1ZY4h8J88BBEDMYrp3PA9JX6s2
aOT8782wjnig7hXgoVAT9iq+CNqnQgZe6zZtbmyYzDsOfmm9yGHIiv648D26Hixt
mdBtFzYM
-----END ENCRYPTED PRIVATE KEY-----
""",
    "password": b"""-----BEGIN ENCRYPTED PRIVATE KEY-----
MIGbMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAhDgfwSFbYckgICCAAw
DAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEEFR6pN0F5UEPFF/Z8RB0maoEQG0i
za5Fgv9/c8H9med7ttjbbh8T73t+Rq2dcFT2kcUM2HJWGrWMvDpTEPEy0hduYFDh
YMcDjtOCKyUTwPovQI0=
-----END ENCRYPTED PRIVATE KEY-----
""",
}


def _write(path: Path, pem: bytes) -> Path:
    path.touch(mode=0o600)
    path.write_bytes(pem)
    return path


@kinds
def test_the_password_is_asked_for_and_opens_the_key(kind: Kind, tmp_path: Path) -> None:
    made = new_key(tmp_path / "k", kind, "pässword")
    asked = []

    def ask(what: str) -> str:
        asked.append(what)
        return "pässword"

    assert PrivateKey.read(tmp_path / "k", ask) == made
    assert asked == [f"password of {tmp_path / 'k'}"]
    assert made.secret not in unarmour((tmp_path / "k").read_bytes())[1]


@kinds
@pytest.mark.parametrize("wrong", ["", "Password", "password ", "x" * 1000])
def test_a_wrong_password_is_one_clear_error(kind: Kind, wrong: str, tmp_path: Path) -> None:
    new_key(tmp_path / "k", kind, "password")
    with pytest.raises(InputError, match="k: the password is wrong"):
        PrivateKey.read(tmp_path / "k", lambda what: wrong)


def test_without_anybody_to_ask_the_key_stays_shut(tmp_path: Path) -> None:
    new_key(tmp_path / "k", password="password")  # noqa: S106  what it is about
    with pytest.raises(InputError, match=r"password of .*k: needed, and not given"):
        PrivateKey.read(tmp_path / "k")


def test_an_empty_password_is_none(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="at least one character"):
        new_key(tmp_path / "k", password="")
    assert list(tmp_path.iterdir()) == []


def test_the_same_key_never_looks_the_same() -> None:
    key = KEYS["ed25519"]
    assert key.encrypted_pem("password") != key.encrypted_pem("password")


@pytest.mark.parametrize("kind", [k for k in KINDS if k.name != "hybrid"], ids=lambda k: k.name)
def test_another_library_opens_ours(kind: Kind) -> None:
    key = KEYS[kind.name]
    theirs = serialization.load_pem_private_key(key.encrypted_pem("password"), b"password")
    plain = theirs.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    assert plain == key.pem


@pytest.mark.parametrize("kind", [k for k in KINDS if k.name != "hybrid"], ids=lambda k: k.name)
def test_we_open_what_another_library_encrypted(kind: Kind, tmp_path: Path) -> None:
    key = KEYS[kind.name]
    theirs = serialization.load_pem_private_key(key.pem, None)
    pem = theirs.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"password"),
    )
    assert PrivateKey.read(_write(tmp_path / "k", pem), lambda what: "password") == key


@pytest.mark.parametrize(("password", "pem"), THEIRS.items())
def test_we_open_known_files(password: str, pem: bytes, tmp_path: Path) -> None:
    ours = PrivateKey.read(_write(tmp_path / "k", pem), lambda what: password)
    theirs = serialization.load_pem_private_key(pem, password.encode())
    public = theirs.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    assert ours.public.pem == public


@pytest.mark.parametrize(
    "options",
    [
        ("-scrypt",),
        ("-v2", "aes256"),
        ("-v2", "aes128"),
        ("-v2", "aes192", "-v2prf", "hmacWithSHA512"),
        ("-v2", "aes256", "-v2prf", "hmacWithSHA1"),
    ],
)
def test_we_open_what_openssl_encrypts_and_it_ours(
    options: tuple[str, ...], tmp_path: Path
) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("needs the command openssl")
    key = KEYS["ed25519"]
    plain = _write(tmp_path / "plain", key.pem)
    make = ["openssl", "pkcs8", "-topk8", "-in", str(plain), "-passout", "pass:pw", *options]
    made = subprocess.run(make, capture_output=True, check=True).stdout
    assert PrivateKey.read(_write(tmp_path / "theirs", made), lambda what: "pw") == key
    ours = _write(tmp_path / "ours", key.encrypted_pem("pw"))
    read = ["openssl", "pkey", "-in", str(ours), "-passin", "pass:pw"]
    assert subprocess.run(read, capture_output=True, check=True).stdout == key.pem


def test_every_byte_of_the_file_counts(tmp_path: Path) -> None:
    """Nothing authenticates the file, so a change may give another key, but never this one."""
    key = KEYS["ed25519"]
    _, der = unarmour(THEIRS["hunter42"])
    original = decrypt(der, b"hunter42")
    for place in range(0, len(der), 3):
        changed = bytearray(der)
        changed[place] ^= 0x10
        try:
            found = decrypt(bytes(changed), b"hunter42")
        except ValueError:
            continue
        assert found != original, place
    assert key.public.id


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_else(data: bytes) -> None:
    for der in (data, b"\x30%c%s" % (len(data) % 128, data)):
        with pytest.raises(ValueError):  # noqa: PT011  its message is the parser's
            decrypt(der, b"password")


@settings(deadline=None, max_examples=5)
@given(st.binary(max_size=100), st.text(min_size=1, max_size=20))
def test_what_was_encrypted_comes_back(data: bytes, password: str) -> None:
    assert decrypt(encrypt(data, password.encode()), password.encode()) == data
