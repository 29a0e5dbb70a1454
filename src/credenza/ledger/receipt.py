"""Receipts that are checked without the log. https://c2sp.org/tlog-proof."""

from __future__ import annotations

from dataclasses import dataclass

from credenza.errors import InputError, UntrustedError
from credenza.ledger.algorithms import Kind
from credenza.ledger.checkpoint import Checkpoint
from credenza.ledger.content import Content, Leaf
from credenza.ledger.keys import VerifierKey
from credenza.ledger.note import Note
from credenza.ledger.spelling import from_base64, hash_from, number, to_base64
from credenza.ledger.tree import check_inclusion, leaf_hash

LARGEST_RECEIPT = 1024 * 1024
MOST_HASHES = 63
_FIRST = "c2sp.org/tlog-proof@v1"


@dataclass(frozen=True, slots=True)
class Receipt:
    """Proof that an entry is at ``index`` of the log whose checkpoint it holds.

    ``extra`` is opaque and proved by nothing. ``Receipt.parse(bytes(r)) == r``, and ``parse``
    accepts nothing that ``bytes`` would not have written. `check_receipt` says what it is worth.
    """

    index: int
    proof: tuple[bytes, ...]
    checkpoint: Note
    extra: bytes | None = None

    @classmethod
    def parse(cls, data: bytes) -> Receipt:
        """Read a ``.tlog-proof``. Raises `InputError` for anything else."""
        if len(data) > LARGEST_RECEIPT:
            raise InputError(f"receipt: at most {LARGEST_RECEIPT} bytes expected, more found")
        head, blank, note = data.partition(b"\n\n")
        try:
            first, *lines = head.decode().split("\n")
        except UnicodeDecodeError as e:
            raise InputError("receipt: UTF-8 expected, other bytes found") from e
        if first != _FIRST or not blank:
            raise InputError(f"receipt: {_FIRST}, its lines and a checkpoint expected")
        extra = None
        if lines and lines[0].startswith("extra "):
            extra = from_base64(lines.pop(0).removeprefix("extra "), "receipt: extra")
        if not lines or not lines[0].startswith("index "):
            raise InputError("receipt: a line index NUMBER expected")
        index, *hashes = lines
        if len(hashes) > MOST_HASHES:
            raise InputError(f"receipt: at most {MOST_HASHES} hashes expected, {len(hashes)} found")
        return cls(
            number(index.removeprefix("index "), "receipt: index"),
            tuple(hash_from(line, "receipt: proof") for line in hashes),
            Note.parse(note),
            extra,
        )

    def __bytes__(self) -> bytes:
        lines = [_FIRST]
        if self.extra is not None:
            lines.append(f"extra {to_base64(self.extra)}")
        lines += [f"index {self.index}", *map(to_base64, self.proof)]
        return "\n".join(lines).encode() + b"\n\n" + bytes(self.checkpoint)


@dataclass(frozen=True, slots=True)
class Policy:
    """Whose word for a checkpoint is enough: the log's, and that of some witnesses.

    ``threshold`` of the witnesses must have cosigned it; all of them where none is given. Raises
    `InputError` for a threshold out of reach, and a witness that would be counted twice.
    """

    log: VerifierKey
    witnesses: tuple[VerifierKey, ...] = ()
    threshold: int | None = None

    def __post_init__(self) -> None:
        for key in self.witnesses:
            if key.kind is Kind.LOG:
                raise InputError(f"policy: a witness's key expected, {key.name} has a log's")
        for known in ({key.name for key in self.witnesses}, {k.public for k in self.witnesses}):
            if len(known) < len(self.witnesses) or known & {self.log.name, self.log.public}:
                raise InputError("policy: witnesses with names and keys of their own expected")
        if self.threshold is not None and not 0 <= self.threshold <= len(self.witnesses):
            raise InputError(
                f"policy: a threshold of 0 to {len(self.witnesses)} expected, "
                f"{self.threshold} given"
            )

    def check(self, note: Note) -> Checkpoint:
        """The checkpoint in a note, parsed only after its signatures were checked.

        Raises `UntrustedError` where the log did not sign it, too few witnesses did, a line by one
        of these keys is wrong, or it is another log's; `InputError` where it is no checkpoint.
        """
        self.log.check(note)
        cosigned = []
        for key in self.witnesses:
            if any((s.name, s.key_id) == (key.name, key.id) for s in note.signatures):
                key.check(note)
                cosigned.append(key.name)
        needed = len(self.witnesses) if self.threshold is None else self.threshold
        if len(cosigned) < needed:
            raise UntrustedError(
                f"checkpoint: {needed} of the witnesses "
                f"{', '.join(key.name for key in self.witnesses)} expected, "
                f"{', '.join(cosigned) or 'none'} cosigned it"
            )
        checkpoint = Checkpoint.parse(note.text)
        if checkpoint.origin != self.log.name:
            raise UntrustedError(
                f"checkpoint: of log {self.log.name!r} expected, {checkpoint.origin!r} found"
            )
        return checkpoint


def check_receipt(receipt: Receipt, content: Content, policy: Policy) -> Checkpoint:
    """The checkpoint of a log that holds ``content`` at ``receipt.index``, as the policy says.

    Raises `UntrustedError` where the receipt does not prove it, `InputError` where it holds no
    checkpoint.
    """
    checkpoint = policy.check(receipt.checkpoint)
    leaf = leaf_hash(bytes(Leaf.of(content)))
    check_inclusion(checkpoint.head, receipt.index, leaf, receipt.proof)
    return checkpoint
