"""Fixtures of several tests here."""

from tests.attest.softhsm import tokens  # noqa: F401  a fixture
from tests.cli.test_cli import model, run  # noqa: F401  fixtures
from tests.cli.words import folder  # noqa: F401  a fixture
