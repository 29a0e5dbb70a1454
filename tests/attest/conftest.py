"""Fixtures of several tests here."""

from tests.attest.softhsm import tokens  # noqa: F401  a fixture
