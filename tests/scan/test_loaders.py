"""Which version of a loader is immune to what."""

from __future__ import annotations

import re

import pytest

from credenza.scan.loaders import FLAWS, immune


def test_it_says_from_which_version_on() -> None:
    assert immune("CVE-2025-32434") == (
        "torch is immune from 2.6.0 on (CVE-2025-32434: code runs in spite of weights_only=True)."
    )
    assert immune("CVE-2026-42627").startswith("no version of TensorFlow Lite is known")
    with pytest.raises(KeyError):
        immune("CVE-0000-0000")


def test_every_flaw_is_named_once_and_well() -> None:
    for id_, flaw in FLAWS.items():
        assert re.fullmatch(r"CVE-20\d\d-\d{4,6}", id_)
        assert re.fullmatch(r"b?\d+(\.\d+)*|", flaw.fixed)
        assert flaw.loader
        assert flaw.what
