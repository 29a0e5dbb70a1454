"""Models, keys, certificates and bundles to sign and to break."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from cryptography.x509.oid import ExtendedKeyUsageOID as Purpose
from cryptography.x509.oid import NameOID

from credenza.attest import IN_TOTO, Envelope
from credenza.seal.oms import CertificateTrust, KeyTrust, PrivateKey

NOW = dt.datetime(2026, 11, 24, tzinfo=dt.UTC)
KEY = ec.derive_private_key(1001, ec.SECP256R1())
OTHER = ec.derive_private_key(1002, ec.SECP256R1())
ROOT_KEY = ec.derive_private_key(1003, ec.SECP384R1())
MIDDLE_KEY = ec.derive_private_key(1004, ec.SECP256R1())
SIGNER = PrivateKey(KEY)
TRUST = KeyTrust((KEY.public_key(),))
ANNA = "anna@example.com"

FILES = {
    "a/b": b"one",
    "a-c": b"two",
    "a.b": b"three",
    "config.json": b'{"classes": 10}',
    "weights.bin": bytes(i * i % 251 for i in range(2500)),
}
"""Names that sort in one way as texts and in another by their parts."""


def write_model(folder: Path, files: dict[str, bytes] | None = None) -> Path:
    model = folder / "reader"
    for name, data in (FILES if files is None else files).items():
        (model / name).parent.mkdir(parents=True, exist_ok=True)
        (model / name).write_bytes(data)
    return model


def write_keys(folder: Path, key: ec.EllipticCurvePrivateKey = KEY) -> tuple[Path, Path]:
    """The key and its public half as PEM files."""
    private, public = folder / "key.pem", folder / "key.pub"
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    spki = PublicFormat.SubjectPublicKeyInfo
    public.write_bytes(key.public_key().public_bytes(Encoding.PEM, spki))
    return private, public


def write_pem(path: Path, *certificates: x509.Certificate) -> Path:
    path.write_bytes(b"".join(c.public_bytes(Encoding.PEM) for c in certificates))
    return path


# --- certificates ------------------------------------------------------------------------------


def usage(*names: str) -> x509.KeyUsage:
    every = (
        "digital_signature content_commitment key_encipherment data_encipherment key_agreement "
        "key_cert_sign crl_sign encipher_only decipher_only"
    )
    return x509.KeyUsage(**{name: name in names for name in every.split()})


def certificate(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: str,
    issuer_key: ec.EllipticCurvePrivateKey,
    *extensions: tuple[x509.ExtensionType, bool],
    days: tuple[int, int] = (-10, 1000),
    hash_: hashes.SHA256 | hashes.SHA224 | None = None,
) -> x509.Certificate:
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(int.from_bytes(hashlib.sha256(f"{name}{days}".encode()).digest()[:8]))
        .not_valid_before(NOW + dt.timedelta(days=days[0]))
        .not_valid_after(NOW + dt.timedelta(days=days[1]))
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    return builder.sign(issuer_key, hash_ or hashes.SHA256(), ecdsa_deterministic=True)


CA = (x509.BasicConstraints(ca=True, path_length=None), True)
ISSUES = (usage("key_cert_sign"), True)
SIGNS = (usage("digital_signature"), True)
FOR_CODE = (x509.ExtendedKeyUsage([Purpose.CODE_SIGNING]), False)
NAMED = (x509.SubjectAlternativeName([x509.RFC822Name(ANNA)]), False)

ROOT = certificate("root", ROOT_KEY, "root", ROOT_KEY, CA, ISSUES)
MIDDLE = certificate("middle", MIDDLE_KEY, "root", ROOT_KEY, CA, ISSUES)


def leaf(
    *extensions: tuple[x509.ExtensionType, bool], days: tuple[int, int] = (-10, 1000)
) -> x509.Certificate:
    """Anna's, by the middle issuer; an honest one where no extension is given."""
    honest = extensions or (SIGNS, FOR_CODE, NAMED)
    return certificate("anna", KEY, "middle", MIDDLE_KEY, *honest, days=days)


LEAF = leaf()
CERTIFICATE_TRUST = CertificateTrust((ROOT,), (ANNA,))


# --- bundles -----------------------------------------------------------------------------------


def statement_of(signature: Path) -> dict[str, Any]:
    payload = json.loads(signature.read_bytes())["dsseEnvelope"]["payload"]
    statement = json.loads(base64.b64decode(payload))
    assert isinstance(statement, dict)
    return statement


def sign_statement(
    statement: dict[str, Any] | bytes,
    key: ec.EllipticCurvePrivateKey = KEY,
    chain: Sequence[x509.Certificate] = (),
) -> dict[str, Any]:
    """A bundle over any statement at all, signed well: without our writer, which would refuse."""
    payload = statement if isinstance(statement, bytes) else json.dumps(statement).encode()
    message = Envelope(payload, IN_TOTO, ()).signed_bytes
    algorithm = {256: hashes.SHA256(), 384: hashes.SHA384(), 521: hashes.SHA512()}[key.key_size]
    sig = key.sign(message, ec.ECDSA(algorithm, deterministic_signing=True))
    spki = PublicFormat.SubjectPublicKeyInfo
    pem = key.public_key().public_bytes(Encoding.PEM, spki)
    material: dict[str, Any] = {"publicKey": {"hint": hashlib.sha256(pem).hexdigest()}}
    if chain:
        ders = [c.public_bytes(Encoding.DER) for c in chain]
        raw = [{"rawBytes": base64.b64encode(der).decode()} for der in ders]
        material = {"x509CertificateChain": {"certificates": raw}}
    return {
        "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
        "verificationMaterial": {**material, "tlogEntries": []},
        "dsseEnvelope": {
            "payload": base64.b64encode(payload).decode(),
            "payloadType": IN_TOTO,
            "signatures": [{"sig": base64.b64encode(sig).decode(), "keyid": ""}],
        },
    }


def statement(files: dict[str, bytes] | None = None, **serialization: Any) -> dict[str, Any]:
    """What an honest signer says of the files, by whole files and SHA-256."""
    found = FILES if files is None else files
    digests = {name: hashlib.sha256(data).digest() for name, data in sorted(found.items())}
    root = hashlib.sha256(b"".join(digests.values())).hexdigest()
    how = {"method": "files", "hash_type": "sha256", "allow_symlinks": False, **serialization}
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "reader", "digest": {"sha256": root}}],
        "predicateType": "https://model_signing/signature/v1.0",
        "predicate": {
            "serialization": how,
            "resources": [
                {"name": name, "algorithm": "sha256", "digest": digest.hex()}
                for name, digest in digests.items()
            ],
        },
    }


def rooted(changed: dict[str, Any]) -> dict[str, Any]:
    """The statement with the model digest of its resources as they are now."""
    joined = b"".join(bytes.fromhex(r["digest"]) for r in changed["predicate"]["resources"])
    changed["subject"][0]["digest"] = {"sha256": hashlib.sha256(joined).hexdigest()}
    return changed


Change = Callable[[dict[str, Any]], object]
