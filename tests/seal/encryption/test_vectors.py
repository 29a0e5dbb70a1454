"""The vectors under ``tests/vectors/encrypted``, made by ``tests/vectors/make_encrypted.py``."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from credenza import errors
from credenza.attest import Trust
from credenza.errors import RefusedError
from credenza.seal import encryption as enc
from credenza.seal import read, verify
from credenza.seal.encryption import Identity
from tests.seal.encryption import reference

ALL_VECTORS = Path(__file__).parent.parent.parent / "vectors"
VECTORS = ALL_VECTORS / "encrypted"
PLAIN = ALL_VECTORS / "seal" / "reader"
TRUST = Trust.read(ALL_VECTORS / "seal" / "key.pub")
REFUSED: dict[str, list[str]] = json.loads((VECTORS / "refused.json").read_text())


def _identity(name: str, folder: Path) -> Identity:
    path = Path(shutil.copy(VECTORS / f"{name}.key", folder))
    path.chmod(0o600)
    return Identity.read(path)


@pytest.mark.parametrize("name", ["x25519", "hybrid"])
def test_what_was_encrypted_today_opens_for_ever(tmp_path: Path, name: str) -> None:
    identity = _identity(name, tmp_path)
    enc.decrypt(VECTORS / "reader", TRUST, identity, tmp_path / "plain")
    roots = json.loads((ALL_VECTORS / "seal" / "roots.json").read_text())
    assert verify(tmp_path / "plain", TRUST).value.seal.root.hex() == roots["blake3"]
    for path in PLAIN.rglob("*"):
        if path.is_file():
            assert (tmp_path / "plain" / path.relative_to(PLAIN)).read_bytes() == path.read_bytes()


@pytest.mark.parametrize("name", ["x25519", "hybrid"])
def test_the_reference_opens_it_too(tmp_path: Path, name: str) -> None:
    identity = _identity(name, tmp_path)
    _, sealed, files = reference.decrypt(VECTORS / "reader", identity.x25519, identity.mlkem)
    assert sealed == (ALL_VECTORS / "seal" / "blake3.seal").read_bytes()
    assert files == {
        str(p.relative_to(PLAIN)): p.read_bytes() for p in PLAIN.rglob("*") if p.is_file()
    }


def test_each_vector_says_what_it_expects() -> None:
    assert {path.name for path in (VECTORS / "refused").iterdir()} == REFUSED.keys()


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_a_vector_is_refused(tmp_path: Path, name: str) -> None:
    error, message = REFUSED[name]
    with pytest.raises(RefusedError, match=message) as refused:
        read(VECTORS / "refused" / name, TRUST, identity=_identity("hybrid", tmp_path))
    assert type(refused.value) is getattr(errors, error)
    with pytest.raises(RefusedError, match=message):
        enc.decrypt(
            VECTORS / "refused" / name,
            TRUST,
            _identity("hybrid", tmp_path),
            tmp_path / "plain",
        )
    assert not (tmp_path / "plain").exists()
