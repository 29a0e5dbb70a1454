"""Signed notes: text, and signature lines under it.

https://c2sp.org/signed-note, sections Format and Signatures.
"""

from __future__ import annotations

from dataclasses import dataclass

from credenza.errors import InputError
from credenza.ledger.spelling import from_base64, to_base64

LARGEST_NOTE = 256 * 1024  # bytes; 64 signatures of ML-DSA-44 in base64 fit
MOST_SIGNATURES = 64
_DASH = "— "


def check_name(name: str) -> None:
    """Raises `InputError` unless this can be a key's name: no spaces, no plus, nothing unseen."""
    if not name or "+" in name or not name.isprintable() or any(c.isspace() for c in name):
        raise InputError(f"key name: printable text without spaces or + expected, {name!r} given")


@dataclass(frozen=True, slots=True)
class NoteSignature:
    """One signature line: ``— name base64(key id ‖ signature)``. The key id is 4 bytes."""

    name: str
    key_id: bytes
    signature: bytes

    @classmethod
    def parse(cls, line: str) -> NoteSignature:
        """Read a line, without its line feed. Raises `InputError` for anything else."""
        name, space, encoded = line.removeprefix(_DASH).partition(" ")
        if not line.startswith(_DASH) or not space:
            raise InputError(f"note: a signature line expected, {line[:60]!r} found")
        check_name(name)
        data = from_base64(encoded, "note: signature")
        if len(data) <= 4:
            raise InputError(f"note: a key id and a signature expected, {len(data)} bytes found")
        return cls(name, data[:4], data[4:])

    def __str__(self) -> str:
        return f"{_DASH}{self.name} {to_base64(self.key_id + self.signature)}"


@dataclass(frozen=True, slots=True)
class Note:
    """Text that ends in a line feed, and who is said to have signed it. Nothing is verified.

    ``Note.parse(bytes(n)) == n``, and ``parse`` accepts nothing that ``bytes`` would not have
    written.
    """

    text: str
    signatures: tuple[NoteSignature, ...]

    @classmethod
    def parse(cls, data: bytes) -> Note:
        """Read a note. Raises `InputError` for anything else."""
        if len(data) > LARGEST_NOTE:
            raise InputError(f"note: at most {LARGEST_NOTE} bytes expected, {len(data)} found")
        try:
            whole = data.decode()
        except UnicodeDecodeError as e:
            raise InputError("note: UTF-8 expected, other bytes found") from e
        if any(c < " " and c != "\n" for c in whole):
            raise InputError("note: no control characters expected, some found")
        text, blank, lines = whole.rpartition("\n\n")  # the last empty line parts them
        if not blank or not lines.endswith("\n"):
            raise InputError("note: text, an empty line and signature lines expected")
        signatures = lines[:-1].split("\n")
        if len(signatures) > MOST_SIGNATURES:
            raise InputError(f"note: at most {MOST_SIGNATURES} signatures expected, more found")
        return cls(text + "\n", tuple(NoteSignature.parse(line) for line in signatures))

    def __bytes__(self) -> bytes:
        return "\n".join([self.text, *map(str, self.signatures), ""]).encode()

    def joined(self, more: tuple[NoteSignature, ...]) -> Note:
        """The note with ``more``: of several by one key the last is kept, in the first's place."""
        merged = {(s.name, s.key_id): s for s in (*self.signatures, *more)}
        return Note(self.text, tuple(merged.values()))
