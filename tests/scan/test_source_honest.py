"""Honest code is not accused: models as transformers ships them, and what models are made with."""

from __future__ import annotations

import functools
from pathlib import Path

import pytest

from credenza.findings import Severity
from credenza.scan.source import judged, parsed

transformers = pytest.importorskip("transformers")
sklearn = pytest.importorskip("sklearn")


def _every(files: list[Path], count: int) -> list[Path]:
    """``count`` of them at equal distances, as they are sorted: nobody has chosen them."""
    files = sorted(files)
    return files[:: max(1, len(files) // count)]


MODELS = Path(transformers.__file__).parent / "models"
SAMPLE = [
    *_every(list(MODELS.glob("*/modeling_*.py")), 24),
    *_every(list(MODELS.glob("*/configuration_*.py")), 12),
    *_every(list(MODELS.glob("*/tokenization_*.py")), 12),
    *_every(list(MODELS.glob("*/*processing_*.py")), 6),
    *_every([p for p in Path(sklearn.__file__).parent.rglob("*.py") if "tests" not in p.parts], 10),
]


@functools.cache
def _worst(path: Path) -> Severity:
    return max((s.severity for s in judged(parsed(path.read_bytes()))), default=Severity.NOTE)


@pytest.mark.parametrize("path", SAMPLE, ids=lambda path: path.name)
def test_an_honest_module_is_not_accused(path: Path) -> None:
    assert _worst(path) < Severity.HIGH


def test_honest_models_hardly_ask_for_an_eye() -> None:
    models = [path for path in SAMPLE if MODELS in path.parents]
    assert len(models) >= 50
    asked = [path for path in models if _worst(path) >= Severity.MEDIUM]
    assert len(asked) / len(models) < 0.05
