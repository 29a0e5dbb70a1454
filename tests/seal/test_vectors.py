"""The vectors under ``tests/vectors/seal``, which ``tests/vectors/make_seal.py`` makes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from credenza.attest import Trust
from credenza.errors import UntrustedError
from credenza.seal import Algorithm, seal_path, verify
from tests.seal import reference

VECTORS = Path(__file__).parent.parent / "vectors" / "seal"
TRUST = Trust.read(VECTORS / "key.pub")
ROOTS: dict[str, str] = json.loads((VECTORS / "roots.json").read_text())
REFUSED: dict[str, str] = json.loads((VECTORS / "refused.json").read_text())


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return shutil.copytree(VECTORS / "reader", tmp_path / "reader")


@pytest.mark.parametrize("algorithm", list(Algorithm))
def test_a_seal_of_today_verifies_for_ever(model: Path, algorithm: Algorithm) -> None:
    shutil.copy(VECTORS / f"{algorithm.value}.seal", seal_path(model))
    verified = verify(model, TRUST)
    assert verified.value.seal.root.hex() == ROOTS[algorithm.value]
    assert verified.value.sealed_at.isoformat() == "2026-11-23T12:00:00+00:00"


def test_each_vector_says_what_it_expects() -> None:
    assert {path.stem for path in (VECTORS / "refused").iterdir()} == REFUSED.keys()


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_a_signed_seal_that_is_not_well_formed_is_refused(model: Path, name: str) -> None:
    shutil.copy(VECTORS / "refused" / f"{name}.seal", seal_path(model))
    with pytest.raises(UntrustedError, match=REFUSED[name]):
        verify(model, TRUST)


def test_the_reference_knows_the_roots_too(model: Path) -> None:
    """Against the statement on disk, so that neither implementation vouches for itself."""
    for algorithm, root in ROOTS.items():
        data = json.loads((VECTORS / f"{algorithm}.seal").read_bytes())
        predicate = reference.predicate_of(data["payload"])
        assert reference.root(predicate, model) == root
