"""Private keys: PKCS#8 (RFC 5958), and encrypted (PBES2 of RFC 8018).

We write scrypt (RFC 7914) and AES-256-CBC, and read PBKDF2 and shorter AES keys too, which is what
OpenSSL writes.
"""

from __future__ import annotations

import hashlib
import os

from credenza.attest.der import (
    INTEGER,
    NULL,
    OBJECT_IDENTIFIER,
    OCTET_STRING,
    SEQUENCE,
    Reader,
    algorithm,
    integer,
    oid,
    tlv,
)
from credenza.attest.kinds import Kind, kind_of

_PBES2 = oid("1.2.840.113549.1.5.13")
_SCRYPT = oid("1.3.6.1.4.1.11591.4.11")
_PBKDF2 = oid("1.2.840.113549.1.5.12")
_AES_CBC = {oid(f"2.16.840.1.101.3.4.1.{arc}"): size for arc, size in ((2, 16), (22, 24), (42, 32))}
_HMACS = {
    algorithm(f"1.2.840.113549.2.{arc}", tlv(NULL)): name
    for arc, name in ((7, "sha1"), (9, "sha256"), (11, "sha512"))
}

# OpenSSL reads scrypt of at most 32 MiB; five passes make up for the memory: OWASP's Password
# Storage Cheat Sheet holds (2^14, 8, 5) to be worth (2^17, 8, 1).
_N, _R, _P = 2**14, 8, 5
_MOST_MEMORY = 256 * 2**20
_MOST_ROUNDS = 10_000_000


def private_key_info(kind: Kind, secret: bytes) -> bytes:
    """The DER of an unencrypted PKCS#8 private key."""
    wrapped = tlv(OCTET_STRING, kind.wrap(secret))
    return tlv(SEQUENCE, integer(0), kind.algorithm, wrapped)


def read_private_key_info(der: bytes) -> tuple[Kind, bytes]:
    """The kind and the secret. Raises `ValueError` for any but the spelling that we write."""
    outer = Reader(der)
    fields = outer.sequence()
    outer.end()
    if fields.integer() != 0:
        raise ValueError("PKCS#8 of version 0 expected")
    kind = kind_of(fields.whole(SEQUENCE))
    secret = kind.unwrap(fields.take(OCTET_STRING))
    fields.end()
    return kind, secret


def encrypt(der: bytes, password: bytes) -> bytes:
    """The DER of an EncryptedPrivateKeyInfo that holds ``der``."""
    salt, iv = os.urandom(16), os.urandom(16)
    kdf = algorithm(
        "1.3.6.1.4.1.11591.4.11",
        tlv(SEQUENCE, tlv(OCTET_STRING, salt), integer(_N), integer(_R), integer(_P)),
    )
    cipher = algorithm("2.16.840.1.101.3.4.1.42", tlv(OCTET_STRING, iv))
    scheme = algorithm("1.2.840.113549.1.5.13", tlv(SEQUENCE, kdf, cipher))
    padding = 16 - len(der) % 16
    key = _scrypt(password, salt, _N, _R, _P, 32)
    encrypted = _aes_cbc(key, iv, der + bytes([padding]) * padding, encrypting=True)
    return tlv(SEQUENCE, scheme, tlv(OCTET_STRING, encrypted))


def decrypt(der: bytes, password: bytes) -> bytes:
    """What an EncryptedPrivateKeyInfo holds, or, for a wrong password, most likely something else.

    Raises `ValueError` for an encryption that is not one of those above, or that would cost more
    than 256 MiB or ten million rounds, and `PasswordError` where the padding shows that the
    password is wrong.
    """
    outer = Reader(der)
    fields = outer.sequence()
    outer.end()
    scheme = fields.sequence()
    encrypted = fields.take(OCTET_STRING)
    fields.end()
    if scheme.whole(OBJECT_IDENTIFIER) != _PBES2:
        raise ValueError("PBES2 expected")
    parameters = scheme.sequence()
    scheme.end()
    kdf, cipher = parameters.sequence(), parameters.sequence()
    parameters.end()
    size = _AES_CBC.get(cipher.whole(OBJECT_IDENTIFIER))
    iv = cipher.take(OCTET_STRING)
    cipher.end()
    if size is None or len(iv) != 16 or not encrypted or len(encrypted) % 16:
        raise ValueError("AES in CBC mode expected")
    key = _derived(kdf, password, size)
    padded = _aes_cbc(key, iv, encrypted, encrypting=False)
    padding = padded[-1]
    if not 1 <= padding <= 16 or padded[-padding:] != bytes([padding]) * padding:
        raise PasswordError
    return padded[:-padding]


class PasswordError(ValueError):
    """The password is wrong."""


def _derived(kdf: Reader, password: bytes, size: int) -> bytes:
    """The key, by the AlgorithmIdentifier of a key derivation function."""
    name = kdf.whole(OBJECT_IDENTIFIER)
    parameters = kdf.sequence()
    kdf.end()
    salt = parameters.take(OCTET_STRING)
    if name == _SCRYPT:
        n, r, p = parameters.integer(), parameters.integer(), parameters.integer()
        _optional_size(parameters, size)
        parameters.end()
        if n < 2 or n & (n - 1) or not 1 <= p <= 16 or not 1 <= r <= _MOST_MEMORY // 128 // n:
            raise ValueError("scrypt of at most 256 MiB and 16 passes expected")
        return _scrypt(password, salt, n, r, p, size)
    if name == _PBKDF2:
        rounds = parameters.integer()
        _optional_size(parameters, size)
        named = parameters.next_is(SEQUENCE)
        prf = _HMACS.get(parameters.whole(SEQUENCE)) if named else "sha1"
        parameters.end()
        if not 1 <= rounds <= _MOST_ROUNDS or prf is None:
            raise ValueError(f"PBKDF2 with HMAC-SHA and at most {_MOST_ROUNDS} rounds expected")
        return hashlib.pbkdf2_hmac(prf, password, salt, rounds, size)
    raise ValueError("scrypt or PBKDF2 expected")


def _optional_size(parameters: Reader, size: int) -> None:
    if parameters.next_is(INTEGER) and parameters.integer() != size:
        raise ValueError(f"a key of {size} bytes expected")


def _scrypt(password: bytes, salt: bytes, n: int, r: int, p: int, size: int) -> bytes:
    memory = 128 * r * (n + p + 2) + 2**20
    return hashlib.scrypt(password, salt=salt, n=n, r=r, p=p, maxmem=memory, dklen=size)


def _aes_cbc(key: bytes, iv: bytes, data: bytes, *, encrypting: bool) -> bytes:
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    cipher = Cipher(algorithms.AES(key), modes.CBC(iv))
    context = cipher.encryptor() if encrypting else cipher.decryptor()
    return context.update(data) + context.finalize()
