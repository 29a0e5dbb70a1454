"""From a signer's certificate to a certificate that the user trusts, and what it must be for.

A walk of RFC 5280, section 6.1, over the certificates that a bundle brings, without name
constraints and policies: a certificate that asks for them is refused. The system's roots are
never asked; trust is what the user gives. Revocation lists are not fetched.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Final, NoReturn, TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from credenza.errors import InputError, UntrustedError

Certificate = x509.Certificate
T = TypeVar("T", bound=x509.ExtensionType)

_LONGEST = 8
"""Certificates in a chain; and `_MOST_STEPS` issuers are tried altogether."""

_MOST_STEPS = 64
_HASHES: Final = frozenset({"sha256", "sha384", "sha512", "sha3-256", "sha3-384", "sha3-512"})
_CURVES: Final = frozenset({"secp256r1", "secp384r1", "secp521r1"})
_SMALLEST_RSA = 2048
_UNDERSTOOD: Final = (
    x509.BasicConstraints,
    x509.KeyUsage,
    x509.ExtendedKeyUsage,
    x509.SubjectAlternativeName,
    x509.AuthorityKeyIdentifier,
    x509.SubjectKeyIdentifier,
    x509.CertificatePolicies,  # any policy will do, so nothing is to be checked
)
_BAD: Final = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)


def load(der: bytes) -> Certificate:
    """A certificate from DER. Raises `InputError` for anything else."""
    try:
        certificate = x509.load_der_x509_certificate(der)
        _ = (certificate.extensions, certificate.subject, certificate.issuer, certificate.version)
        _ = (certificate.signature_hash_algorithm, certificate.public_key())
    except _BAD as e:
        raise InputError(f"bundle: a certificate (X.509, DER) expected: {e}") from e
    return certificate


def check_chain(
    leaf: Certificate,
    others: Sequence[Certificate],
    anchors: Sequence[Certificate],
    now: dt.datetime,
) -> None:
    """Find a way from ``leaf`` to one of ``anchors``, through ``others`` in any order.

    ``leaf`` may be an anchor itself. Raises `UntrustedError` where there is no way, with the
    reason why the one that came farthest ended: validity at ``now``, key usage, constraints,
    weak algorithms, or an issuer that is neither there nor trusted.
    """
    walk = _Walk(others, anchors, now)
    try:
        _check_leaf(leaf)
        found = walk.arrives((leaf,))
    except _BAD as e:  # the rest of a certificate is parsed as it is asked for
        raise UntrustedError(f"certificate {_named(leaf)}, or one above it: {e}") from e
    if not found:
        raise UntrustedError(walk.reason)


def check_signer(leaf: Certificate, now: dt.datetime) -> None:
    """Refuse to sign by a certificate that no verifier should take. Raises `InputError`."""
    try:
        _check_leaf(leaf)
        _check_certificate(leaf, now)
    except (UntrustedError, *_BAD) as e:
        raise InputError(f"sign: {e}") from e


def names(leaf: Certificate) -> tuple[str, ...]:
    """Who the certificate says its owner is: alternative names, then the subject (RFC 4514)."""
    found: list[str] = []
    try:
        alternative = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        pass
    else:
        for kind in (x509.RFC822Name, x509.UniformResourceIdentifier, x509.DNSName):
            found.extend(alternative.get_values_for_type(kind))
    subject = leaf.subject.rfc4514_string()
    return (*found, subject) if subject else tuple(found)


class _Walk:
    """Depth first, with a count of steps, so that a bundle cannot make it long."""

    def __init__(
        self, others: Sequence[Certificate], anchors: Sequence[Certificate], now: dt.datetime
    ) -> None:
        self._anchors = frozenset(anchors)
        self._pool = tuple(dict.fromkeys((*anchors, *others)))
        self._now = now
        self._steps = 0
        self.reason = ""

    def arrives(self, path: tuple[Certificate, ...]) -> bool:
        """Whether the last of ``path``, whose links so far hold, leads on to an anchor."""
        last = path[-1]
        try:
            _check_certificate(last, self._now)
            if len(path) > 1:
                _check_issuer(last, path)
        except UntrustedError as e:
            self.reason = str(e)
            return False
        if last in self._anchors:
            return True
        if not self.reason:
            self.reason = f"certificate {_named(last)}: its issuer is not among the trusted ones"
        if len(path) == _LONGEST:
            return False
        return any(self._issued(last, c) and self.arrives((*path, c)) for c in self._after(path))

    def _after(self, path: tuple[Certificate, ...]) -> list[Certificate]:
        issuer = path[-1].issuer
        return [c for c in self._pool if c not in path and c.subject == issuer]

    def _issued(self, certificate: Certificate, issuer: Certificate) -> bool:
        self._steps += 1
        if self._steps > _MOST_STEPS:
            return False
        try:
            certificate.verify_directly_issued_by(issuer)
        except (InvalidSignature, *_BAD):
            self.reason = f"certificate {_named(certificate)}: its issuer did not sign it"
            return False
        return True


def _check_leaf(leaf: Certificate) -> None:
    """It signs, it is for code, and it makes no further certificates."""
    usage = _extension(leaf, x509.KeyUsage)
    if usage is None or not usage.digital_signature:
        _refuse(leaf, "key usage digitalSignature expected")
    if usage.key_cert_sign:
        _refuse(leaf, "a signer's certificate expected, it issues certificates")
    purposes = _extension(leaf, x509.ExtendedKeyUsage)
    if purposes is None or ExtendedKeyUsageOID.CODE_SIGNING not in purposes:
        _refuse(leaf, "extended key usage codeSigning expected")


def _check_certificate(certificate: Certificate, now: dt.datetime) -> None:
    """What holds for each: valid now, nothing critical that is not understood, strong enough."""
    if certificate.version is not x509.Version.v3:
        _refuse(certificate, "version 3 expected")
    start, stop = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if not start <= now <= stop:
        _refuse(certificate, f"it is valid from {start:%Y-%m-%d} to {stop:%Y-%m-%d}, not now")
    for extension in certificate.extensions:
        constrains = isinstance(extension.value, x509.NameConstraints | x509.PolicyConstraints)
        if constrains or (extension.critical and not isinstance(extension.value, _UNDERSTOOD)):
            name = extension.oid.dotted_string
            _refuse(certificate, f"extension {name} cannot be honoured")
    hash_ = certificate.signature_hash_algorithm
    if hash_ is not None and hash_.name not in _HASHES:
        _refuse(certificate, f"it is signed with {hash_.name}")
    _check_key(certificate)


def _check_key(certificate: Certificate) -> None:
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        if key.key_size < _SMALLEST_RSA:
            _refuse(certificate, f"its key has {key.key_size} bits")
    elif isinstance(key, ec.EllipticCurvePublicKey):
        if key.curve.name not in _CURVES:
            _refuse(certificate, f"its key is on {key.curve.name}")
    elif not isinstance(key, ed25519.Ed25519PublicKey | ed448.Ed448PublicKey):
        _refuse(certificate, "its key is of an unknown kind")


def _check_issuer(issuer: Certificate, path: Sequence[Certificate]) -> None:
    """RFC 5280, section 6.1.4, (k) to (n), for one that issued another."""
    basic = _extension(issuer, x509.BasicConstraints)
    if basic is None or not basic.ca:
        _refuse(issuer, "it may not issue certificates")
    between = sum(c.subject != c.issuer for c in path[1:-1])  # self-issued ones do not count
    if basic.path_length is not None and between > basic.path_length:
        _refuse(issuer, f"at most {basic.path_length} issuers below it expected, {between} found")
    usage = _extension(issuer, x509.KeyUsage)
    if usage is not None and not usage.key_cert_sign:
        _refuse(issuer, "key usage keyCertSign expected")
    purposes = _extension(issuer, x509.ExtendedKeyUsage)
    wanted = {ExtendedKeyUsageOID.CODE_SIGNING, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE}
    if purposes is not None and not wanted & set(purposes):
        _refuse(issuer, "it issues certificates, but none for code signing")


def _extension(certificate: Certificate, kind: type[T]) -> T | None:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def _refuse(certificate: Certificate, what: str) -> NoReturn:
    raise UntrustedError(f"certificate {_named(certificate)}: {what}")


def _named(certificate: Certificate) -> str:
    return ascii(", ".join(names(certificate)) or f"number {certificate.serial_number:x}")
