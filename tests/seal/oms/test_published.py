"""Signatures that others published: tests/vectors/oms/published/README.md says whose."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from credenza.errors import CredenzaError, MissingExtraError, UntrustedError
from credenza.seal import oms
from tests.seal.oms.samples import NOW, write_model

PUBLISHED = Path(__file__).parents[2] / "vectors" / "oms" / "published"
KEY = oms.read_trust(PUBLISHED / "signing-key.pub")
ISSUER = oms.read_trust(PUBLISHED / "intermediate-ca.pem", identities=["CN=intermediate-ca"])
STEFAN = oms.read_trust(
    Path("sigstore"),
    identities=["stefanb@us.ibm.com"],
    issuer="https://sigstore.verify.ibm.com/oauth2",
)
SPEC = {"signme-1": b"signme-1\n", "signme-2": b"signme-2", "ignore-me": b"\n"}
OLD = {"signme-1": b"signme-1", "signme-2": b"signme-2"}
FOLDERS: dict[str, tuple[oms.Trust, dict[str, bytes], tuple[str, ...]]] = {
    "spec-v1.0-key.sig": (KEY, SPEC, ()),
    "spec-v1.0-certificate.sig": (ISSUER, SPEC, ()),
    "go-key.sig": (KEY, SPEC, ("ignore-me",)),
    "v1.1.0-key.sig": (KEY, SPEC, ()),
    "v0.2.0-certificate.sig": (ISSUER, OLD, ()),
    "v1.1.0-sigstore.sig": (STEFAN, OLD, ()),
}
ONE_FILE = ("v0.3.1-key.sig", "v1.0.0-key.sig")


def test_each_vector_is_looked_at() -> None:
    assert {p.name for p in PUBLISHED.glob("*.sig")} == {*FOLDERS, *ONE_FILE}


@pytest.mark.parametrize("name", FOLDERS)
def test_a_published_signature_verifies(name: str, tmp_path: Path) -> None:
    trust, files, ignore = FOLDERS[name]
    model = write_model(tmp_path, files)
    verified = oms.verify(model, PUBLISHED / name, trust, ignore=ignore, now=NOW)
    assert {r.path for r in verified.manifest.resources} == {"signme-1", "signme-2"}
    unsigned = {f.where.file for f in verified.report.findings}
    assert unsigned == files.keys() - {"signme-1", "signme-2"}


@pytest.mark.parametrize("name", ONE_FILE)
def test_a_published_signature_of_one_file_verifies(name: str, tmp_path: Path) -> None:
    model = write_model(tmp_path, {"signme-1": b"signme-1\n"}) / "signme-1"
    assert oms.verify(model, PUBLISHED / name, KEY).manifest.name == "signme-1"
    with pytest.raises(CredenzaError):
        oms.verify(model.parent, PUBLISHED / name, KEY)
    model.write_bytes(b"signme-1")
    with pytest.raises(CredenzaError):
        oms.verify(model, PUBLISHED / name, KEY)


@pytest.mark.parametrize("name", [*FOLDERS, *ONE_FILE])
def test_any_flipped_byte_is_refused(name: str, tmp_path: Path) -> None:
    trust = FOLDERS[name][0] if name in FOLDERS else KEY
    good = (PUBLISHED / name).read_bytes()
    spared = _not_needed(good)
    changed = tmp_path / "model.sig"
    for place in range(0, len(good), 401 if trust is STEFAN else 11):
        if chr(good[place]).isspace() or place in spared:
            continue
        changed.write_bytes(good[:place] + bytes([good[place] ^ 1]) + good[place + 1 :])
        with pytest.raises(UntrustedError):
            oms.read_signature(changed, trust, now=NOW)


def _not_needed(data: bytes) -> range:
    """Where a bundle holds what proves nothing that is not proved without it.

    That is the issuer, which the verifier has already, and all but one of the log's proofs.
    """
    start = data.find(b'"tlogEntries":[{')
    if start >= 0:
        return range(start, data.index(b'"dsseEnvelope"'))
    start = data.find(b'"rawBytes"', data.find(b'"rawBytes"') + 1)
    return range(start, data.index(b"}", start)) if start >= 0 else range(0)


def test_a_method_is_not_believed_by_the_trust_of_another() -> None:
    for name, (own, _, _) in FOLDERS.items():
        for other in (KEY, ISSUER, STEFAN):
            if other is not own:
                with pytest.raises(UntrustedError, match="signed by"):
                    oms.read_signature(PUBLISHED / name, other, now=NOW)


def test_another_identity_is_not_believed() -> None:
    other = oms.SigstoreTrust("mallory@example.com", "https://sigstore.verify.ibm.com/oauth2")
    with pytest.raises(UntrustedError, match="SANs do not match"):
        oms.read_signature(PUBLISHED / "v1.1.0-sigstore.sig", other)
    other = oms.SigstoreTrust("stefanb@us.ibm.com", "https://accounts.example.com")
    with pytest.raises(UntrustedError):
        oms.read_signature(PUBLISHED / "v1.1.0-sigstore.sig", other)


def test_without_the_package_it_is_said_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sigstore.models", None)
    with pytest.raises(MissingExtraError, match="sigstore"):
        oms.read_signature(PUBLISHED / "v1.1.0-sigstore.sig", STEFAN)
