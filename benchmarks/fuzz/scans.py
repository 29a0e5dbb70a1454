"""Rules and containers of the scan as parsers to fuzz, each by itself, and the scan as a whole.

A new rule or container is here by itself. Imported in the fuzzer's own environment too, so that
nothing which only tests have is imported at the top.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from credenza.artifact import Held
from credenza.errors import InputError
from credenza.scan import (
    CONTAINERS,
    RULES,
    Budget,
    Container,
    Limits,
    OverBudgetError,
    Piece,
    Rule,
    scan,
)
from credenza.scan.interface import Seen

Looker = Rule | Container

LOOKERS: Final[dict[str, Looker]] = {
    **{f"scan container, {looker.name}": looker for looker in CONTAINERS},
    **{f"scan rule, {looker.name}": looker for looker in RULES},
}
"""By the name of their targets."""

SUFFIXES: Final = (
    ".bin", ".pkl", ".pt", ".joblib", ".npy", ".zip", ".tar", ".gz", ".h5", ".keras", ".json",
    ".onnx", ".pb", ".tflite", ".gguf", ".safetensors", ".skops", ".msgpack", ".pmml", ".xml",
    ".yaml", ".cfg", ".jinja", ".py", ".ipynb", ".pyc", ".sh", ".so", ".png", ".txt", ".pth",
    ".html", "",
)  # fmt: skip
"""By the first byte of an input, what its name ends in: a name is read too."""
_WHOLE_NAMES: Final = ("tokenizer_config.json", "config.json", "requirements.txt", "config.cfg")
NAMES: Final = (*(f"model{suffix}" for suffix in SUFFIXES), *_WHOLE_NAMES)
_HEAD: Final = 4096


def piece(data: bytes) -> Piece:
    """An input as a file: its name by its first byte, and its content.

    Raises `InputError` for no byte at all.
    """
    if not data:
        raise InputError("at least a byte expected")
    name = NAMES[data[0] % len(NAMES)]
    return Piece(path=name, content=Held(name, data[1:]), file=name)


def looked_at_by(looker: Looker, unfit: type[Exception]) -> Callable[[bytes], object]:
    """What one rule or container does with an input; ``unfit`` where it does not claim it.

    Only what `credenza.scan` promises to catch may come out: a recursion too deep or memory that
    ran out is a fault here, though a scan goes on after it.
    """

    def parse(data: bytes) -> object:
        file = piece(data)
        if not looker.claims(file):
            raise unfit
        try:
            return sum(_used(seen) for seen in _looking(looker, file))
        except OverBudgetError:
            return None

    return parse


def _looking(looker: Looker, file: Piece) -> Iterator[Seen]:
    if isinstance(looker, Container):
        return looker.open(file, Budget(file.size, Limits()))
    return looker.examine(file)


def _used(seen: Seen) -> int:
    """A piece is read as the next one to look at it would begin to."""
    return len(seen.head(_HEAD)) if isinstance(seen, Piece) else 1


def whole(unfit: type[Exception]) -> Callable[[bytes], object]:
    """The scan of a file of its own."""
    folder = Path(tempfile.mkdtemp(prefix="credenza-fuzz-"))

    def parse(data: bytes) -> object:
        try:
            file = piece(data)
        except InputError as e:
            raise unfit from e
        path = folder / file.path
        path.write_bytes(data[1:])
        try:
            return scan(path)
        finally:
            path.unlink()

    return parse


def seeds(target: str, largest: int) -> Iterator[bytes]:
    """The malicious population, and what is inside of it, as far as the target looks at it."""
    looker = LOOKERS.get(target)
    for data in _all(largest):
        if looker is None or looker.claims(piece(data)):
            yield data


def _all(largest: int) -> Iterator[bytes]:
    """Every file of the population as an input, and every file inside of one."""
    from tests.scan.population import population

    for vector in population():
        for path, data in vector.files:
            if len(data) < largest:
                yield from _opened(_input(path, data), largest)


def _opened(data: bytes, largest: int) -> Iterator[bytes]:
    yield data
    file = piece(data)
    for container in CONTAINERS:
        try:
            if container.claims(file):
                for seen in container.open(file, Budget(file.size, Limits())):
                    if isinstance(seen, Piece) and seen.size < largest:
                        yield _input(seen.path, seen.head(largest))
        except (OverBudgetError, InputError):
            continue


def _input(path: str, data: bytes) -> bytes:
    """A file as an input: its name is the one that is most like its own."""
    name = Path(path).name
    same = [i for i, other in enumerate(NAMES) if other == name]
    alike = [i for i, suffix in enumerate(SUFFIXES) if suffix and name.endswith(suffix)]
    return bytes([(same or alike or [0])[0]]) + data
