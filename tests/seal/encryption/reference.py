"""Decrypting straight from docs/formats/encrypted.md and RFC 9180: no code of the package.

Uses primitives alone: HMAC, AES-GCM on a whole message, X25519, ML-KEM-768. HPKE and HKDF are
spelled out here, so that neither ours nor the library's vouches for itself.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

MEBI = 1048576


def decrypt(
    folder: Path, x25519: X25519PrivateKey, mlkem: MLKEM768PrivateKey | None = None
) -> tuple[int, bytes, dict[str, bytes]]:
    """The kind, the seal file, and each file of the model by its path."""
    header = json.loads((folder / "credenza.encrypted").read_bytes())
    container = bytes.fromhex(header["container"])
    secret = _data_key(header, container, x25519, mlkem)
    prk = _hmac(container, secret)
    text = (folder / "credenza.encrypted").read_bytes()
    covered = text[: text.index(b',"mac":')] + b"}"
    assert _hmac(_purpose(prk, b"header"), covered).hex() == header["mac"]

    payload = (folder / "payload").read_bytes()
    sizes = _stream(payload, 0, 16, MEBI, prk, container, bytes(32), 0)
    size, total = (int.from_bytes(sizes[i : i + 8], "little") for i in (0, 8))
    assert total == len(payload)
    metadata = _stream(payload, 32, size, MEBI, prk, container, bytes(32), 1)
    at = 32 + size + 16 * -(-size // MEBI)

    statement = json.loads(base64.b64decode(json.loads(metadata[1:])["payload"]))
    [subject] = statement["subject"]
    [root] = (bytes.fromhex(digest) for digest in subject["digest"].values())
    files: dict[str, bytes] = {}
    number = 2
    for file in statement["predicate"]["files"]:
        starts = [s["start"] for s in file["segments"]] + [file["size"]]
        data = b""
        for segment, start, stop in zip(file["segments"], starts, starts[1:], strict=False):
            step = max(MEBI // segment["chunk"], 1) * segment["chunk"]
            data += _stream(payload, at, stop - start, step, prk, container, root, number)
            at += stop - start + 16 * -(-(stop - start) // step)
            number += 1
        files[file["path"]] = data
    assert at == len(payload)
    return metadata[0], metadata[1:], files


def _stream(
    payload: bytes, at: int, size: int, step: int, prk: bytes, container: bytes, root: bytes, n: int
) -> bytes:
    key = _purpose(prk, b"stream " + _u(n))
    count = -(-size // step)
    plain = b""
    for i in range(count):
        length = min(step, size - i * step) + 16
        last = bytes([i == count - 1])
        nonce = i.to_bytes(11, "big") + last
        bound = container + root + _u(n) + _u(i) + _u(count) + last
        plain += AESGCM(key).decrypt(nonce, payload[at : at + length], bound)
        at += length
    return plain


def _data_key(
    header: Any, container: bytes, x25519: X25519PrivateKey, mlkem: MLKEM768PrivateKey | None
) -> bytes:
    kem = "X25519" if mlkem is None else "MLKEM768-X25519"
    info = b"credenza encrypted v1 recipient " + container + kem.encode()
    for recipient in header["recipients"]:
        if recipient["kem"] == kem:
            wrapped = base64.b64decode(recipient["wrapped"])
            try:
                return hpke_open(wrapped, info, x25519, mlkem)
            except Exception:  # noqa: BLE001, S112  another recipient's
                continue
    raise AssertionError("not a recipient")


def hpke_open(
    wrapped: bytes, info: bytes, x25519: X25519PrivateKey, mlkem: MLKEM768PrivateKey | None
) -> bytes:
    """RFC 9180, section 6.1: SingleShot Open in base mode, HKDF-SHA256, AES-256-GCM."""
    if mlkem is None:
        kem_id, enc, sealed = 0x0020, wrapped[:32], wrapped[32:]
        shared = dhkem(enc, x25519)
    else:
        kem_id, enc, sealed = 0x647A, wrapped[:1120], wrapped[1120:]
        shared = _x_wing(enc, x25519, mlkem)
    suite = b"HPKE" + kem_id.to_bytes(2, "big") + b"\0\1" + b"\0\2"
    context = b"\0" + _extract(suite, b"", b"psk_id_hash", b"")
    context += _extract(suite, b"", b"info_hash", info)
    secret = _extract(suite, shared, b"secret", b"")
    key = _expand(suite, secret, b"key", context, 32)
    nonce = _expand(suite, secret, b"base_nonce", context, 12)
    return AESGCM(key).decrypt(nonce, sealed, b"")


def dhkem(enc: bytes, key: X25519PrivateKey) -> bytes:
    """RFC 9180, section 4.1: Decap of DHKEM(X25519, HKDF-SHA256)."""
    suite = b"KEM\x00\x20"
    shared = key.exchange(X25519PublicKey.from_public_bytes(enc))
    prk = _extract(suite, b"", b"eae_prk", shared)
    context = enc + key.public_key().public_bytes_raw()
    return _expand(suite, prk, b"shared_secret", context, 32)


def _x_wing(enc: bytes, x25519: X25519PrivateKey, mlkem: MLKEM768PrivateKey) -> bytes:
    r"""draft-connolly-cfrg-xwing-kem: SHA3-256 over both secrets, and the label ``\.//^\``."""
    first = mlkem.decapsulate(enc[:1088])
    second = x25519.exchange(X25519PublicKey.from_public_bytes(enc[1088:]))
    mine = x25519.public_key().public_bytes_raw()
    return hashlib.sha3_256(first + second + enc[1088:] + mine + rb"\.//^" + b"\\").digest()


def _extract(suite: bytes, salt: bytes, label: bytes, ikm: bytes) -> bytes:
    return _hmac(salt or bytes(32), b"HPKE-v1" + suite + label + ikm)


def _expand(suite: bytes, prk: bytes, label: bytes, info: bytes, length: int) -> bytes:
    assert length <= 32
    message = length.to_bytes(2, "big") + b"HPKE-v1" + suite + label + info
    return _hmac(prk, message + b"\1")[:length]


def _purpose(prk: bytes, purpose: bytes) -> bytes:
    return _hmac(prk, b"credenza encrypted v1 " + purpose + b"\1")


def _hmac(key: bytes, message: bytes) -> bytes:
    return hmac.new(key, message, hashlib.sha256).digest()


def _u(number: int) -> bytes:
    return number.to_bytes(8, "little")
