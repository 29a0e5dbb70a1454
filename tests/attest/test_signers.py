"""Signers by URI: files, and key services through securesystemslib."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from securesystemslib.signer import (
    SIGNER_FOR_URI_SCHEME,
    CryptoSigner,
    Key,
    SecretsHandler,
    Signature,
    Signer,
    SSlibKey,
)

from credenza.attest import KINDS, Statement, Subject, Trust, new_key, sign
from credenza.attest.signers import public_key, signer
from credenza.attest.signers.kms import KmsSigner
from credenza.errors import InputError, MissingExtraError, UntrustedError
from tests.vectors.make_keys import ORDER

STATEMENT = Statement((Subject("m", "credenza-blake3", "00" * 32),), "https://t", b'{"a":1}')


# --- Files ------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["{}", "file:{}", "FILE:{}", "file://{}", "file://localhost{}"])
def test_a_path_and_a_file_uri_are_one(form: str, tmp_path: Path) -> None:
    made = new_key(tmp_path / "my key")
    path = str(tmp_path / "my key")
    uri = form.format(path if form == "{}" else path.replace(" ", "%20"))
    assert signer(uri) == made
    assert public_key(uri) == made.public
    assert public_key(uri + ".pub") == made.public


def test_a_relative_file_uri(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    made = new_key(Path("key"))
    assert signer("file:key") == made


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("file://elsewhere/key", "another machine's file found"),
        ("none", "none cannot be read"),
        ("gpg:ABCD", "gpg:ABCD cannot be read"),
        ("", "a regular file expected|cannot be read"),
        ("file:", "a regular file expected|cannot be read"),
    ],
)
def test_what_names_no_key(uri: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        signer(uri)
    with pytest.raises(InputError, match=message):
        public_key(uri)


def test_the_public_half_of_an_encrypted_key_takes_its_password(tmp_path: Path) -> None:
    made = new_key(tmp_path / "k", password="password")  # noqa: S106
    assert public_key(str(tmp_path / "k"), lambda what: "password") == made.public
    with pytest.raises(InputError, match="needed, and not given"):
        public_key(str(tmp_path / "k"))


# --- Key services -----------------------------------------------------------------------------


class Cloud(Signer):
    """A key service behind securesystemslib's interface: its keys lie in `keys`."""

    keys: ClassVar[dict[str, CryptoSigner]] = {}
    tamper: ClassVar[Any] = bytes
    names: ClassVar[Any] = str

    def __init__(self, inner: CryptoSigner) -> None:
        self._inner = inner

    @classmethod
    def import_(cls, *name: str) -> tuple[str, SSlibKey]:
        return cls.names("/".join(name)), cls.keys["/".join(name)].public_key

    @classmethod
    def from_priv_key_uri(
        cls, priv_key_uri: str, public_key: Key, secrets_handler: SecretsHandler | None = None
    ) -> Cloud:
        [found] = [s for s in cls.keys.values() if s.public_key == public_key]
        return cls(found)

    @property
    def public_key(self) -> SSlibKey:
        return self._inner.public_key

    def sign(self, payload: bytes) -> Signature:
        signed = self._inner.sign(payload)
        return Signature(signed.keyid, type(self).tamper(bytes.fromhex(signed.signature)).hex())


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> type[Cloud]:
    """A service that answers to every scheme."""
    service = type("Service", (Cloud,), {"keys": {}, "tamper": staticmethod(bytes)})
    for scheme in ("awskms", "gcpkms", "azurekms", "hv"):
        monkeypatch.setitem(SIGNER_FOR_URI_SCHEME, scheme, service)
    return service


GCP = "projects/p/locations/l/keyRings/r/cryptoKeys/k/cryptoKeyVersions/1"
URIS = [
    ("awskms:alias/bank", "alias/bank", "awskms:{}"),
    (f"gcpkms:{GCP}", GCP, "gcpkms:{}"),
    ("azurekms://v.vault.azure.net/keys/k", "v/k", "azurekms://v.vault.azure.net/keys/k/7"),
    ("azurekms://v.vault.azure.net/keys/k/7", "v/k", "azurekms://v.vault.azure.net/keys/k/7"),
    ("hv:bank", "bank", "hv:{}/3"),
    ("hv:bank/3", "bank", "hv:{}/3"),
]
MAKE = {"ecdsa": CryptoSigner.generate_ecdsa, "ed25519": CryptoSigner.generate_ed25519}


@pytest.mark.parametrize(("uri", "name", "full"), URIS)
@pytest.mark.parametrize("kind", MAKE)
def test_a_key_service_signs(uri: str, name: str, full: str, kind: str, cloud: type[Cloud]) -> None:
    cloud.keys[name] = MAKE[kind]()
    cloud.names = full.format
    by = signer(uri)
    envelope = sign(STATEMENT, [by])
    assert Trust((by.public,)).verify(envelope).keys == (by.public.id,)
    assert public_key(uri) == by.public


def test_a_services_other_ecdsa_signature_is_made_the_one_that_counts(cloud: type[Cloud]) -> None:
    from cryptography.hazmat.primitives.asymmetric.utils import (
        decode_dss_signature,
        encode_dss_signature,
    )

    def higher(signature: bytes) -> bytes:
        r, s = decode_dss_signature(signature)
        return encode_dss_signature(r, max(s, ORDER - s))

    cloud.keys["k"] = CryptoSigner.generate_ecdsa()
    cloud.names = "awskms:{}".format
    cloud.tamper = staticmethod(higher)
    by = signer("awskms:k")
    by.public.verify(b"message", by.sign(b"message").sig)


@pytest.mark.parametrize(
    ("tamper", "message"),
    [
        (lambda s: s[:-1] + bytes([s[-1] ^ 1]), "its own public key does not verify"),
        (lambda s: s[:-1], "not well-formed"),
        (lambda s: b"", "not well-formed"),
    ],
)
def test_a_service_that_signs_wrongly_is_found_out(
    tamper: Callable[[bytes], bytes], message: str, cloud: type[Cloud]
) -> None:
    cloud.keys["k"] = CryptoSigner.generate_ecdsa()
    cloud.names = "awskms:{}".format
    cloud.tamper = staticmethod(tamper)
    with pytest.raises(InputError, match=message):
        signer("awskms:k").sign(b"message")


@pytest.mark.parametrize(
    "made",
    [
        lambda: CryptoSigner.generate_rsa(size=2048),
        lambda: CryptoSigner.generate_ecdsa(scheme="ecdsa-sha2-nistp384"),
        CryptoSigner.generate_mldsa,  # of which the message signed is another one
    ],
)
def test_a_key_of_another_kind_is_refused(made: Callable[[], CryptoSigner]) -> None:
    with pytest.raises(InputError, match="a key of ECDSA P-256 or Ed25519 expected"):
        KmsSigner.wrap("awskms:k", made())


@pytest.mark.parametrize("value", ["", "zz", "00", "-----BEGIN PUBLIC KEY-----"])
@pytest.mark.parametrize(
    ("keytype", "scheme"), [("ed25519", "ed25519"), ("ecdsa", "ecdsa-sha2-nistp256")]
)
def test_a_key_that_is_none_is_refused(
    value: str, keytype: str, scheme: str, cloud: type[Cloud]
) -> None:
    inner = CryptoSigner.generate_ed25519()
    inner._public_key = SSlibKey("id", keytype, scheme, {"public": value})
    with pytest.raises(InputError, match=r"expected|not well-formed"):
        KmsSigner.wrap("awskms:k", inner)


def test_an_older_version_than_the_services_is_said(cloud: type[Cloud]) -> None:
    cloud.keys["bank"] = CryptoSigner.generate_ed25519()
    cloud.names = "hv:{}/3".format
    for uri in ("hv:bank/2", "hv:bank/30"):
        with pytest.raises(InputError, match=f"{uri}: hv:bank/3 is what the service has now"):
            signer(uri)


@pytest.mark.parametrize(
    "uri",
    [
        "azurekms:k",
        "azurekms://v.vault.azure.net/secrets/k",
        "azurekms://v.example.com/keys/k",
        "azurekms://v.vault.azure.net/keys/",
        "azurekms://v.vault.azure.net/keys/k/1/2",
    ],
)
def test_an_azure_uri_is_read_strictly(uri: str, cloud: type[Cloud]) -> None:
    with pytest.raises(InputError, match="azurekms://VAULT"):
        signer(uri)


def test_what_a_client_library_raises_is_one_of_our_errors(cloud: type[Cloud]) -> None:
    with pytest.raises(InputError, match="awskms:none: KeyError: 'none'"):
        signer("awskms:none")


@pytest.mark.parametrize(
    ("uri", "extra"), [("awskms:k", "awskms"), ("gcpkms:k", "gcpkms"), ("hv:k", "vault")]
)
def test_without_the_services_client_library_it_is_named(uri: str, extra: str) -> None:
    """None of them is installed where the tests run."""
    with pytest.raises(InputError, match="UnsupportedLibraryError") as caught:
        signer(uri)
    assert extra in caught.value.hint


@pytest.mark.parametrize(
    ("uri", "module", "extra"),
    [
        ("awskms:k", "securesystemslib", "kms"),
        ("pkcs11:token=t?module-path=/none.so", "PyKCS11", "pkcs11"),
    ],
)
def test_without_the_extra_it_is_named(
    uri: str, module: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [n for n in sys.modules if n.partition(".")[0] == module]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError, match=f"needs the extra '{extra}'"):
        signer(uri, lambda what: "1234")


def test_their_own_signer_of_files_is_wrapped(tmp_path: Path) -> None:
    """securesystemslib's file scheme reads our key files, and our key verifies what it signs."""
    for kind in KINDS[:2]:
        made = new_key(tmp_path / kind.name, kind)
        theirs = _read_by_them(tmp_path / kind.name, made.public.pem)
        by = KmsSigner.wrap("file2:", theirs)
        assert by.public == made.public
        made.public.verify(b"message", by.sign(b"message").sig)
        with pytest.raises(UntrustedError):
            made.public.verify(b"massage", by.sign(b"message").sig)


def _read_by_them(path: Path, pem: bytes) -> Signer:
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    key: Any = load_pem_public_key(pem)
    return Signer.from_priv_key_uri(f"file2:{path}", SSlibKey.from_crypto(key))


def test_ecdsa_of_a_service_is_over_the_sha_256_of_the_message(cloud: type[Cloud]) -> None:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

    theirs = CryptoSigner.generate_ecdsa()
    by = KmsSigner.wrap("awskms:k", theirs)
    key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), by.public.raw)
    digest = hashlib.sha256(b"message").digest()
    key.verify(by.sign(b"message").sig, digest, ec.ECDSA(Prehashed(hashes.SHA256())))
