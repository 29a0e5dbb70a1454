"""Logs to test with, and ways to spoil them."""

from __future__ import annotations

import shutil
from pathlib import Path

from credenza.attest import Envelope, Signature
from credenza.ledger import Entry, Kind, Ledger, Receipt, SigningKey

ORIGIN = "example.com/log"
KEY = SigningKey(ORIGIN, Kind.LOG, bytes(range(32)))


def act(n: int = 0, actor: str = "Ada") -> Entry:
    return Entry(
        time="2026-11-23T21:30:00Z",
        action="sealed",
        root="0f" * 32,
        actor=actor,
        detail=(("n", str(n)),),
    )


def envelope(n: int = 0) -> Envelope:
    return Envelope(b'{"n":%d}' % n, "application/x", (Signature("someone", bytes(64)),))


def filled(path: Path, size: int = 4) -> list[Receipt]:
    """A log of acts, and every third an envelope; appended in batches of 1, 2, 3 and so on."""
    ledger = Ledger.create(path, ORIGIN)
    contents = [envelope(n) if n % 3 == 2 else act(n) for n in range(size)]
    receipts: list[Receipt] = []
    batch = 1
    while len(receipts) < size:
        receipts += ledger.append_many(contents[len(receipts) : len(receipts) + batch])
        batch += 1
    return receipts


def copied(path: Path, name: str) -> Path:
    """The log and its keys, under another name."""
    other = path.with_name(name)
    shutil.copytree(path, other)
    for suffix in (".key", ".vkey"):
        shutil.copy(path.with_name(path.name + suffix), other.with_name(name + suffix))
    return other
