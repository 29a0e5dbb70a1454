"""Signatures: the examples of the C2SP pages, and those that others published."""

from __future__ import annotations

import base64
import stat
from pathlib import Path

import pytest

from credenza.errors import InputError, UntrustedError
from credenza.ledger import Checkpoint, Kind, Note, NoteSignature, SigningKey, VerifierKey
from tests.vectors.make_ledger import HERE

OTHERS = HERE / "others"
TEXT = f"example.com/log\n7\n{base64.b64encode(bytes(32)).decode()}\n"

# c2sp.org/signed-note, Format and Verifier keys
SONG = """\
Ognuno sta solo sul cuor della terra
trafitto da un raggio di sole:

ed è subito sera.

— quasimodo.example/salvatore \
NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW9oJKONrMouFSQU0xMcXxj99ihAQwaqP3ZekRwNtIc=
"""
FOO = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
FOO_NOTE = """\
This is an example message.

— example.com/foo \
Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=
"""

# golang.org/x/mod/sumdb/note, package documentation
PETER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PETER_KEY = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
PETER_TEXT = """\
If you think cryptography is the answer to your problem,
then you don't know what your problem is.
"""
PETER_LINE = (
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpR"
    "Zb6KE6RyyBwJnAM="
)

# c2sp.org/tlog-checkpoint and c2sp.org/tlog-cosignature; the keys are not published
SOFA = """\
example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

— example.com/behind-the-sofa \
Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
— witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin\
1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==
"""

# A staging log of Certificate Transparency, with its witnesses' cosignatures of May 2026
ARCHE = (
    (
        "arche2025h1.staging.ct.transparency.dev+ba2f06c0+"
        "AU0vHmlGCS/PdN8b2OaGmKprLI8HKM+dJ472xgFYh15f",
        0,
    ),
    ("remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2", 1779573024),
    ("witness.stagemole.eu+67f7aea0+BEqSG3yu9YrmcM3BHvQYTxwFj3uSWakQepafafpUqklv", 1779573024),
    (
        "witness1.smartit.nu/witness1+a48c820f+BPSFWg9G6KPiO7QPryYO5Xq4oYJJ+kAvLKLSimDhoxMO",
        1779573024,
    ),
)
KINDS = list(Kind)


def key(kind: Kind, name: str = "example.com/log") -> SigningKey:
    return SigningKey(name, kind, bytes(range(32)))


def test_the_examples_of_signed_note() -> None:
    song = Note.parse(SONG.encode())
    assert bytes(song) == SONG.encode()
    assert song.text.endswith("\n\ned è subito sera.\n")
    assert song.signatures[0].name == "quasimodo.example/salvatore"
    assert VerifierKey.parse(FOO).check(Note.parse(FOO_NOTE.encode())) == 0
    assert str(VerifierKey.parse(FOO)) == FOO


def test_the_note_of_the_go_package_is_signed_to_the_byte() -> None:
    signing = SigningKey.parse(PETER_KEY)
    assert str(signing.verifier) == PETER
    assert str(signing) == PETER_KEY
    assert str(signing.sign(PETER_TEXT)) == PETER_LINE
    assert "AYEK" not in repr(signing)


def test_the_examples_of_tlog_checkpoint_and_tlog_cosignature() -> None:
    note = Note.parse(SOFA.encode())
    assert bytes(note) == SOFA.encode()
    assert Checkpoint.parse(note.text).size == 20852163
    assert note.signatures[1].signature[:8] == (1679315147).to_bytes(8, "big")
    assert [len(s.signature) for s in note.signatures] == [64, 72]


@pytest.mark.parametrize(("vkey", "at"), ARCHE)
def test_a_public_checkpoint_is_signed_and_cosigned(vkey: str, at: int) -> None:
    note = Note.parse((OTHERS / "arche2025h1.checkpoint").read_bytes())
    assert VerifierKey.parse(vkey).check(note) == at
    larger = Note(note.text.replace("1432088532", "1432088533"), note.signatures)
    with pytest.raises(UntrustedError, match="is wrong"):
        VerifierKey.parse(vkey).check(larger)


def test_an_ml_dsa_44_checkpoint_of_torchwood() -> None:
    note = Note.parse((OTHERS / "torchwood-mldsa44.checkpoint").read_bytes())
    assert VerifierKey.read(OTHERS / "torchwood-mldsa44.vkey").check(note) == 0


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_signed_is_verified_and_nothing_else(kind: Kind) -> None:
    signing = key(kind)
    note = Note(TEXT, (signing.sign(TEXT, 1234),))

    assert signing.verifier.check(note) == (0 if kind is Kind.LOG else 1234)
    assert SigningKey.parse(str(signing)) == signing
    assert VerifierKey.parse(str(signing.verifier)) == signing.verifier
    [line] = note.signatures
    with pytest.raises(UntrustedError, match="is wrong"):
        signing.verifier.check(Note(TEXT.replace("7", "8"), note.signatures))
    for at in range(0, len(line.signature), 1 if kind is not Kind.COSIGNER_ML_DSA else 97):
        data = bytearray(line.signature)
        data[at] ^= 1
        with pytest.raises(UntrustedError, match="is wrong"):
            signing.verifier.check(
                Note(TEXT, (NoteSignature(line.name, line.key_id, bytes(data)),))
            )
    for cut in (line.signature[:-1], line.signature + b"\0", line.signature[:8]):
        with pytest.raises(UntrustedError, match="is wrong"):
            signing.verifier.check(Note(TEXT, (NoteSignature(line.name, line.key_id, cut),)))


@pytest.mark.parametrize("kind", KINDS)
def test_a_signature_by_nobody_known_is_none(kind: Kind) -> None:
    note = Note(TEXT, (key(kind).sign(TEXT),))
    with pytest.raises(UntrustedError, match="no signature by"):
        key(kind, "example.com/other").verifier.check(note)


def test_one_wrong_line_among_right_ones_is_refused() -> None:
    signing = key(Kind.COSIGNER)
    right, wrong = signing.sign(TEXT), signing.sign(TEXT.replace("7", "8"))
    with pytest.raises(UntrustedError, match="is wrong"):
        signing.verifier.check(Note(TEXT, (right, wrong)))


def test_the_latest_of_several_times_counts() -> None:
    signing = key(Kind.COSIGNER)
    note = Note(TEXT, (signing.sign(TEXT, 5), signing.sign(TEXT, 9), signing.sign(TEXT, 7)))
    assert signing.verifier.check(note) == 9


def test_an_ml_dsa_cosignature_binds_the_cosigners_name() -> None:
    """Unlike that of type 0x04: tlog-cosignature, Ed25519 signed message, last paragraph."""
    other = key(Kind.COSIGNER_ML_DSA, "other")
    [line] = Note(TEXT, (key(Kind.COSIGNER_ML_DSA).sign(TEXT),)).signatures
    stolen = NoteSignature("other", other.verifier.id, line.signature)
    with pytest.raises(UntrustedError, match="is wrong"):
        other.verifier.check(Note(TEXT, (stolen,)))


def test_a_cosigner_signs_checkpoints_alone() -> None:
    for kind in (Kind.COSIGNER, Kind.COSIGNER_ML_DSA):
        with pytest.raises(InputError, match="checkpoint"):
            key(kind).sign("hello\n")


@pytest.mark.parametrize("kind", KINDS)
def test_key_files(kind: Kind, tmp_path: Path) -> None:
    signing = SigningKey.new("example.com/log", kind)
    signing.write(tmp_path / "log")

    assert SigningKey.read(tmp_path / "log.key") == signing
    assert VerifierKey.read(tmp_path / "log.vkey") == signing.verifier
    assert stat.S_IMODE((tmp_path / "log.key").stat().st_mode) == 0o600
    with pytest.raises(InputError, match="exists already"):
        signing.write(tmp_path / "log")
    (tmp_path / "other.vkey").touch()
    with pytest.raises(InputError, match="exists already"):
        signing.write(tmp_path / "other")
    assert not (tmp_path / "other.key").exists()


@pytest.mark.parametrize("data", [b"", b"\xff", b"PRIVATE+KEY+a", b"a" * 70_000])
def test_another_file_is_no_key(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "file").write_bytes(data)
    with pytest.raises(InputError):
        SigningKey.read(tmp_path / "file")
    with pytest.raises(InputError):
        VerifierKey.read(tmp_path / "file")
