"""From a signer's certificate to a trusted one: each reason to refuse, from both sides."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID as Purpose

from credenza.errors import InputError, UntrustedError
from credenza.seal import oms
from tests.seal.oms import samples as s

SERVER = (x509.ExtendedKeyUsage([Purpose.SERVER_AUTH]), False)
ANY = oms.CertificateTrust((s.ROOT,), any_identity=True)


@pytest.fixture
def signature(tmp_path: Path) -> Path:
    return tmp_path / "model.sig"


def _read(
    signature: Path,
    chain: list[x509.Certificate],
    trust: oms.Trust = ANY,
    now: dt.datetime = s.NOW,
    key: ec.EllipticCurvePrivateKey = s.KEY,
) -> oms.VerifiedManifest:
    signature.write_text(json.dumps(s.sign_statement(s.statement(), key, chain)))
    return oms.read_signature(signature, trust, now=now)


def test_an_honest_chain_is_followed_to_its_root(signature: Path) -> None:
    verified = _read(signature, [s.LEAF, s.MIDDLE], s.CERTIFICATE_TRUST)
    assert verified.signers[0].names == (s.ANNA, "CN=anna")
    assert "whether a certificate was revoked" in verified.unchecked


@pytest.mark.parametrize("others", [[s.MIDDLE, s.ROOT], [s.ROOT, s.MIDDLE, s.MIDDLE]])
def test_issuers_may_come_in_any_order(signature: Path, others: list[x509.Certificate]) -> None:
    _read(signature, [s.LEAF, *others])


def test_an_issuer_between_may_be_the_trusted_one(signature: Path) -> None:
    _read(signature, [s.LEAF], oms.CertificateTrust((s.MIDDLE,), any_identity=True))


def test_an_issuer_that_is_neither_there_nor_trusted(signature: Path) -> None:
    with pytest.raises(UntrustedError, match="its issuer is not among the trusted ones"):
        _read(signature, [s.LEAF])
    wrong = s.certificate("wrong", s.OTHER, "wrong", s.OTHER, s.CA, s.ISSUES)
    with pytest.raises(UntrustedError, match="its issuer is not among the trusted ones"):
        _read(signature, [s.LEAF, s.MIDDLE, s.ROOT], oms.CertificateTrust((wrong,), (s.ANNA,)))


@pytest.mark.parametrize(
    ("days", "refused"),
    [((-2, -1), True), ((1, 2), True), ((-1, 0), False), ((0, 1), False)],
)
def test_a_leaf_must_be_valid_now(signature: Path, days: tuple[int, int], refused: bool) -> None:
    chain = [s.leaf(days=days), s.MIDDLE]
    if not refused:
        _read(signature, chain)
        return
    with pytest.raises(UntrustedError, match=r"it is valid from .*, not now"):
        _read(signature, chain)


def test_the_issuers_must_be_valid_now_as_well(signature: Path) -> None:
    expired = s.certificate(
        "middle", s.MIDDLE_KEY, "root", s.ROOT_KEY, s.CA, s.ISSUES, days=(-9, -1)
    )
    with pytest.raises(UntrustedError, match="'CN=middle': it is valid from"):
        _read(signature, [s.LEAF, expired])
    with pytest.raises(UntrustedError, match="not now"):
        _read(signature, [s.LEAF, s.MIDDLE], now=s.NOW + dt.timedelta(days=1001))


@pytest.mark.parametrize(
    ("extensions", "reason"),
    [
        ((s.FOR_CODE, s.NAMED), "digitalSignature expected"),
        (((s.usage("key_agreement"), True), s.FOR_CODE), "digitalSignature expected"),
        ((s.SIGNS, s.NAMED), "codeSigning expected"),
        ((s.SIGNS, SERVER, s.NAMED), "codeSigning expected"),
        (
            (s.SIGNS, (x509.ExtendedKeyUsage([Purpose.ANY_EXTENDED_KEY_USAGE]), False)),
            "codeSigning expected",
        ),
        (
            ((s.usage("digital_signature", "key_cert_sign"), True), s.FOR_CODE, s.CA),
            "it issues certificates",
        ),
        (
            (
                s.SIGNS,
                s.FOR_CODE,
                (x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3"), b"\5\0"), True),
            ),
            r"extension 1\.2\.3 cannot be honoured",
        ),
    ],
)
def test_a_leaf_must_be_for_signing_code(
    signature: Path, extensions: tuple[tuple[x509.ExtensionType, bool], ...], reason: str
) -> None:
    with pytest.raises(UntrustedError, match=reason):
        _read(signature, [s.leaf(*extensions), s.MIDDLE])


def test_a_leaf_that_is_called_an_issuer_but_may_not_issue_is_taken(signature: Path) -> None:
    """As in the specification's own vectors: certtool's template asserts cA for a signer."""
    _read(signature, [s.leaf(s.SIGNS, s.FOR_CODE, s.CA), s.MIDDLE])


@pytest.mark.parametrize(
    ("extensions", "reason"),
    [
        ((s.ISSUES,), "may not issue"),
        (((x509.BasicConstraints(ca=False, path_length=None), True), s.ISSUES), "may not issue"),
        ((s.CA, s.SIGNS), "keyCertSign expected"),
        ((s.CA, s.ISSUES, SERVER), "none for code signing"),
        (
            (
                s.CA,
                s.ISSUES,
                (
                    x509.NameConstraints(
                        permitted_subtrees=[x509.RFC822Name("example.org")], excluded_subtrees=None
                    ),
                    True,
                ),
            ),
            "cannot be honoured",
        ),
    ],
)
def test_an_issuer_must_be_allowed_to_issue(
    signature: Path, extensions: tuple[tuple[x509.ExtensionType, bool], ...], reason: str
) -> None:
    middle = s.certificate("middle", s.MIDDLE_KEY, "root", s.ROOT_KEY, *extensions)
    with pytest.raises(UntrustedError, match=reason):
        _read(signature, [s.LEAF, middle])


def test_a_path_is_no_longer_than_its_issuers_allow(signature: Path) -> None:
    short = (x509.BasicConstraints(ca=True, path_length=0), True)
    root = s.certificate("root", s.ROOT_KEY, "root", s.ROOT_KEY, short, s.ISSUES)
    with pytest.raises(UntrustedError, match="at most 0 issuers below it expected, 1 found"):
        _read(signature, [s.LEAF, s.MIDDLE], oms.CertificateTrust((root,), (s.ANNA,)))
    middle = s.certificate("middle", s.MIDDLE_KEY, "root", s.ROOT_KEY, short, s.ISSUES)
    _read(signature, [s.LEAF, middle])


def test_an_issuer_of_the_right_name_and_another_key_is_not_the_issuer(signature: Path) -> None:
    fake = s.certificate("middle", s.OTHER, "root", s.ROOT_KEY, s.CA, s.ISSUES)
    with pytest.raises(UntrustedError, match="its issuer did not sign it"):
        _read(signature, [s.LEAF, fake])
    _read(signature, [s.LEAF, fake, s.MIDDLE])  # and is not in the way of the one who is


def test_a_ring_of_issuers_ends(signature: Path) -> None:
    ring = [
        s.certificate("middle", s.MIDDLE_KEY, "other", s.OTHER, s.CA, s.ISSUES, days=(-5, i))
        for i in range(1, 8)
    ]
    ring += [
        s.certificate("other", s.OTHER, "middle", s.MIDDLE_KEY, s.CA, s.ISSUES, days=(-5, i))
        for i in range(1, 8)
    ]
    with pytest.raises(UntrustedError):
        _read(signature, [s.LEAF, *ring])


def test_weak_algorithms_are_refused(signature: Path) -> None:
    weak_hash = s.certificate(
        "middle", s.MIDDLE_KEY, "root", s.ROOT_KEY, s.CA, s.ISSUES, hash_=hashes.SHA224()
    )
    with pytest.raises(UntrustedError, match="it is signed with sha224"):
        _read(signature, [s.LEAF, weak_hash])
    small = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505  the point of it
    weak = (
        x509.CertificateBuilder()
        .subject_name(s.MIDDLE.subject)
        .issuer_name(s.ROOT.subject)
        .public_key(small.public_key())
        .serial_number(7)
        .not_valid_before(s.MIDDLE.not_valid_before_utc)
        .not_valid_after(s.MIDDLE.not_valid_after_utc)
        .add_extension(*s.CA)
        .sign(s.ROOT_KEY, hashes.SHA256())
    )
    child = (
        x509.CertificateBuilder()
        .subject_name(s.LEAF.subject)
        .issuer_name(s.MIDDLE.subject)
        .public_key(s.KEY.public_key())
        .serial_number(8)
        .not_valid_before(s.LEAF.not_valid_before_utc)
        .not_valid_after(s.LEAF.not_valid_after_utc)
        .add_extension(*s.SIGNS)
        .add_extension(*s.FOR_CODE)
        .sign(small, hashes.SHA256())
    )
    with pytest.raises(UntrustedError, match="its key has 1024 bits"):
        _read(signature, [child, weak])


def test_a_leaf_of_another_kind_of_key_is_refused(signature: Path) -> None:
    key = ec.derive_private_key(5, ec.SECP256K1())
    strange = s.certificate("anna", key, "middle", s.MIDDLE_KEY, s.SIGNS, s.FOR_CODE)
    with pytest.raises(UntrustedError, match="P-256, P-384 or P-521 expected"):
        _read(signature, [strange, s.MIDDLE])


def test_the_signature_must_be_the_leafs(signature: Path) -> None:
    with pytest.raises(UntrustedError, match="signature 1 of 1 is by no trusted key"):
        _read(signature, [s.LEAF, s.MIDDLE], key=s.OTHER)


def test_it_must_be_said_who_may_sign(signature: Path) -> None:
    chain = [s.LEAF, s.MIDDLE]
    with pytest.raises(UntrustedError, match="it was not said who may sign") as refused:
        _read(signature, chain, oms.CertificateTrust((s.ROOT,)))
    assert "--identity" in refused.value.hint
    with pytest.raises(UntrustedError, match=r"expected 'bob@example\.com', found 'anna@ex"):
        _read(signature, chain, oms.CertificateTrust((s.ROOT,), ("bob@example.com",)))
    for part in ("anna", "anna@example", "example.com", "CN=ann"):
        with pytest.raises(UntrustedError):
            _read(signature, chain, oms.CertificateTrust((s.ROOT,), (part,)))
    for whole in (s.ANNA, "CN=anna"):
        _read(signature, chain, oms.CertificateTrust((s.ROOT,), ("bob@example.com", whole)))


def test_a_certificate_of_ones_own_may_be_trusted_itself(signature: Path) -> None:
    own = s.certificate("anna", s.KEY, "anna", s.KEY, s.CA, s.SIGNS, s.FOR_CODE)
    _read(signature, [own], oms.CertificateTrust((own,)))
    with pytest.raises(UntrustedError, match="not among the trusted"):
        _read(signature, [own], ANY)
    with pytest.raises(UntrustedError, match="signed by another"):
        _read(signature, [own], oms.CertificateTrust((own,), ("CN=bob",)))
    with pytest.raises(InputError, match="both given"):
        oms.CertificateTrust((own,), ("CN=bob",), any_identity=True)
    server = s.certificate("anna", s.KEY, "anna", s.KEY, s.CA, s.SIGNS, SERVER)
    with pytest.raises(UntrustedError, match="codeSigning expected"):
        _read(signature, [server], oms.CertificateTrust((server,)))


def test_names_of_every_kind(signature: Path) -> None:
    uri = "https://example.com/ci"
    kinds = x509.SubjectAlternativeName(
        [x509.UniformResourceIdentifier(uri), x509.DNSName("ci.example.com")]
    )
    chain = [s.leaf(s.SIGNS, s.FOR_CODE, (kinds, False)), s.MIDDLE]
    for name in (uri, "ci.example.com"):
        _read(signature, chain, oms.CertificateTrust((s.ROOT,), (name,)))


def test_a_certificate_that_is_none(signature: Path) -> None:
    bundle = s.sign_statement(s.statement(), chain=[s.LEAF])
    chain = bundle["verificationMaterial"]["x509CertificateChain"]["certificates"]
    chain[0]["rawBytes"] = "AAAA"
    signature.write_text(json.dumps(bundle))
    with pytest.raises(UntrustedError, match=r"a certificate \(X\.509, DER\) expected"):
        oms.read_signature(signature, ANY, now=s.NOW)
