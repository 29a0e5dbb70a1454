"""Keys: every kind, crossed with everything that is to hold of each."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from credenza.attest import KINDS, PrivateKey, PublicKey, kind_named, new_key
from credenza.attest.kinds import Kind
from credenza.attest.kinds.mldsa65 import MlDsa65
from credenza.attest.kinds.p256 import low_s, signature_of
from credenza.attest.pkcs8 import read_private_key_info
from credenza.errors import InputError, UntrustedError
from tests.vectors.make_keys import HERE as VECTORS
from tests.vectors.make_keys import KEYS, ORDER

kinds = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
ED25519, P256, ML_DSA, HYBRID = KINDS
MESSAGE = b"the message"


def _refused(public: PublicKey, message: bytes, signature: bytes) -> bool:
    try:
        public.verify(message, signature)
    except UntrustedError:
        return True
    return False


@kinds
def test_a_new_key_signs_what_its_public_half_verifies(kind: Kind, tmp_path: Path) -> None:
    new_key(tmp_path / "k", kind)
    signature = PrivateKey.read(tmp_path / "k").sign(MESSAGE)
    public = PublicKey.read(tmp_path / "k.pub")
    assert public.kind is kind
    assert signature.keyid == public.id
    public.verify(MESSAGE, signature.sig)
    assert _refused(public, b"the massage", signature.sig)
    assert _refused(public, b"", signature.sig)


@kinds
def test_two_new_keys_are_two(kind: Kind) -> None:
    assert PrivateKey.new(kind).public.id != PrivateKey.new(kind).public.id


@kinds
def test_a_key_has_one_spelling(kind: Kind, tmp_path: Path) -> None:
    key = KEYS[kind.name]
    assert PublicKey.parse(key.public.pem) == key.public
    (tmp_path / "k").touch(mode=0o600)
    (tmp_path / "k").write_bytes(key.pem)
    assert PrivateKey.read(tmp_path / "k") == key
    assert key.public.id == hashlib.sha256(key.public.der).hexdigest()


@kinds
def test_a_secret_is_not_shown(kind: Kind) -> None:
    key = KEYS[kind.name]
    assert key.secret.hex() not in repr(key)
    assert repr(key.secret) not in repr(key)


@kinds
def test_every_byte_of_a_signature_counts(kind: Kind) -> None:
    key = KEYS[kind.name]
    signature = key.sign(MESSAGE).sig
    step = max(1, len(signature) // 300)
    for place in {*range(0, len(signature), step), *range(len(signature) - 70, len(signature))}:
        for bit in (0, 7):
            changed = bytearray(signature)
            changed[place] ^= 1 << bit
            assert _refused(key.public, MESSAGE, bytes(changed)), (place, bit)


@kinds
def test_every_byte_of_the_key_counts(kind: Kind) -> None:
    key = KEYS[kind.name]
    signature = key.sign(MESSAGE).sig
    for place in range(0, kind.public_size, max(1, kind.public_size // 100)):
        raw = bytearray(key.public.raw)
        raw[place] ^= 1
        try:
            other = PublicKey(bytes(raw), kind)
        except InputError:
            continue
        assert other.id != key.public.id
        assert _refused(other, MESSAGE, signature), place


@kinds
def test_a_signature_of_another_length_is_refused(kind: Kind) -> None:
    key = KEYS[kind.name]
    signature = key.sign(MESSAGE).sig
    for changed in (b"", signature[:-1], signature[1:], signature + b"\0", signature * 2):
        assert _refused(key.public, MESSAGE, changed)


@kinds
@pytest.mark.parametrize("other", KINDS, ids=lambda kind: kind.name)
def test_a_signature_of_another_kind_is_refused(kind: Kind, other: Kind) -> None:
    if kind is not other:
        assert _refused(KEYS[kind.name].public, MESSAGE, KEYS[other.name].sign(MESSAGE).sig)


@kinds
def test_a_key_of_another_size_is_none(kind: Kind) -> None:
    for raw in (b"", KEYS[kind.name].public.raw[:-1], KEYS[kind.name].public.raw + b"\0"):
        with pytest.raises(InputError, match=f"{kind.public_size} bytes expected"):
            PublicKey(raw, kind)
    with pytest.raises(InputError, match="private key of"):
        PrivateKey(b"short", kind)


@kinds
@given(signature=st.binary(max_size=4000), message=st.binary(max_size=40))
def test_no_bytes_are_a_signature(kind: Kind, signature: bytes, message: bytes) -> None:
    assert _refused(KEYS[kind.name].public, message, signature)


@given(r=st.binary(max_size=40), s=st.binary(max_size=40), tail=st.binary(max_size=2))
def test_what_looks_like_an_ecdsa_signature_is_refused(r: bytes, s: bytes, tail: bytes) -> None:
    numbers = b"\2%c%s\2%c%s" % (len(r), r, len(s), s)
    assert _refused(KEYS["p256"].public, MESSAGE, b"\x30%c%s%s" % (len(numbers), numbers, tail))


@pytest.mark.parametrize(
    "answer",
    json.loads((VECTORS / "known.json").read_text()),
    ids=lambda a: f"{a['kind']}-{a['signature'][:8]}",
)
def test_known_answers(answer: dict[str, Any]) -> None:
    kind = kind_named(answer["kind"])
    raw, message = bytes.fromhex(answer["public"]), bytes.fromhex(answer["message"])
    signature, secret = bytes.fromhex(answer["signature"]), bytes.fromhex(answer["secret"])
    if secret:
        assert PrivateKey(secret, kind).public.raw == raw
    if kind is ED25519:
        assert kind.sign(secret, message) == signature
    if isinstance(kind, MlDsa65):
        kind.verify(raw, message, signature, bytes.fromhex(answer["context"]))
        assert _refused(PublicKey(raw, kind), message, signature)  # our context is empty
    else:
        assert _refused(PublicKey(raw, kind), message, signature) is not answer["verifies"]


def test_the_known_answers_are_of_every_kind_but_the_hybrid() -> None:
    answers = json.loads((VECTORS / "known.json").read_text())
    assert {a["kind"] for a in answers} == {"ed25519", "p256", "ml-dsa-65"}
    assert {a["verifies"] for a in answers if a["kind"] == "p256"} == {True, False}


def test_the_drafts_own_composite_signature_verifies() -> None:
    vector = json.loads((VECTORS / "composite.json").read_text())
    kind, secret = read_private_key_info(base64.b64decode(vector["sk_pkcs8"]))
    assert kind is HYBRID
    public = PrivateKey(secret, kind).public
    public.verify(vector["message"].encode(), base64.b64decode(vector["signature"]))


def test_the_id_is_the_digest_of_the_subject_public_key_info() -> None:
    # RFC 8032 §7.1, test 1: the secret key and, by RFC 8410, the DER of its public key.
    secret = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
    der = bytes.fromhex(
        "302a300506032b6570032100d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
    )
    assert PrivateKey(secret).public.der == der
    assert PrivateKey(secret).public.id == hashlib.sha256(der).hexdigest()


@pytest.mark.parametrize("kind", [ED25519, P256, ML_DSA], ids=lambda kind: kind.name)
def test_another_library_reads_and_writes_our_files(kind: Kind) -> None:
    key = KEYS[kind.name]
    theirs = serialization.load_pem_private_key(key.pem, None)
    assert theirs.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ) == (key.pem)
    public = theirs.public_key()
    assert key.public.pem == public.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


# --- P-256 ------------------------------------------------------------------------------------


def test_of_the_two_ecdsa_signatures_one_counts() -> None:
    key = KEYS["p256"]
    theirs = ec.derive_private_key(int.from_bytes(key.secret, "big"), ec.SECP256R1())
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric.utils import (
        decode_dss_signature,
        encode_dss_signature,
    )

    r, s = decode_dss_signature(theirs.sign(MESSAGE, ec.ECDSA(hashes.SHA256())))
    low, high = min(s, ORDER - s), max(s, ORDER - s)
    key.public.verify(MESSAGE, encode_dss_signature(r, low))
    theirs.public_key().verify(encode_dss_signature(r, high), MESSAGE, ec.ECDSA(hashes.SHA256()))
    assert _refused(key.public, MESSAGE, encode_dss_signature(r, high))
    assert low_s(encode_dss_signature(r, high)) == encode_dss_signature(r, low)
    half = ORDER // 2
    assert signature_of(1, half) == signature_of(1, half + 1) == encode_dss_signature(1, half)


def test_an_ecdsa_signature_has_one_spelling() -> None:
    key = KEYS["p256"]
    signature = key.sign(MESSAGE).sig
    size, r = signature[1], signature[4 : 4 + signature[3]]
    rest = signature[4 + len(r) :]
    padded = b"\x30%c\2%c\0%s%s" % (size + 1, len(r) + 1, r, rest)
    for changed in (
        b"\x30\x81" + signature[1:],
        padded,
        signature[:1] + bytes([size + 2]) + signature[2:] + b"\5\0",
        signature + b"\0",
        signature_of(1, 1).replace(b"\2\1\1", b"\2\1\0", 1),
    ):
        assert _refused(key.public, MESSAGE, changed)
    for numbers in ((0, 1), (1, 0), (ORDER, 1), (1, ORDER)):
        with pytest.raises(ValueError, match="between 0 and the group's order"):
            signature_of(*numbers)


# --- Ed25519 ----------------------------------------------------------------------------------


def test_s_is_below_the_groups_order() -> None:
    order = 2**252 + 27742317777372353535851937790883648493
    signature = KEYS["ed25519"].sign(MESSAGE).sig
    s = int.from_bytes(signature[32:], "little") + order
    assert _refused(KEYS["ed25519"].public, MESSAGE, signature[:32] + s.to_bytes(32, "little"))


def test_honest_ed25519_keys_are_points_on_the_curve() -> None:
    for seed in range(200):
        PrivateKey(seed.to_bytes(32, "big"))


# --- Hybrid -----------------------------------------------------------------------------------


def test_both_halves_of_a_hybrid_signature_count() -> None:
    key = KEYS["hybrid"]
    other = PrivateKey(bytes(range(100, 164)), HYBRID)
    mine, theirs = key.sign(MESSAGE).sig, other.sign(MESSAGE).sig
    key.public.verify(MESSAGE, mine)
    for mixed in (
        mine[:3309] + theirs[3309:],
        theirs[:3309] + mine[3309:],
        mine[3309:] + mine[:3309],
    ):
        assert _refused(key.public, MESSAGE, mixed)
        assert _refused(other.public, MESSAGE, mixed)


def test_a_key_mixed_of_two_hybrids_is_another_key() -> None:
    key, other = KEYS["hybrid"], PrivateKey(bytes(range(100, 164)), HYBRID)
    mixed = PublicKey(key.public.raw[:1952] + other.public.raw[1952:], HYBRID)
    assert mixed.id not in (key.public.id, other.public.id)
    assert _refused(mixed, MESSAGE, key.sign(MESSAGE).sig)
    assert _refused(mixed, MESSAGE, other.sign(MESSAGE).sig)


def test_a_half_is_no_signature_of_its_own_kind() -> None:
    """Whoever uses a half by itself, against the draft, still cannot be tricked with the other."""
    key = KEYS["hybrid"]
    ml_dsa = PrivateKey(key.secret[:32], ML_DSA)
    ed25519 = PrivateKey(key.secret[32:], ED25519)
    signature = key.sign(MESSAGE).sig
    assert _refused(ml_dsa.public, MESSAGE, signature[:3309])
    assert _refused(ed25519.public, MESSAGE, signature[3309:])
    alone = ml_dsa.sign(MESSAGE).sig + ed25519.sign(MESSAGE).sig
    assert _refused(key.public, MESSAGE, alone)


# --- What is not there -------------------------------------------------------------------------


def test_without_ml_dsa_there_is_one_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    name = "cryptography.hazmat.primitives.asymmetric"
    monkeypatch.delattr(sys.modules[name], "mldsa", raising=False)
    monkeypatch.setitem(sys.modules, f"{name}.mldsa", None)
    for kind in (ML_DSA, HYBRID):
        with pytest.raises(InputError, match="cryptography 47 or newer"):
            PrivateKey.new(kind)
    with pytest.raises(InputError, match="cryptography 47 or newer"):
        KEYS["hybrid"].public.verify(MESSAGE, bytes(3373))
    PrivateKey.new(ED25519).sign(MESSAGE)


def test_an_unknown_kind_names_the_known_ones() -> None:
    with pytest.raises(InputError, match="ed25519 or p256 or ml-dsa-65 or hybrid expected, 'rsa'"):
        kind_named("rsa")


@pytest.mark.parametrize(
    ("kind", "wanted"),
    [("ed25519", "'ed25519'"), ("p256", "'ec'"), ("ml-dsa-65", "'ec', 'mldsa'")],
)
def test_a_key_imports_its_own_kind_alone(kind: str, wanted: str, tmp_path: Path) -> None:
    """Whoever verifies waits for what the key at hand needs, and for nothing else."""
    key = new_key(tmp_path / "k", kind_named(kind))
    code = (
        "import sys, pathlib, credenza.attest as a\n"
        f"k = a.PublicKey.read(pathlib.Path({str(tmp_path / 'k.pub')!r}))\n"
        f"k.verify(b'm', bytes.fromhex({key.sign(b'm').sig.hex()!r}))\n"
        "print([m.rpartition('.')[2] for m in sorted(sys.modules)\n"
        "       if m.startswith('cryptography.hazmat.primitives.')\n"
        "       and m.rpartition('.')[2] in ('ed25519', 'ec', 'mldsa', 'serialization', 'ssh')]\n"
        "      + sorted({'securesystemslib', 'PyKCS11', 'sigstore'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == f"[{wanted}]"


# --- Files ------------------------------------------------------------------------------------


def test_the_private_half_is_its_owners_alone(tmp_path: Path) -> None:
    new_key(tmp_path / "k")
    assert stat.S_IMODE((tmp_path / "k").stat().st_mode) == 0o600


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o644, 0o610])
def test_a_private_key_that_others_can_reach_is_refused(tmp_path: Path, mode: int) -> None:
    new_key(tmp_path / "k")
    (tmp_path / "k").chmod(mode)
    with pytest.raises(InputError, match=f"its mode is {mode:04o}") as caught:
        PrivateKey.read(tmp_path / "k")
    assert "chmod 600" in caught.value.hint
    for mode_of_the_owner in (0o400, 0o600, 0o700):
        (tmp_path / "k").chmod(mode_of_the_owner)
        PrivateKey.read(tmp_path / "k")


@pytest.mark.parametrize("taken", ["k", "k.pub"])
def test_no_key_is_overwritten(tmp_path: Path, taken: str) -> None:
    (tmp_path / taken).write_bytes(b"mine")
    with pytest.raises(InputError, match="exists already"):
        new_key(tmp_path / "k")
    assert (tmp_path / taken).read_bytes() == b"mine"
    assert os.listdir(tmp_path) == [taken]


@pytest.mark.parametrize(
    ("name", "message"), json.loads((VECTORS / "refused.json").read_text()).items()
)
def test_what_is_no_key_is_refused(name: str, message: str, tmp_path: Path) -> None:
    pem = (VECTORS / "refused" / f"{name}.pem").read_bytes()
    path = tmp_path / "k"
    path.touch(mode=0o600)
    path.write_bytes(pem)
    private = name.startswith(("private", "encrypted"))
    with pytest.raises(InputError) as caught:
        PrivateKey.read(path, lambda what: "password") if private else PublicKey.read(path)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)


def test_every_vector_is_listed() -> None:
    listed = json.loads((VECTORS / "refused.json").read_text()).keys()
    assert {path.stem for path in (VECTORS / "refused").iterdir()} == listed


def test_a_private_key_is_not_taken_for_a_public_one(tmp_path: Path) -> None:
    new_key(tmp_path / "k")
    with pytest.raises(InputError, match="a public key expected, a private one found"):
        PublicKey.read(tmp_path / "k")
    with pytest.raises(InputError, match="a private key in PEM expected, a public one found"):
        PrivateKey.read(tmp_path / "k.pub")
    (tmp_path / "k.pub").chmod(0o600)
    with pytest.raises(InputError, match="a private key in PEM expected, PUBLIC KEY found"):
        PrivateKey.read(tmp_path / "k.pub")


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        PublicKey.read(tmp_path / "none")
    (tmp_path / "k").touch(mode=0o600)
    (tmp_path / "k").write_bytes(bytes(70_000))
    with pytest.raises(InputError, match="at most 65536 bytes expected"):
        PrivateKey.read(tmp_path / "k")


def test_lines_may_end_as_windows_ends_them() -> None:
    key = KEYS["p256"].public
    assert PublicKey.parse(key.pem.replace(b"\n", b"\r\n")) == key
    assert PublicKey.parse(key.pem.rstrip(b"\n")) == key


@kinds
@given(data=st.data())
def test_a_changed_file_is_refused_or_another_key(kind: Kind, data: st.DataObject) -> None:
    key = KEYS[kind.name].public
    pem = bytearray(key.pem)
    for _ in range(data.draw(st.integers(1, 4))):
        pem[data.draw(st.integers(0, len(pem) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(InputError):
        found = PublicKey.parse(bytes(pem))
        assert found.pem == bytes(pem).replace(b"\r\n", b"\n").rstrip(b"\n") + b"\n"
        assert (found == key) == (found.id == key.id)


@given(st.binary(max_size=300))
def test_no_bytes_raise_anything_else(data: bytes) -> None:
    for pem in (data, b"-----BEGIN PUBLIC KEY-----\n%s-----END PUBLIC KEY-----\n" % data):
        with pytest.raises(InputError):
            PublicKey.parse(pem)


def test_the_signature_is_what_another_library_verifies() -> None:
    key = KEYS["ed25519"]
    theirs = Ed25519PrivateKey.from_private_bytes(key.secret).public_key()
    theirs.verify(key.sign(MESSAGE).sig, MESSAGE)
