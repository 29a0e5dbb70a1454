"""SoftHSM's tokens, for tests of keys on a PKCS #11 token."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.vectors.make_keys import KEYS

PLACES = ("/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/pkcs11/libsofthsm2.so")
MODULE = next((place for place in PLACES if Path(place).exists()), "")
PIN = "1234"

needs_softhsm = pytest.mark.skipif(
    not MODULE or shutil.which("softhsm2-util") is None, reason="needs softhsm2"
)


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The query of URIs of a module with two tokens, ``bank`` and ``empty``.

    On ``bank`` lie a key of each kind that a token may have (made on the token), the P-256 key of
    the vectors (put there), a key of another curve, and two of one name.
    """
    place = tmp_path_factory.mktemp("softhsm")
    (place / "tokens").mkdir()
    (place / "conf").write_text(
        f"directories.tokendir = {place / 'tokens'}\nobjectstore.backend = file\n"
        "log.level = ERROR\n"
    )
    before = os.environ.get("SOFTHSM2_CONF")
    os.environ["SOFTHSM2_CONF"] = str(place / "conf")
    for label in ("bank", "empty"):
        _run("softhsm2-util", "--init-token", "--free", "--label", label, *_PINS)
    pem = place / "p256.pem"
    pem.write_bytes(KEYS["p256"].pem)
    put = ("--import", str(pem), "--token", "bank", "--pin", PIN)
    _run("softhsm2-util", *put, "--label", "imported", "--id", "0A")
    _make_keys()
    yield f"?module-path={MODULE}"
    if before is None:
        del os.environ["SOFTHSM2_CONF"]
    else:
        os.environ["SOFTHSM2_CONF"] = before


_PINS = ("--pin", PIN, "--so-pin", "5678")


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)


def _make_keys() -> None:
    """Make keys on the token ``bank``, in a process of its own."""
    code = """
import sys, PyKCS11 as p
from credenza.attest.der import oid
lib = p.PyKCS11Lib()
lib.load(sys.argv[1])
[slot] = [s for s in lib.getSlotList(True) if lib.getTokenInfo(s).label.strip() == "bank"]
session = lib.openSession(slot, p.CKF_SERIAL_SESSION | p.CKF_RW_SESSION)
session.login(sys.argv[2])
edwards = p.Mechanism(p.CKM_EC_EDWARDS_KEY_PAIR_GEN, None)
weierstrass = p.Mechanism(p.CKM_EC_KEY_PAIR_GEN, None)
printable = bytes([0x13, 12]) + b"edwards25519"
for label, number, mechanism, curve in (
    ("p256", 1, weierstrass, oid("1.2.840.10045.3.1.7")),
    ("ed25519", 2, edwards, printable),
    ("p384", 3, weierstrass, oid("1.3.132.0.34")),
    ("twins", 4, weierstrass, oid("1.2.840.10045.3.1.7")),
    ("twins", 5, weierstrass, oid("1.2.840.10045.3.1.7")),
):
    shared = [(p.CKA_TOKEN, True), (p.CKA_LABEL, label), (p.CKA_ID, bytes([number]))]
    public = [(p.CKA_EC_PARAMS, curve), (p.CKA_VERIFY, True), *shared]
    private = [(p.CKA_SIGN, True), (p.CKA_PRIVATE, True), (p.CKA_SENSITIVE, True), *shared]
    session.generateKeyPair(public, private, mecha=mechanism)
lonely = [(p.CKA_TOKEN, True), (p.CKA_LABEL, "lonely"), (p.CKA_ID, b"\\6")]
public = [(p.CKA_EC_PARAMS, oid("1.2.840.10045.3.1.7")), (p.CKA_VERIFY, True), *lonely]
made, _ = session.generateKeyPair(public, [(p.CKA_SIGN, True), *lonely], mecha=weierstrass)
session.destroyObject(made)
"""
    _run(sys.executable, "-c", code, MODULE, PIN)
