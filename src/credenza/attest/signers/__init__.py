"""Signers by URI. A new scheme is one file, and one line in the table.

What a user types for each: docs/attest.md.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote

from credenza.attest.asking import Ask, nobody
from credenza.attest.keys import BEGIN_PUBLIC, LARGEST_KEY_FILE, PrivateKey, PublicKey
from credenza.attest.signers.interface import KeySigner
from credenza.errors import InputError
from credenza.files import read_whole

__all__ = ["KeySigner", "public_key", "signer"]


def signer(uri: str, ask: Ask = nobody) -> KeySigner:
    """What signs with the key that the URI names: a scheme of the table, or a file's path.

    ``ask`` is asked for a password or a PIN where one is needed. Raises `InputError` where there is
    no such key, or it is of no kind that is known, `MissingExtraError` where the scheme needs an
    extra that is not installed.
    """
    scheme = uri.partition(":")[0].lower()
    return _SCHEMES.get(scheme, _path)(uri, ask)


def public_key(uri: str, ask: Ask = nobody) -> PublicKey:
    """The public half of the key that the URI names; a file may hold either half.

    Raises as `signer` does.
    """
    path = _path_of(uri)
    if path is not None:
        pem = read_whole(path, limit=LARGEST_KEY_FILE)
        if BEGIN_PUBLIC in pem:
            return PublicKey.parse(pem, name=str(path))
    return signer(uri, ask).public


def _path_of(uri: str) -> Path | None:
    """The file that the URI names, or none where it names something else than a file."""
    scheme, _, rest = uri.partition(":")
    if scheme.lower() == "file":
        for start in ("//localhost/", "///"):  # RFC 8089
            if rest.startswith(start):
                rest = "/" + rest.removeprefix(start)
        if rest.startswith("//"):
            raise InputError(f"{uri}: file:PATH expected, another machine's file found")
        return Path(unquote(rest))
    return None if scheme.lower() in _SCHEMES else Path(uri)


def _path(uri: str, ask: Ask) -> KeySigner:
    path = _path_of(uri)
    if path is None:
        raise InputError(f"{uri}: a file's path expected")
    return PrivateKey.read(path, ask)


def _pkcs11(uri: str, ask: Ask) -> KeySigner:
    from credenza.attest.signers.pkcs11 import Pkcs11Signer

    return Pkcs11Signer.open(uri, ask)


def _kms(uri: str, ask: Ask) -> KeySigner:
    from credenza.attest.signers.kms import KmsSigner

    return KmsSigner.open(uri, ask)


_SCHEMES: dict[str, Callable[[str, Ask], KeySigner]] = {
    "file": _path,
    "pkcs11": _pkcs11,
    "awskms": _kms,
    "gcpkms": _kms,
    "azurekms": _kms,
    "hv": _kms,
}
