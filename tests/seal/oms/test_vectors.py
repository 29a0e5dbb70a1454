"""The vectors under ``tests/vectors/oms``, which ``tests/vectors/make_oms.py`` makes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from credenza.errors import AlteredError, CredenzaError, UntrustedError
from credenza.seal import oms
from tests.seal.oms import samples as s
from tests.vectors.make_oms import BUNDLES, STATEMENTS, TEXTS, THEIRS

VECTORS = Path(__file__).parents[2] / "vectors" / "oms"
KEY = oms.read_trust(VECTORS / "key.pub")
ISSUER = oms.read_trust(VECTORS / "root.pem", identities=[s.ANNA])
REFUSED: dict[str, str] = json.loads((VECTORS / "refused.json").read_text())


def test_each_vector_says_what_it_expects() -> None:
    assert {path.stem for path in (VECTORS / "refused").iterdir()} == REFUSED.keys()
    assert {path.stem for path in (VECTORS / "theirs").iterdir()} == THEIRS.keys()
    assert {*STATEMENTS, *BUNDLES, *TEXTS, "statement-member-twice"} == REFUSED.keys()


@pytest.mark.parametrize("name", THEIRS)
def test_a_signature_by_model_signing_verifies_for_ever(name: str, tmp_path: Path) -> None:
    model = shutil.copytree(VECTORS / "reader", tmp_path / "reader")
    trust = ISSUER if name == "certificate" else KEY
    oms.verify(model, VECTORS / "theirs" / f"{name}.sig", trust, now=s.NOW)
    (model / "a-c").write_bytes(b"twO")
    with pytest.raises(AlteredError):
        oms.verify(model, VECTORS / "theirs" / f"{name}.sig", trust, now=s.NOW)


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_a_signature_that_is_not_well_formed_is_refused(name: str) -> None:
    with pytest.raises(UntrustedError, match=REFUSED[name]):
        oms.verify(VECTORS / "reader", VECTORS / "refused" / f"{name}.sig", KEY)


@pytest.mark.parametrize("name", sorted(STATEMENTS))
def test_nothing_is_parsed_that_is_not_trusted(name: str) -> None:
    """What would be refused for what it says is refused for who says it, before it is read."""
    stranger = oms.KeyTrust((s.OTHER.public_key(),))
    with pytest.raises(UntrustedError, match="signature 1 of 1 is by no trusted key"):
        oms.read_signature(VECTORS / "refused" / f"{name}.sig", stranger)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("statement-member", lambda t: t["predicate"]["resources"][0].update(annotations={})),
        ("hint", lambda t: t["subject"][0].update(uri="https://example.com")),
        ("name", lambda t: t["subject"][0].update(name="model")),
    ],
)
def test_what_the_specification_says_to_ignore_is_ignored(
    tmp_path: Path, name: str, change: s.Change
) -> None:
    statement = s.statement()
    change(statement)
    signature = tmp_path / "model.sig"
    signature.write_text(json.dumps(s.sign_statement(statement)))
    oms.verify(VECTORS / "reader", signature, KEY)


@pytest.mark.parametrize("keyid", [None, "", "any", ...])
def test_a_keyid_may_be_anything_or_nothing(tmp_path: Path, keyid: object) -> None:
    bundle = s.sign_statement(s.statement())
    [signature] = bundle["dsseEnvelope"]["signatures"]
    signature["keyid"] = keyid
    if keyid is ...:
        del signature["keyid"]
    (tmp_path / "model.sig").write_text(json.dumps(bundle))
    oms.verify(VECTORS / "reader", tmp_path / "model.sig", KEY)


@pytest.mark.parametrize("name", ["tlogEntries", "timestampVerificationData"])
def test_evidence_that_is_not_looked_at_is_said_to_be(tmp_path: Path, name: str) -> None:
    bundle = s.sign_statement(s.statement())
    material = bundle["verificationMaterial"]
    material.pop("tlogEntries")
    (tmp_path / "model.sig").write_text(json.dumps(bundle))
    assert not oms.read_signature(tmp_path / "model.sig", KEY).unchecked
    material[name] = [{"logIndex": "1"}] if name == "tlogEntries" else {"rfc3161Timestamps": []}
    (tmp_path / "model.sig").write_text(json.dumps(bundle))
    [told] = oms.read_signature(tmp_path / "model.sig", KEY).unchecked
    assert told in ("the bundle's transparency log entries", "the bundle's timestamps")


def test_two_signatures_of_two_trusted_keys(tmp_path: Path) -> None:
    bundle = s.sign_statement(s.statement())
    other = s.sign_statement(s.statement(), s.OTHER)
    bundle["dsseEnvelope"]["signatures"] += other["dsseEnvelope"]["signatures"]
    (tmp_path / "model.sig").write_text(json.dumps(bundle))
    both = oms.KeyTrust((s.OTHER.public_key(), s.KEY.public_key()))
    assert len(oms.verify(VECTORS / "reader", tmp_path / "model.sig", both).signers) == 2
    with pytest.raises(UntrustedError, match="signature 2 of 2 is by no trusted key"):
        oms.verify(VECTORS / "reader", tmp_path / "model.sig", KEY)


def test_a_shard_size_may_be_a_whole_float(tmp_path: Path) -> None:
    bundle = json.loads((VECTORS / "theirs" / "shards-sha256.sig").read_bytes())
    (tmp_path / "theirs.sig").write_text(json.dumps(bundle))
    statement = s.statement_of(tmp_path / "theirs.sig")
    statement["predicate"]["serialization"]["shard_size"] = 1000.0
    (tmp_path / "model.sig").write_text(json.dumps(s.sign_statement(statement)))
    manifest = oms.verify(VECTORS / "reader", tmp_path / "model.sig", KEY).manifest
    assert manifest.shard_size == 1000


def test_only_the_verifier_makes_a_verified_manifest() -> None:
    manifest = oms.read_signature(VECTORS / "theirs" / "files-sha256.sig", KEY).manifest
    with pytest.raises(TypeError, match="only"):
        oms.VerifiedManifest(manifest, (), (), object())


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("key.pub", {"identities": ["x"]}, "certificates expected where an identity is named"),
        ("root.pem", {"issuer": "https://example.com"}, "one identity expected with an issuer"),
        ("refused.json", {}, "a public key in PEM expected"),
    ],
)
def test_trust_that_makes_no_sense(name: str, given: dict[str, list[str]], message: str) -> None:
    with pytest.raises(CredenzaError, match=message):
        oms.read_trust(VECTORS / name, **given)  # type: ignore[arg-type]  # what is tested


def test_trust_in_more_than_one_thing(tmp_path: Path) -> None:
    key, root = (VECTORS / "key.pub").read_bytes(), (VECTORS / "root.pem").read_bytes()
    for both in (key + key, key + root, root + key):
        (tmp_path / "both.pem").write_bytes(both)
        with pytest.raises(CredenzaError, match="one public key, or certificates, expected"):
            oms.read_trust(tmp_path / "both.pem")
    for nobody in (oms.KeyTrust, oms.CertificateTrust):
        with pytest.raises(CredenzaError, match="at least one"):
            nobody(())
