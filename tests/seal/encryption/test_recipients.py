"""Recipients' keys, in files."""

from __future__ import annotations

import contextlib
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from credenza.attest import PrivateKey
from credenza.errors import InputError
from credenza.seal.encryption import Identity, Kem, Recipient, new_identity
from tests.seal.encryption import reference

INFO = b"what for"


@pytest.mark.parametrize("kem", list(Kem))
@pytest.mark.parametrize("password", [None, "geheim"])
def test_a_new_key_opens_what_is_wrapped_to_its_public_half(
    tmp_path: Path, kem: Kem, password: str | None
) -> None:
    made = new_identity(tmp_path / "r", kem, password)
    identity = Identity.read(tmp_path / "r", lambda _: password or "")
    recipient = Recipient.read(tmp_path / "r.pub")
    assert identity.recipient.id == recipient.id == made.recipient.id
    assert recipient.kem is identity.recipient.kem is kem
    wrapped = recipient.wrap(b"secret", INFO)
    assert identity.unwrap(wrapped, INFO) == b"secret"
    assert identity.unwrap(wrapped, b"another") is None
    assert Identity.new(kem).unwrap(wrapped, INFO) is None
    assert reference.hpke_open(wrapped, INFO, identity.x25519, identity.mlkem) == b"secret"
    assert stat.S_IMODE((tmp_path / "r").stat().st_mode) == 0o600


@pytest.mark.parametrize("kem", list(Kem))
def test_a_flipped_bit_of_what_was_wrapped(kem: Kem) -> None:
    identity = Identity.new(kem)
    wrapped = identity.recipient.wrap(b"secret", INFO)
    for place in range(len(wrapped)):
        bad = wrapped[:place] + bytes([wrapped[place] ^ 1 << place % 8]) + wrapped[place + 1 :]
        assert identity.unwrap(bad, INFO) is None
    for size in range(len(wrapped)):
        assert identity.unwrap(wrapped[:size], INFO) is None


@given(st.binary(max_size=1300))
def test_anything_wrapped(data: bytes) -> None:
    assert Identity.new(Kem.X25519).unwrap(data, INFO) is None


def test_the_reference_is_rfc_9180s() -> None:
    """RFC 9180, appendix A.1.1: recipient's key, encapsulated key, shared secret."""
    secret = bytes.fromhex("4612c550263fc8ad58375df3f557aac531d26850903e55a9f23f21d8534e8ac8")
    enc = bytes.fromhex("37fda3567bdbd628e88668c3c8d7e97d1d1253b6d4ea6d44c150f741f1bf4431")
    shared = "fe0e18c9f024ce43799ae393c7e8fe8fce9d218875e8227b0187c04e7d2ea1fc"
    assert reference.dhkem(enc, X25519PrivateKey.from_private_bytes(secret)).hex() == shared


@pytest.mark.parametrize("taken", ["r", "r.pub"])
def test_no_key_is_overwritten(tmp_path: Path, taken: str) -> None:
    (tmp_path / taken).write_bytes(b"mine")
    with pytest.raises(InputError, match="exists already"):
        new_identity(tmp_path / "r")
    assert (tmp_path / taken).read_bytes() == b"mine"
    assert os.listdir(tmp_path) == [taken]


def test_a_wrong_password_and_none(tmp_path: Path) -> None:
    new_identity(tmp_path / "r", Kem.X25519, "geheim")
    for other in ("", "geheimer", "Geheim"):
        with pytest.raises(InputError, match="the password is wrong"):
            Identity.read(tmp_path / "r", _says(other))
    with pytest.raises(InputError, match=r"password of .*: needed, and not given"):
        Identity.read(tmp_path / "r")
    with pytest.raises(InputError, match="at least one character"):
        new_identity(tmp_path / "s", Kem.X25519, "")
    assert not (tmp_path / "s").exists()


def test_a_private_key_that_others_can_read(tmp_path: Path) -> None:
    new_identity(tmp_path / "r")
    (tmp_path / "r").chmod(0o640)
    with pytest.raises(InputError, match="for its owner alone expected"):
        Identity.read(tmp_path / "r")


def _pem(kem: Kem = Kem.HYBRID) -> bytes:
    return Identity.new(kem).pem


def _blocks(pem: bytes) -> list[bytes]:
    first, rest = pem.split(b"\n-----BEGIN", 1)
    return [first + b"\n", b"-----BEGIN" + rest]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "in PEM expected"),
        (b"\0" * 100, "in PEM expected"),
        (b"x" * 70_000, "at most 65536 bytes"),
        (_pem() + b"more", "in PEM expected"),
        (_pem() + _pem(), "more found"),
        (_pem(Kem.X25519) * 2, "another kind found"),
        (b"".join(reversed(_blocks(_pem()))), "another kind found"),
        (_blocks(_pem())[0], "another kind found"),
        (PrivateKey.new().pem, "another kind found"),
        (Identity.new().recipient.pem, "another kind found"),
        (
            _blocks(Identity.new().encrypted_pem("a"))[0] + _pem(Kem.X25519),
            "both parts of the key encrypted",
        ),
    ],
)
def test_what_is_no_recipients_private_key(tmp_path: Path, data: bytes, message: str) -> None:
    (tmp_path / "r").write_bytes(data)
    (tmp_path / "r").chmod(0o600)
    with pytest.raises(InputError, match=message):
        Identity.read(tmp_path / "r", lambda _: "a")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "in PEM expected"),
        (_pem(), "a private one found"),
        (Identity.new().encrypted_pem("a"), "a private one found"),
        (PrivateKey.new().public.pem, "another kind found"),
        (Identity.new(Kem.X25519).recipient.pem * 2, "another kind found"),
        (Identity.new(Kem.X25519).recipient.pem * 3, "more found"),
    ],
)
def test_what_is_no_recipients_public_key(tmp_path: Path, data: bytes, message: str) -> None:
    (tmp_path / "r.pub").write_bytes(data)
    with pytest.raises(InputError, match=message):
        Recipient.read(tmp_path / "r.pub")


@given(st.data())
def test_a_mutated_key_file_is_read_or_refused(data: st.DataObject) -> None:
    """Nothing but `InputError`, whatever is in the file."""
    import tempfile

    good = _pem()
    place = data.draw(st.integers(0, len(good)))
    bad = (
        good[:place]
        + data.draw(st.binary(max_size=8))
        + good[place + data.draw(st.integers(0, 8)) :]
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "r")
        path.write_bytes(bad)
        path.chmod(0o600)
        with contextlib.suppress(InputError):
            Identity.read(path)


def test_nothing_is_encrypted_to_a_point_of_low_order() -> None:
    """RFC 7748, section 6.1: such a key gives everybody the same secret."""
    for point in (bytes(32), b"\1" + bytes(31)):
        recipient = Recipient(X25519PublicKey.from_public_bytes(point))
        with pytest.raises(InputError, match="nothing can be encrypted to it"):
            recipient.wrap(b"secret", INFO)


def test_a_secret_is_not_shown() -> None:
    assert "x25519" not in repr(Identity.new())


def test_without_hpke_there_is_one_clear_error() -> None:
    code = (
        "import sys\n"
        "sys.modules['cryptography.hazmat.primitives.hpke'] = None\n"
        "import credenza.seal\n"
        "from credenza.errors import MissingExtraError\n"
        "try:\n"
        "    import credenza.seal.encryption\n"
        "except MissingExtraError as e:\n"
        "    print(e, e.hint)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == (
        "an encrypted model needs the extra 'encrypt', which is not installed "
        "pip install 'credenza[encrypt]'\n"
    )


def _says(password: str) -> Callable[[str], str]:
    return lambda _: password
