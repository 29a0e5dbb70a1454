"""Keys in a hardware token: PKCS #11, through PyKCS11 (extra ``pkcs11``)."""

from __future__ import annotations

import contextlib
import functools
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, final

from credenza.attest.asking import Ask
from credenza.attest.der import OCTET_STRING, Reader, oid
from credenza.attest.envelope import Signature
from credenza.attest.keys import PublicKey
from credenza.attest.kinds import ED25519, P256_KIND
from credenza.attest.kinds.p256 import signature_of
from credenza.attest.signers.checked import checked
from credenza.attest.signers.pkcs11_uri import Pkcs11Uri
from credenza.errors import InputError, MissingExtraError

if TYPE_CHECKING:
    import PyKCS11

_P256_PARAMETERS = oid("1.2.840.10045.3.1.7")
_ED25519_PARAMETERS = (oid("1.3.101.112"), b"\x13\x0cedwards25519")  # PKCS #11 v3.0, 2.3.10


@final
@dataclass(frozen=True, slots=True)
class Pkcs11Signer:
    """A key on a token. Each signature logs in, signs, and logs out."""

    uri: Pkcs11Uri
    public: PublicKey
    pin: str = field(repr=False)

    @classmethod
    def open(cls, uri: str, ask: Ask) -> Pkcs11Signer:
        """Find the token and the key, and read its public half. The PIN is asked for once.

        Raises `InputError` where not exactly one token and one key are what the URI says, or the
        PIN is wrong, or the key is neither ECDSA P-256 nor Ed25519; `MissingExtraError` without
        PyKCS11.
        """
        parsed = Pkcs11Uri.parse(uri)
        pin = parsed.pin
        if pin is None:
            pin = ask(f"PIN of {_named(parsed)}")
        if not pin:
            raise InputError(f"{_named(parsed)}: a PIN expected, none given")
        with _session(parsed, pin) as session:
            return cls(parsed, _public(session, _private(session, parsed)), pin)

    def sign(self, message: bytes) -> Signature:
        """A signature over ``message``. Raises `InputError` where the token makes none."""
        import PyKCS11

        with _session(self.uri, self.pin) as session:
            private = _private(session, self.uri)
            if self.public.kind is ED25519:
                mechanism = PyKCS11.Mechanism(PyKCS11.CKM_EDDSA, None)
                signature = bytes(session.sign(private, message, mechanism))
            else:
                mechanism = PyKCS11.Mechanism(PyKCS11.CKM_ECDSA, None)
                digest = hashlib.sha256(message).digest()
                signature = _der(bytes(session.sign(private, digest, mechanism)))
        return checked(self.public, message, signature, _named(self.uri))


@functools.cache
def _module(path: str) -> PyKCS11.PyKCS11Lib:
    """The module, loaded once: closing one handle on it would close all of them."""
    try:
        import PyKCS11
    except ImportError as e:
        raise MissingExtraError("a key on a PKCS #11 token", "pkcs11") from e
    module = PyKCS11.PyKCS11Lib()
    try:
        module.load(path)
    except PyKCS11.PyKCS11Error as e:
        raise InputError(f"pkcs11: {path}: no PKCS #11 module that can be loaded") from e
    return module


@contextlib.contextmanager
def _session(uri: Pkcs11Uri, pin: str) -> Iterator[PyKCS11.Session]:
    """A session on the one token that the URI names, logged in."""
    module = _module(uri.module_path)
    import PyKCS11

    try:
        session = module.openSession(_slot(module, uri), PyKCS11.CKF_SERIAL_SESSION)
        try:
            session.login(pin)
            yield session
        finally:
            session.closeSession()
    except PyKCS11.PyKCS11Error as e:
        wrong = e.value in (PyKCS11.CKR_PIN_INCORRECT, PyKCS11.CKR_PIN_LEN_RANGE)
        raise InputError(f"{_named(uri)}: {'the PIN is wrong' if wrong else e}") from e


def _slot(module: PyKCS11.PyKCS11Lib, uri: Pkcs11Uri) -> int:
    fields = {"token": "label", "manufacturer": "manufacturerID", "serial": "serialNumber"}
    found = []
    for slot in module.getSlotList(tokenPresent=True):
        info = module.getTokenInfo(slot)
        said = [getattr(info, fields.get(name, name)).rstrip(" \0") for name, _ in uri.token]
        if uri.slot in (None, slot) and said == [value for _, value in uri.token]:
            found.append(slot)
    if len(found) != 1:
        raise InputError(f"{_named(uri)}: one such token expected, {len(found)} found")
    return int(found[0])


def _private(session: PyKCS11.Session, uri: Pkcs11Uri) -> Any:
    """The one private key that the URI names."""
    import PyKCS11

    template: list[tuple[int, Any]] = [(PyKCS11.CKA_CLASS, PyKCS11.CKO_PRIVATE_KEY)]
    if uri.label is not None:
        template.append((PyKCS11.CKA_LABEL, uri.label))
    if uri.id is not None:
        template.append((PyKCS11.CKA_ID, uri.id))
    found = session.findObjects(template)
    if len(found) != 1:
        raise InputError(f"{_named(uri)}: one such private key expected, {len(found)} found")
    return found[0]


def _public(session: PyKCS11.Session, private: Any) -> PublicKey:
    """The public half: the public key on the token that has the private one's id."""
    import PyKCS11

    [key_id] = session.getAttributeValue(private, [PyKCS11.CKA_ID])
    template = [(PyKCS11.CKA_CLASS, PyKCS11.CKO_PUBLIC_KEY), (PyKCS11.CKA_ID, bytes(key_id or ()))]
    found = session.findObjects(template)
    if len(found) != 1:
        raise InputError(
            f"pkcs11: one public key with the private one's id expected, {len(found)} found"
        )
    wanted = [PyKCS11.CKA_EC_PARAMS, PyKCS11.CKA_EC_POINT]
    parameters, point = (bytes(v or ()) for v in session.getAttributeValue(found[0], wanted))
    if parameters == _P256_PARAMETERS:
        kind = P256_KIND
    elif parameters in _ED25519_PARAMETERS:
        kind = ED25519
    else:
        raise InputError("pkcs11: a key of ECDSA P-256 or Ed25519 expected, another kind found")
    try:
        reader = Reader(point)
        raw = reader.take(OCTET_STRING)
        reader.end()
    except ValueError as e:
        raise InputError(f"pkcs11: the public key is not well-formed: {e}") from e
    return PublicKey(raw, kind)


def _der(signature: bytes) -> bytes:
    """The token's r and s of 32 bytes each as the signature's one spelling."""
    if len(signature) != 64:
        raise InputError(f"pkcs11: a signature of 64 bytes expected, {len(signature)} found")
    return signature_of(
        int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    )


def _named(uri: Pkcs11Uri) -> str:
    parts = [f"{name}={value}" for name, value in uri.token]
    parts += [f"slot-id={uri.slot}"] if uri.slot is not None else []
    parts += [f"object={uri.label}"] if uri.label is not None else []
    parts += [f"id={uri.id.hex()}"] if uri.id is not None else []
    return "pkcs11:" + ";".join(parts)
