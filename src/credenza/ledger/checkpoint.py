"""The head of a log as text. https://c2sp.org/tlog-checkpoint, section Note text."""

from __future__ import annotations

from dataclasses import dataclass

from credenza.errors import InputError
from credenza.ledger.spelling import hash_from, number, to_base64
from credenza.ledger.tree import Head


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a log signs: whose log it is, how many entries it has, and the root over them.

    ``Checkpoint.parse(str(c)) == c``, and ``parse`` accepts nothing that ``str`` would not have
    written. ``extensions`` are lines that other logs may add; ours has none.
    """

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for line in (self.origin, *self.extensions):
            if not line or not line.isprintable():
                raise InputError(f"checkpoint: a line of printable text expected, {line!r} found")
        if not 0 <= self.size < 2**63 or len(self.root) != 32:
            raise InputError("checkpoint: a size below 2**63 and a root of 32 bytes expected")

    @classmethod
    def parse(cls, text: str) -> Checkpoint:
        """Read a note's text. Raises `InputError` for anything else."""
        lines = text.split("\n")
        if len(lines) < 4 or lines.pop() != "":
            raise InputError("checkpoint: lines of origin, size and root hash expected")
        origin, size, root, *extensions = lines
        return cls(
            origin,
            number(size, "checkpoint: size"),
            hash_from(root, "checkpoint: root"),
            tuple(extensions),
        )

    def __str__(self) -> str:
        lines = (self.origin, str(self.size), to_base64(self.root), *self.extensions)
        return "".join(f"{line}\n" for line in lines)

    @property
    def head(self) -> Head:
        """Size and root."""
        return Head(self.size, self.root)
