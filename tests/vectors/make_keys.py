"""Make the vectors of `attest`'s keys: ``python -m tests.vectors.make_keys [VECTORS]``.

``keys/refused/`` holds key files that are to be refused: the name is what each probes, and
``keys/refused.json`` says what the refusal has to say. With the folder of PyPI's
``cryptography_vectors`` (Apache-2.0 or BSD-3-Clause) given, ``keys/known.json`` is taken from it:
RFC 8032's, NIST's and FIPS 204's, each with whether it is to verify.

Not made here but copied: ``keys/composite.json`` says where from; ``keys/sigstore/`` holds a bundle
of sigstore/model-transparency (scripts/tests/v1.1.0-sigstore) and one of sigstore/sigstore-python
(test/assets, bundle_v3), both Apache-2.0.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, mldsa

from credenza.attest import KINDS, PrivateKey
from credenza.attest.der import (
    BIT_STRING,
    OCTET_STRING,
    SEQUENCE,
    algorithm,
    integer,
    oid,
    tlv,
)
from credenza.attest.pem import armour

HERE = Path(__file__).parent / "keys"
ED25519, P256, ML_DSA, HYBRID = KINDS
SECRETS = {kind.name: bytes(range(1, 65 if kind is HYBRID else 33)) for kind in KINDS}
KEYS = {kind.name: PrivateKey(SECRETS[kind.name], kind) for kind in KINDS}
P = 2**255 - 19
SMALL = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551

Refused = Iterator[tuple[str, bytes, str]]


def _spki(algorithm_: bytes, raw: bytes) -> bytes:
    return armour("PUBLIC KEY", tlv(SEQUENCE, algorithm_, tlv(BIT_STRING, b"\0", raw)))


def _ed25519(y: int, sign: int = 0) -> bytes:
    return _spki(ED25519.algorithm, (y | sign << 255).to_bytes(32, "little"))


def _points() -> Refused:
    small = {"0": 0, "1": 1, "minus_1": P - 1, "8a": SMALL, "8b": P - SMALL}
    for name, y in small.items():
        for sign in (0, 1):
            yield f"ed25519_small_order_{name}_{sign}", _ed25519(y, sign), "small order"
    yield "ed25519_not_canonical_p", _ed25519(P), "canonical"
    yield "ed25519_not_canonical_p_plus_18", _ed25519(P + 18), "canonical"
    yield "ed25519_not_on_curve", _ed25519(2), "not on the curve"
    yield "ed25519_31_bytes", _spki(ED25519.algorithm, bytes(31)), "32 bytes expected, 31 found"
    point = KEYS["p256"].public.raw
    compressed = bytes([2 + (point[-1] & 1)]) + point[1:33]
    hybrid_form = bytes([6 + (point[-1] & 1)]) + point[1:]
    yield "p256_compressed", _spki(P256.algorithm, compressed), "65 bytes expected, 33 found"
    yield "p256_hybrid_form", _spki(P256.algorithm, hybrid_form), "uncompressed point"
    yield "p256_infinity", _spki(P256.algorithm, b"\0"), "65 bytes expected, 1 found"
    yield "p256_zeros", _spki(P256.algorithm, b"\4" + bytes(64)), "public key of ECDSA P-256"
    off = point[:-1] + bytes([point[-1] ^ 1])
    yield "p256_not_on_curve", _spki(P256.algorithm, off), "public key of ECDSA P-256"
    big = b"\4" + (2**256 - 1).to_bytes(32, "big") + point[33:]
    yield "p256_x_over_p", _spki(P256.algorithm, big), "public key of ECDSA P-256"
    raw = KEYS["ml-dsa-65"].public.raw
    yield "ml_dsa_65_short", _spki(ML_DSA.algorithm, raw[:-1]), "1952 bytes expected, 1951 found"
    half = KEYS["hybrid"].public.raw
    swapped = half[1952:] + half[:1952]
    yield "hybrid_halves_swapped", _spki(HYBRID.algorithm, swapped), "Ed25519+ML-DSA-65"
    yield "hybrid_stripped_to_ml_dsa", _spki(HYBRID.algorithm, half[:1952]), "1984 bytes expected"
    small_half = half[:1952] + bytes(32)
    yield "hybrid_small_order", _spki(HYBRID.algorithm, small_half), "small order"


def _kinds() -> Refused:
    other = "another kind found"
    subject = serialization.PublicFormat.SubjectPublicKeyInfo
    p384 = ec.derive_private_key(1, ec.SECP384R1()).public_key()
    yield "p384", p384.public_bytes(serialization.Encoding.PEM, subject), other
    smaller = mldsa.MLDSA44PrivateKey.from_seed_bytes(bytes(32)).public_key()
    yield "ml_dsa_44", smaller.public_bytes(serialization.Encoding.PEM, subject), other
    raw = KEYS["ed25519"].public.raw
    yield "x25519", _spki(algorithm("1.3.101.110"), raw), other
    yield "ed25519_null_parameters", _spki(algorithm("1.3.101.112", tlv(5)), raw), other
    older = algorithm("2.16.840.1.114027.80.8.1.30")  # of draft -03
    yield "hybrid_of_an_older_draft", _spki(older, KEYS["hybrid"].public.raw), other
    explicit = algorithm("1.2.840.10045.2.1", tlv(SEQUENCE, integer(1)))
    yield "p256_explicit_curve", _spki(explicit, KEYS["p256"].public.raw), other


def _spellings() -> Refused:
    der, pem = KEYS["ed25519"].public.der, KEYS["ed25519"].public.pem
    label = "PUBLIC KEY"
    yield "der_trailing_byte", armour(label, der + b"\0"), "nothing more expected"
    yield "der_truncated", armour(label, der[:-1]), "longer than what holds it"
    yield "der_long_length", armour(label, b"\x30\x81" + der[1:]), "shortest form"
    yield "der_indefinite_length", armour(label, b"\x30\x80" + der[2:] + b"\0\0"), "shortest form"
    bits = der.replace(b"\x03\x21\x00", b"\x03\x21\x01")
    yield "der_unused_bits", armour(label, bits), "whole bytes"
    extra = tlv(SEQUENCE, der[2:], tlv(5))
    yield "der_third_field", armour(label, extra), "nothing more expected"
    one_block = "one PEM block expected"
    yield "pem_empty", b"", one_block
    yield "pem_two_blocks", pem + pem, one_block
    yield "pem_text_before", b"my key\n" + pem, one_block
    yield "pem_text_after", pem + b"my key\n", one_block
    yield "pem_spaces_after", pem + b" ", one_block
    yield "pem_two_ends", pem + b"\n", one_block
    yield "pem_headers", pem.replace(b"-----\n", b"-----\nProc-Type: 4\n\n", 1), one_block
    yield "pem_other_end", pem.replace(b"END PUBLIC", b"END OTHER"), one_block
    yield "pem_nothing_inside", b"-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n", one_block
    lines = pem.replace(b"\n-----END", b"A==\n-----END")
    yield "pem_no_base64", lines, "in PEM expected"
    short = pem.split(b"\n")
    short[1] = short[1][:10] + b"\n" + short[1][10:]
    yield "pem_short_lines", b"\n".join(short), "lines of 64 characters"
    even = armour(label, KEYS["p256"].public.der)
    last = even.index(b"==") - 1
    stray = even[:last] + bytes([even[last] + 1]) + even[last + 1 :]
    yield "pem_stray_bits", stray, "without stray bits"
    yield "pem_certificate", armour("CERTIFICATE", der), "a block PUBLIC KEY expected"
    yield "pem_rsa_label", armour("RSA PUBLIC KEY", der), "a block PUBLIC KEY expected"


def _private() -> Refused:
    def info(version: int, kind: bytes, octets: bytes, *more: bytes) -> bytes:
        fields = (integer(version), kind, tlv(OCTET_STRING, octets), *more)
        return armour("PRIVATE KEY", tlv(SEQUENCE, *fields))

    secret = SECRETS["ed25519"]
    wrapped = tlv(OCTET_STRING, secret)
    public = tlv(0x81, b"\0", KEYS["ed25519"].public.raw)
    yield "private_version_1", info(1, ED25519.algorithm, wrapped, public), "version 0 expected"
    attributes = tlv(0xA0)
    yield "private_attributes", info(0, ED25519.algorithm, wrapped, attributes), "nothing more"
    yield "private_31_bytes", info(0, ED25519.algorithm, wrapped[:1] + b"\x1f" + secret[1:]), "31"
    yield "private_other_kind", info(0, algorithm("1.3.101.110"), wrapped), "another kind found"
    expanded = mldsa_expanded()
    yield "private_ml_dsa_expanded", info(0, ML_DSA.algorithm, expanded), "tag 0x80 expected"
    yield "private_hybrid_stripped", info(0, HYBRID.algorithm, bytes(32)), "32 bytes found"
    good = P256.wrap(SECRETS["p256"])
    for name, scalar in (("zero", 0), ("order", ORDER)):
        octets = good.replace(SECRETS["p256"], scalar.to_bytes(32, "big"))
        yield f"private_p256_{name}", info(0, P256.algorithm, octets), "between 0 and"
    other = good[:-1] + bytes([good[-1] ^ 1])
    yield "private_p256_other_public", info(0, P256.algorithm, other), "its own public key"
    openssh = armour("OPENSSH PRIVATE KEY", b"openssh-key-v1\0")
    yield "private_openssh", openssh, "OPENSSH PRIVATE KEY found"
    yield "private_sec1", armour("EC PRIVATE KEY", good), "EC PRIVATE KEY found"
    yield "private_two_blocks", KEYS["ed25519"].pem * 2, "one PEM block expected"
    yield "private_public", KEYS["ed25519"].public.pem, "PUBLIC KEY found"


def mldsa_expanded() -> bytes:
    """The privateKey of RFC 9881 that has the expanded key and no seed."""
    return tlv(OCTET_STRING, bytes(4032))


def _encrypted() -> Refused:
    def encrypted(scheme: bytes, data: bytes = bytes(64)) -> bytes:
        return armour("ENCRYPTED PRIVATE KEY", tlv(SEQUENCE, scheme, tlv(OCTET_STRING, data)))

    def pbes2(kdf: bytes, cipher: bytes) -> bytes:
        return algorithm("1.2.840.113549.1.5.13", tlv(SEQUENCE, kdf, cipher))

    def scrypt(n: int, r: int, p: int, *more: bytes) -> bytes:
        fields = (tlv(OCTET_STRING, bytes(16)), integer(n), integer(r), integer(p), *more)
        return algorithm("1.3.6.1.4.1.11591.4.11", tlv(SEQUENCE, *fields))

    def pbkdf2(rounds: int, *more: bytes) -> bytes:
        fields = (tlv(OCTET_STRING, bytes(16)), integer(rounds), *more)
        return algorithm("1.2.840.113549.1.5.12", tlv(SEQUENCE, *fields))

    aes = algorithm("2.16.840.1.101.3.4.1.42", tlv(OCTET_STRING, bytes(16)))
    limit = "at most 256 MiB and 16 passes"
    yield "encrypted_scrypt_of_2_GiB", encrypted(pbes2(scrypt(2**21, 8, 1), aes)), limit
    yield "encrypted_scrypt_of_17_passes", encrypted(pbes2(scrypt(2**14, 8, 17), aes)), limit
    yield "encrypted_scrypt_n_no_power", encrypted(pbes2(scrypt(1000, 8, 1), aes)), limit
    yield "encrypted_scrypt_n_0", encrypted(pbes2(scrypt(0, 8, 1), aes)), limit
    yield "encrypted_scrypt_r_0", encrypted(pbes2(scrypt(16, 0, 1), aes)), limit
    size = pbes2(scrypt(16, 1, 1, integer(16)), aes)
    yield "encrypted_key_of_16_bytes", encrypted(size), "a key of 32 bytes expected"
    rounds = "at most 10000000 rounds"
    yield "encrypted_pbkdf2_10_million_and_1", encrypted(pbes2(pbkdf2(10_000_001), aes)), rounds
    yield "encrypted_pbkdf2_0_rounds", encrypted(pbes2(pbkdf2(0), aes)), rounds
    md5 = algorithm("1.2.840.113549.2.6", tlv(5))
    yield "encrypted_pbkdf2_other_hmac", encrypted(pbes2(pbkdf2(1, md5), aes)), rounds
    des3 = algorithm("1.2.840.113549.3.7", tlv(OCTET_STRING, bytes(8)))
    yield "encrypted_3des", encrypted(pbes2(pbkdf2(1), des3)), "AES in CBC mode expected"
    odd = encrypted(pbes2(pbkdf2(1), aes), bytes(63))
    yield "encrypted_63_bytes", odd, "AES in CBC mode expected"
    yield "encrypted_nothing", encrypted(pbes2(pbkdf2(1), aes), b""), "AES in CBC mode expected"
    pbes1 = tlv(SEQUENCE, oid("1.2.840.113549.1.5.3"), tlv(SEQUENCE))
    yield "encrypted_pbes1", encrypted(pbes1), "PBES2 expected"
    hkdf = pbes2(algorithm("1.2.840.113549.1.9.16.3.28", tlv(SEQUENCE, tlv(OCTET_STRING))), aes)
    yield "encrypted_other_kdf", encrypted(hkdf), "scrypt or PBKDF2 expected"


def _known(source: Path) -> Iterator[dict[str, object]]:
    """Known answers, a few of each kind."""
    base = source / "asymmetric"
    with (base / "Ed25519" / "sign.input").open() as lines:
        for line in islice(lines, 0, 1024, 128):
            secret, public, message, signed = line.split(":")[:4]
            yield _answer("ed25519", public, message, signed[:128], secret=secret[:64])
    section = (base / "ECDSA/FIPS_186-3/SigVer.rsp").read_text().split("[P-256,SHA-256]")[1]
    for block in section.split("[")[0].strip().split("\n\n"):
        field = dict(re.findall(r"^(\w+) = (\S+)", block, re.MULTILINE))
        r, s = int(field["R"], 16), int(field["S"], 16)
        der = tlv(SEQUENCE, integer(r), integer(min(s, ORDER - s)))
        point = "04" + field["Qx"].zfill(64) + field["Qy"].zfill(64)
        yield _answer("p256", point, field["Msg"], der.hex(), verifies=field["Result"] == "P")
    text = (base / "MLDSA" / "kat_MLDSA_65_det_pure.rsp").read_text()
    for block in islice(text.split("count = ")[1:], 2):
        field = dict(re.findall(r"^(\w+) = (\S*)", block, re.MULTILINE))
        signature = field["sm"][: 2 * 3309]
        answer = _answer("ml-dsa-65", field["pk"], field["msg"], signature, secret=field["xi"])
        yield answer | {"context": field["ctx"]}


def _answer(
    kind: str, public: str, message: str, signature: str, *, secret: str = "", verifies: bool = True
) -> dict[str, object]:
    answer = {"kind": kind, "public": public, "message": message, "signature": signature}
    return answer | {"secret": secret, "verifies": verifies}


def main() -> None:
    """Write all of them."""
    shutil.rmtree(HERE / "refused", ignore_errors=True)
    (HERE / "refused").mkdir(parents=True)
    expected = {}
    for made in (_points(), _kinds(), _spellings(), _private(), _encrypted()):
        for name, pem, message in made:
            assert name not in expected, name
            (HERE / "refused" / f"{name}.pem").write_bytes(pem)
            expected[name] = message
    (HERE / "refused.json").write_text(json.dumps(expected, indent=2) + "\n")
    if len(sys.argv) > 1:
        known = list(_known(Path(sys.argv[1])))
        (HERE / "known.json").write_text(json.dumps(known, indent=1) + "\n")


if __name__ == "__main__":
    main()
