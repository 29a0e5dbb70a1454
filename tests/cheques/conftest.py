"""Digits without a network."""

from __future__ import annotations

import pytest

from credenza.cheques.digits import Digits, small_digits


@pytest.fixture(scope="session")
def digits() -> Digits:
    return small_digits()
