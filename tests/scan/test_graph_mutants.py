"""Whatever becomes of a file, its scan ends, soon, with a report."""

from __future__ import annotations

import contextlib
import random
import time
from pathlib import Path

import pytest

from credenza.artifact.interface import Held
from credenza.errors import MalformedError
from credenza.scan import RULES, Piece
from tests.scan.graphs import FOLDER

FILES = sorted(p for p in FOLDER.rglob("*") if p.suffix in (".h5", ".pb", ".tflite", ".pbtxt"))
SMALL = [p for p in FILES if p.stat().st_size < 50_000]
NUMBERS = (b"\0\0\0\0", b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", b"\x01\0\0\0")


def mutant(data: bytes, seed: int) -> bytes:
    """A few bytes changed, left out, or repeated; or the end cut off."""
    draw = random.Random(seed)
    out = bytearray(data)
    for _ in range(draw.choice((1, 1, 2, 8))):
        at = draw.randrange(len(out))
        match draw.randrange(4):
            case 0:
                out[at] = draw.randrange(256)
            case 1:
                out[at : at + 4] = draw.choice(NUMBERS)
            case 2:
                del out[at : at + draw.randrange(1, 32)]
            case _:
                out[at:at] = out[at : at + draw.randrange(1, 64)]
    return bytes(out[: draw.randrange(1, len(out))] if draw.random() < 0.1 else out)


def look(name: str, data: bytes) -> int:
    """How many rules claim it and say something, or nothing, of it."""
    piece = Piece(path=name, content=Held(name, data), file=name)
    claimed = [rule for rule in RULES if rule.claims(piece)]
    for rule in claimed:
        with contextlib.suppress(MalformedError):  # as the scan does, which reports it
            assert all(str(seen) for seen in rule.examine(piece))
    return len(claimed)


@pytest.mark.parametrize("path", SMALL, ids=lambda p: f"{p.parent.name}/{p.name}")
def test_mutants(path: Path) -> None:
    data = path.read_bytes()
    for seed in range(40):
        look(path.name, mutant(data, seed))


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.pb", b"\x0a\x00" * 100_000),
        ("a.pb", b"\x0a\x0b\x0a\x01n\x12\x06PyFunc" * 20_000),
        ("a.onnx", b"\x08\x07\x3a\xc0\x9a\x0c" + b"\x0a\x00" * 100_000),
        ("a.pbtxt", b"op #" * 250_000),
        ("a.pbtxt", b"op" + b" " * 1_000_000),
        ("a.json", b'{"class_name":' + b"[" * 1_000_000),
        ("a.json", b'{"class_name":"A","class_name":' * 900 + b"1" + b"}" * 900),
        ("a.h5", b"\x89HDF\r\n\x1a\n" * 100_000),
    ],
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_a_hostile_file_takes_no_time(name: str, data: bytes) -> None:
    """By the processor's clock, since other tests may run beside it."""
    start = time.process_time()
    assert look(name, data)
    assert time.process_time() - start < 5
