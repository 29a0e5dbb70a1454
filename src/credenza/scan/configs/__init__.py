"""Configurations that say what a loader imports: Hugging Face, Hydra, MLflow, skops, spaCy."""

from __future__ import annotations

from credenza.scan.configs.members import Check, Members

__all__ = ["Check", "Members"]
