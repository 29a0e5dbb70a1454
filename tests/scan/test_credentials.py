"""Secrets in texts: each kind is found and masked; words, hashes and examples are not."""

from __future__ import annotations

import random
import string
import zlib
from pathlib import Path

import pytest

from credenza.artifact import Held
from credenza.findings import Severity
from credenza.scan import Piece, scan
from credenza.scan.credentials import found, found_in

draw = random.Random(7)  # what is drawn opens nothing
LETTERS = string.ascii_letters
BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase


def drawn(count: int, of: str = LETTERS + string.digits) -> str:
    return "".join(draw.choices(of, k=count))


def checked(prefix: str) -> str:
    body = drawn(30)
    number, digits = zlib.crc32(body.encode()), ""
    for _ in range(6):
        number, digit = divmod(number, 62)
        digits = BASE62[digit] + digits
    return prefix + body + digits


SECRETS = [
    "hf_" + drawn(34, LETTERS),
    checked("ghp_"),
    checked("npm_"),
    "github_pat_" + drawn(22) + "_" + drawn(59),
    "glpat-" + drawn(20),
    "AIzaSy" + drawn(33),
    "AKIA" + drawn(16, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"),
    "sk_live_" + drawn(24),
    "-----BEGIN RSA PRIVATE KEY-----\n" + drawn(64) + "\n-----END RSA PRIVATE KEY-----",
]


@pytest.mark.parametrize("secret", SECRETS)
def test_a_secret_is_found_and_masked(secret: str, tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text(f"key: '{secret}'\n")
    (finding,) = scan(tmp_path).findings
    assert (finding.rule, finding.severity) == ("scan.secret", Severity.MEDIUM)
    assert finding.where.start == 6
    assert secret not in str(finding)
    assert secret[-20:] not in str(finding)


@pytest.mark.parametrize("name", ["a.py", ".env", "config.json"])
def test_secrets_are_looked_for_where_they_lie(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(f'{{"A": "{SECRETS[0]}"}}')
    assert [f.rule for f in scan(tmp_path).findings] == ["scan.secret"]


@pytest.mark.parametrize(
    "text",
    [
        "hf_" + "a" * 34,
        "hf_" + drawn(35, LETTERS),
        "hf_" + drawn(33, LETTERS),
        "shelf_" + drawn(34, LETTERS),
        "ghp_" + "0" * 36,
        "AKIAIOSFODNN7EXAMPLE",
        "AKIA" + "A" * 16,
        "-----BEGIN PUBLIC KEY-----\n" + drawn(64),
        "-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----",
        "\n".join(drawn(8) for _ in range(20_000)),
        "sk-proj-" + "x" * 60,
    ],
)
def test_what_is_no_secret(text: str) -> None:
    assert list(found(text.encode())) == []


def test_a_secret_across_two_chunks_is_found_once() -> None:
    at = (4 << 20) - 10
    data = b"a " * (at // 2) + SECRETS[0].encode() + b" b" * 1000
    piece = Piece(path="a.txt", content=Held("a.txt", data), file="a.txt")
    assert [f.where.start for f in found_in(piece)] == [at]
