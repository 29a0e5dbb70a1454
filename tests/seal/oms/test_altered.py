"""Every alteration is refused, those that model-signing 1.1.1 takes as well."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID as Purpose

from credenza.errors import AlteredError, InputError, MalformedError, UnsealedError, UntrustedError
from credenza.seal import oms
from tests.seal.models import KEY as ED25519
from tests.seal.oms import samples as s
from tests.seal.oms import theirs


@pytest.fixture
def model(tmp_path: Path) -> Path:
    made = s.write_model(tmp_path)
    (made / "empty").touch()
    return made


@pytest.fixture
def signature(tmp_path: Path, model: Path) -> Path:
    oms.sign(model, s.SIGNER, tmp_path / "model.sig")
    return tmp_path / "model.sig"


@pytest.fixture
def public(tmp_path: Path) -> Path:
    return s.write_keys(tmp_path)[1]


def _rules(model: Path, signature: Path, **options: Any) -> dict[str, str | None]:
    with pytest.raises(AlteredError) as refused:
        oms.verify(model, signature, s.TRUST, **options)
    report = refused.value.report
    assert report.root == oms.read_signature(signature, s.TRUST).manifest.digest
    return {f.rule: f.where.file for f in report.findings}


def _write(path: Path, data: bytes = b"x") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def _swap(a: Path, b: Path) -> None:
    one, two = a.read_bytes(), b.read_bytes()
    a.write_bytes(two)
    b.write_bytes(one)


def _link_away(path: Path) -> None:
    path.rename(path.parent.parent / "moved")
    path.symlink_to("../moved")


ALTERED: dict[str, tuple[Callable[[Path], object], set[str], bool]] = {
    "byte": (lambda m: _write(m / "a" / "b", b"onf"), {"seal.bytes-altered"}, False),
    "cut": (lambda m: os.truncate(m / "weights.bin", 2499), {"seal.bytes-altered"}, False),
    "grown": (lambda m: _write(m / "empty"), {"seal.bytes-altered"}, False),
    "emptied": (lambda m: _write(m / "a-c", b""), {"seal.bytes-altered"}, False),
    "exchanged": (lambda m: _swap(m / "a-c", m / "a.b"), {"seal.bytes-altered"}, False),
    "removed": (lambda m: (m / "a-c").unlink(), {"seal.file-missing"}, False),
    "empty-removed": (lambda m: (m / "empty").unlink(), {"seal.file-missing"}, False),
    "added": (lambda m: _write(m / "more" / "x.py"), {"seal.file-added"}, False),
    "empty-added": (lambda m: _write(m / "more.bin", b""), {"seal.file-added"}, False),
    "hidden-added": (lambda m: _write(m / ".hidden"), {"seal.file-added"}, False),
    "nested-git-added": (lambda m: _write(m / "a" / ".git" / "x"), {"seal.file-added"}, False),
    "renamed": (
        lambda m: (m / "a-c").rename(m / "a_c"),
        {"seal.file-added", "seal.file-missing"},
        False,
    ),
    "case-changed": (
        lambda m: (m / "a-c").rename(m / "A-c"),
        {"seal.file-added", "seal.file-missing"},
        False,
    ),
    "link": (lambda m: (m / "link").symlink_to("a-c"), {"artifact.symlink"}, False),
    "linked": (
        lambda m: _link_away(m / "a-c"),
        {"artifact.symlink"},
        False,
    ),
    "folder-linked": (
        lambda m: _link_away(m / "a"),
        {"artifact.symlink"},
        False,
    ),
    "fifo": (lambda m: os.mkfifo(m / "pipe"), {"artifact.special-file"}, False),
    "two-cases": (lambda m: _write(m / "A.B"), {"artifact.case-collision"}, False),
    "git-code": (lambda m: _write(m / ".git" / "m.py"), {"seal.ignored-loadable"}, True),
    "git-weights": (
        lambda m: _write(m / ".git" / "lfs" / "w.safetensors"),
        {"seal.ignored-loadable"},
        True,
    ),
    "github-pickle": (lambda m: _write(m / ".github" / "m.pkl"), {"seal.ignored-loadable"}, True),
    "github-disguised": (
        lambda m: _write(m / ".github" / "m.pt.bak"),
        {"seal.ignored-loadable"},
        True,
    ),
}
"""What is done to the model, what we find, and whether model-signing verifies it all the same."""


@pytest.mark.parametrize("name", ALTERED)
def test_what_is_not_as_signed_is_refused(
    model: Path, signature: Path, public: Path, name: str
) -> None:
    change, rules, taken = ALTERED[name]
    oms.verify(model, signature, s.TRUST)
    change(model)
    assert _rules(model, signature).keys() == rules
    if name != "fifo":  # which it would wait for
        assert theirs.accepts(model, signature, key=public) == taken


def test_an_altered_file_is_named_with_both_digests(model: Path, signature: Path) -> None:
    (model / "weights.bin").write_bytes(b"other")
    with pytest.raises(AlteredError) as refused:
        oms.verify(model, signature, s.TRUST)
    [finding] = refused.value.report.findings
    assert finding.where.file == "weights.bin"
    assert {len(finding.expected), len(finding.found)} == {64}
    assert finding.expected != finding.found
    assert "weights.bin" in str(refused.value)


def test_a_shard_is_named_with_its_bytes(model: Path, tmp_path: Path) -> None:
    (model / "empty").unlink()
    signature = tmp_path / "shards.sig"
    oms.sign(model, s.SIGNER, signature, shard_size=1000)
    data = bytearray((model / "weights.bin").read_bytes())
    data[1500] ^= 1
    (model / "weights.bin").write_bytes(data)
    with pytest.raises(AlteredError) as refused:
        oms.verify(model, signature, s.TRUST)
    [finding] = refused.value.report.findings
    assert (finding.where.start, finding.where.stop) == (1000, 2000)
    for size in (2499, 2501):
        data[1500:1501] = s.FILES["weights.bin"][1500:1501]
        (model / "weights.bin").write_bytes((bytes(data) + b"x")[:size])
        assert "seal.file-resized" in _rules(model, signature)


def test_an_empty_file_beside_shards(model: Path, tmp_path: Path, public: Path) -> None:
    """Signatures by shards name no empty files, so nobody knows whether it was there."""
    (model / "empty").unlink()
    signature = tmp_path / "theirs.sig"
    how = theirs.hashing("sha256", 1000)
    theirs.sign(model, tmp_path / "key.pem", signature, how)
    oms.verify(model, signature, s.TRUST)
    (model / "__init__.py").touch()
    assert _rules(model, signature) == {"seal.file-added": "__init__.py"}
    assert theirs.accepts(model, signature, key=public, how=how)
    verified = oms.verify(model, signature, s.TRUST, ignore=["__init__.py"])
    assert [f.where.file for f in verified.report.findings] == ["__init__.py"]


def test_what_is_left_out_is_told(model: Path, signature: Path) -> None:
    _write(model / ".git" / "HEAD")
    _write(model / ".git" / "hooks" / "pre-commit.sample")
    _write(model / ".gitattributes")
    _write(model / "credenza.seal")
    found = oms.verify(model, signature, s.TRUST).report.findings
    assert [str(f) for f in found] == [
        ".git: 2 files are not signed",
        ".gitattributes: 1 file is not signed",
    ]


def test_the_verifier_may_leave_out_more(model: Path, signature: Path) -> None:
    _write(model / "cache" / "x.bin")
    _write(model / ".git" / "m.py")
    with pytest.raises(AlteredError):
        oms.verify(model, signature, s.TRUST, ignore=["cache"])
    verified = oms.verify(model, signature, s.TRUST, ignore=["cache", ".git/m.py"])
    assert {f.where.file for f in verified.report.findings} == {"cache", ".git/m.py"}
    for entry in ("/cache", "../x", "*.bin", "a//b", ".", ""):
        with pytest.raises(InputError, match="a path below the model's top expected"):
            oms.verify(model, signature, s.TRUST, ignore=[entry])


def test_files_that_nobody_signed_may_be_allowed(model: Path, signature: Path) -> None:
    """The specification's section 8.5. What is signed is checked all the same."""
    _write(model / "more.bin")
    _write(model / ".git" / "m.py")
    verified = oms.verify(model, signature, s.TRUST, allow_unsigned_files=True)
    assert {f.where.file for f in verified.report.findings} == {"more.bin", ".git"}
    (model / "a-c").write_bytes(b"x")
    assert "seal.bytes-altered" in _rules(model, signature, allow_unsigned_files=True)
    (model / "a-c").unlink()
    assert "seal.file-missing" in _rules(model, signature, allow_unsigned_files=True)


@pytest.mark.parametrize("entry", [".", "", "..", "/", "*", "../reader/a-c", "./a-c", "a-c/"])
def test_a_signed_entry_that_is_no_path_leaves_nothing_out(
    model: Path, tmp_path: Path, entry: str
) -> None:
    signature = tmp_path / "odd.sig"
    files = {**s.FILES, "empty": b""}
    del files["a-c"]
    statement = s.statement(files, ignore_paths=[entry or " "])
    signature.write_text(json.dumps(s.sign_statement(statement)))
    assert _rules(model, signature) == {"seal.file-added": "a-c"}


def test_a_signed_file_is_checked_though_it_is_left_out(model: Path, tmp_path: Path) -> None:
    statement = s.statement({**s.FILES, "empty": b""}, ignore_paths=["a", "a-c"])
    signature = tmp_path / "odd.sig"
    signature.write_text(json.dumps(s.sign_statement(statement)))
    oms.verify(model, signature, s.TRUST)
    (model / "a" / "b").write_bytes(b"x")
    assert _rules(model, signature) == {"seal.bytes-altered": "a/b"}


def test_our_own_seal_may_be_signed_by_others(model: Path, tmp_path: Path, public: Path) -> None:
    (model / "credenza.seal").write_text("made before")
    theirs.sign(model, tmp_path / "key.pem", tmp_path / "t.sig", theirs.hashing("sha256"))
    oms.verify(model, tmp_path / "t.sig", s.TRUST)
    (model / "credenza.seal").write_text("altered")
    assert _rules(model, tmp_path / "t.sig") == {"seal.bytes-altered": "credenza.seal"}


def test_a_name_that_leads_out_is_never_read(model: Path, tmp_path: Path, public: Path) -> None:
    """model-signing reads it, and takes the model, where unsigned files are ignored."""
    (tmp_path / "outside").write_bytes(b"secret")
    files = {**s.FILES, "empty": b"", "../outside": b"secret"}
    signature = tmp_path / "odd.sig"
    signature.write_text(json.dumps(s.sign_statement(s.statement(files))))
    with pytest.raises(UntrustedError, match="does not stay inside"):
        oms.verify(model, signature, s.TRUST, allow_unsigned_files=True)
    config = theirs.package.verifying.Config().use_elliptic_key_verifier(public_key=public)
    config.set_ignore_unsigned_files(True).verify(model, signature)


SERVER = x509.ExtendedKeyUsage([Purpose.SERVER_AUTH])


@pytest.mark.parametrize(
    ("leaf", "reason"),
    [
        (s.leaf(days=(-9, -1)), "not now"),
        (s.leaf(days=(1, 100)), "not now"),
        (s.leaf(s.SIGNS, (SERVER, False)), "codeSigning expected"),
    ],
    ids=["expired", "not-yet-valid", "of-a-server"],
)
def test_a_signer_is_refused_where_theirs_is_not(
    model: Path, tmp_path: Path, leaf: x509.Certificate, reason: str
) -> None:
    signature, root = tmp_path / "odd.sig", s.write_pem(tmp_path / "root.pem", s.ROOT)
    statement = s.statement({**s.FILES, "empty": b""})
    signature.write_text(json.dumps(s.sign_statement(statement, chain=[leaf, s.MIDDLE])))
    with pytest.raises(UntrustedError, match=reason):
        oms.verify(model, signature, s.CERTIFICATE_TRUST, now=s.NOW)
    assert theirs.accepts(model, signature, issuers=[root])
    with pytest.raises(InputError, match=reason):
        oms.sign(model, s.SIGNER, signature, chain=[leaf, s.MIDDLE], now=s.NOW)


@pytest.mark.parametrize(
    ("algorithm", "size"), [("blake2", None), ("sha256", 1000), ("blake2", 1000)]
)
def test_what_theirs_signs_and_cannot_verify_unaided(
    model: Path, tmp_path: Path, public: Path, algorithm: str, size: int | None
) -> None:
    (model / "empty").unlink()
    how = theirs.hashing(algorithm, size)
    theirs.sign(model, tmp_path / "key.pem", tmp_path / "t.sig", how)
    assert not theirs.accepts(model, tmp_path / "t.sig", key=public)
    oms.verify(model, tmp_path / "t.sig", s.TRUST)


def test_junk_beside_the_signature_is_refused_where_theirs_is_not(
    model: Path, signature: Path, public: Path
) -> None:
    bundle = json.loads(signature.read_bytes())
    bundle["dsseEnvelope"]["signatures"].append({"sig": "anVuaw==", "keyid": ""})
    signature.write_text(json.dumps(bundle))
    with pytest.raises(UntrustedError, match="signature 2 of 2 is by no trusted key"):
        oms.verify(model, signature, s.TRUST)
    assert theirs.accepts(model, signature, key=public)


def test_a_model_that_changes_while_it_is_read(model: Path, signature: Path) -> None:
    def change(_: int) -> None:
        (model / "late.bin").touch()

    with pytest.raises(AlteredError, match=r"late\.bin: the file changed while") as refused:
        oms.verify(model, signature, s.TRUST, progress=change)
    assert [f.found for f in refused.value.report.findings] == ["0 bytes"]
    (model / "late.bin").unlink()
    with pytest.raises(InputError, match="it changed while it was being signed"):
        oms.sign(model, s.SIGNER, signature, progress=change)


def test_the_signature_of_another_model(model: Path, signature: Path, tmp_path: Path) -> None:
    other = shutil.copytree(model, tmp_path / "other" / "reader")
    (other / "config.json").write_text('{"classes": 11}')
    oms.sign(other, s.SIGNER, tmp_path / "other.sig")
    assert _rules(model, tmp_path / "other.sig") == {"seal.bytes-altered": "config.json"}


def test_no_signature_and_no_model(model: Path, signature: Path, tmp_path: Path) -> None:
    with pytest.raises(UnsealedError, match="no such signature"):
        oms.verify(model, tmp_path / "none.sig", s.TRUST)
    with pytest.raises(InputError, match="no such file or folder"):
        oms.verify(tmp_path / "none", signature, s.TRUST)
    os.mkfifo(tmp_path / "fifo.sig")
    with pytest.raises(InputError, match="a regular file expected"):
        oms.verify(model, tmp_path / "fifo.sig", s.TRUST)
    for path in (Path("a\0b"), model):
        with pytest.raises(InputError):
            oms.sign(model, s.SIGNER, path)


@pytest.mark.parametrize("target", ["a-c", "../outside"])
def test_links_that_a_signer_followed(
    model: Path, tmp_path: Path, public: Path, target: str
) -> None:
    """We follow none. On a copy that has files in their place the signature verifies."""
    (tmp_path / "outside").write_bytes(b"from elsewhere")
    (model / "link.bin").symlink_to(target)
    how = theirs.hashing("sha256").set_allow_symlinks(True)
    theirs.sign(model, tmp_path / "key.pem", tmp_path / "t.sig", how)
    assert theirs.accepts(model, tmp_path / "t.sig", key=public, how=how)
    assert _rules(model, tmp_path / "t.sig") == {"artifact.symlink": "link.bin"}
    copy = shutil.copytree(model, tmp_path / "copy")
    assert oms.verify(copy, tmp_path / "t.sig", s.TRUST).manifest.allow_symlinks


def test_git_files_that_a_signer_signed(model: Path, tmp_path: Path, public: Path) -> None:
    _write(model / ".gitattributes", b"*.bin filter=lfs")
    how = theirs.hashing("sha256").set_ignored_paths(paths=[], ignore_git_paths=False)
    theirs.sign(model, tmp_path / "key.pem", tmp_path / "t.sig", how)
    assert not oms.verify(model, tmp_path / "t.sig", s.TRUST).report.findings
    _write(model / ".gitattributes", b"*.bin")
    assert _rules(model, tmp_path / "t.sig") == {"seal.bytes-altered": ".gitattributes"}


def test_what_may_not_be_signed(model: Path, tmp_path: Path) -> None:
    out = tmp_path / "x.sig"
    with pytest.raises(InputError, match="it is of another key"):
        oms.sign(model, oms.PrivateKey(s.OTHER), out, chain=[s.LEAF])
    with pytest.raises(InputError, match=r"'weights\.bin' would be left out of the signature"):
        oms.sign(model, s.SIGNER, out, ignore=["weights.bin"])
    with pytest.raises(InputError, match="a path below the model's top expected"):
        oms.sign(model, s.SIGNER, out, ignore=["../reader"])
    (model / ".git").mkdir()
    (model / ".git" / "x.so").touch()
    with pytest.raises(InputError, match=r"'\.git/x\.so' would be left out"):
        oms.sign(model, s.SIGNER, out)
    shutil.rmtree(model / ".git")
    (model / "link").symlink_to("a-c")
    with pytest.raises(MalformedError, match="symbolic link"):
        oms.sign(model, s.SIGNER, out)
    (tmp_path / "bare").mkdir()
    (tmp_path / "bare" / ".gitignore").touch()
    with pytest.raises(InputError, match="holds no file to sign"):
        oms.sign(tmp_path / "bare", s.SIGNER, out)
    assert not out.exists()


def test_a_key_of_another_kind_signs_nothing(model: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="P-256, P-384 or P-521 expected"):
        oms.sign(model, ED25519, tmp_path / "x.sig")
    (tmp_path / "ed25519.pem").write_bytes(ED25519.pem)
    with pytest.raises(InputError, match="P-256, P-384 or P-521 expected") as refused:
        oms.PrivateKey.read(tmp_path / "ed25519.pem")
    assert "openssl" in refused.value.hint


def test_an_earlier_signature_is_replaced_whole(model: Path, signature: Path) -> None:
    before = signature.read_bytes()
    (model / "link").symlink_to("a-c")
    with pytest.raises(MalformedError):
        oms.sign(model, s.SIGNER, signature)
    assert signature.read_bytes() == before
