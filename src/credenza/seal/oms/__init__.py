"""OpenSSF Model Signing, both ways: signatures that others verify, and theirs verified strictly.

What a user types, and where the specification, its widespread tool and we differ: docs/oms.md.
"""

from credenza.seal.oms.hashes import Hash
from credenza.seal.oms.interface import Signer, Trust
from credenza.seal.oms.keyless import SigstoreTrust
from credenza.seal.oms.keys import KeySigner, PrivateKey
from credenza.seal.oms.manifest import Manifest, Resource
from credenza.seal.oms.signing import SHARD_SIZE, sign
from credenza.seal.oms.trust import (
    CertificateTrust,
    KeyTrust,
    VerifiedManifest,
    read_certificates,
    read_trust,
)
from credenza.seal.oms.verifying import VerifiedModel, read_signature, verify

__all__ = [
    "SHARD_SIZE",
    "CertificateTrust",
    "Hash",
    "KeySigner",
    "KeyTrust",
    "Manifest",
    "PrivateKey",
    "Resource",
    "Signer",
    "SigstoreTrust",
    "Trust",
    "VerifiedManifest",
    "VerifiedModel",
    "read_certificates",
    "read_signature",
    "read_trust",
    "sign",
    "verify",
]
