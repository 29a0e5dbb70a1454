"""Pickles by hand, and what the rule says of them."""

from __future__ import annotations

import struct

from credenza.artifact.interface import Held
from credenza.findings import Finding, Severity, Unread
from credenza.scan.interface import Piece
from credenza.scan.rules.npy import NpyObjects
from credenza.scan.rules.pickles import Pickles

MARKER = "credenza-was-here"
TOUCH = f"touch {MARKER}"


def text(word: str) -> bytes:
    """BINUNICODE."""
    data = word.encode()
    return b"X" + struct.pack("<I", len(data)) + data


def call(name: str, *arguments: bytes) -> bytes:
    """GLOBAL, its arguments, REDUCE."""
    module, _, last = name.rpartition(".")
    return f"c{module}\n{last}\n(".encode() + b"".join(arguments) + b"tR"


SYSTEM = call("os.system", text(TOUCH))
EVIL = b"\x80\x02" + SYSTEM + b"."


class Seen:
    """What the rules say of a file and of the pieces that they find in it."""

    def __init__(
        self, data: bytes, path: str = "x.pkl", said: str = "", rule: Pickles | None = None
    ) -> None:
        self.claimed = False
        self.findings: list[Finding] = []
        self.unread: list[Unread] = []
        self.members: list[str] = []
        self._look(Piece(path=path, content=Held(path, data), file=path, said=said), rule)

    def _look(self, piece: Piece, rule: Pickles | None) -> None:
        self.members += piece.inside[-1:]
        for looker in (rule or Pickles(), NpyObjects()):
            if not looker.claims(piece):
                continue
            self.claimed = True
            for seen in looker.examine(piece):
                match seen:
                    case Finding():
                        self.findings.append(seen)
                    case Unread():
                        self.unread.append(seen)
                    case Piece():
                        self._look(seen, rule)

    @property
    def worst(self) -> Severity:
        return max((f.severity for f in self.findings), default=Severity.NOTE)

    @property
    def found(self) -> set[str]:
        return {f.found for f in self.findings}

    @property
    def rules(self) -> set[str]:
        return {f.rule.partition(".")[2] for f in self.findings}
