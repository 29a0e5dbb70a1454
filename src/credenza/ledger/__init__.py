"""What was done, in which order: a transparency log that nobody can quietly change.

The format is specified in ``docs/formats/ledger.md``.
"""

from credenza.ledger.algorithms import Kind
from credenza.ledger.checkpoint import Checkpoint
from credenza.ledger.content import Content, Leaf
from credenza.ledger.entry import Entry
from credenza.ledger.keys import SigningKey, VerifierKey
from credenza.ledger.log import Checked, Ledger
from credenza.ledger.note import Note, NoteSignature
from credenza.ledger.receipt import Policy, Receipt, check_receipt
from credenza.ledger.storage import Folder, Storage
from credenza.ledger.tree import Head, check_consistency, check_inclusion
from credenza.ledger.view import Record

__all__ = [
    "Checked",
    "Checkpoint",
    "Content",
    "Entry",
    "Folder",
    "Head",
    "Kind",
    "Leaf",
    "Ledger",
    "Note",
    "NoteSignature",
    "Policy",
    "Receipt",
    "Record",
    "SigningKey",
    "Storage",
    "VerifierKey",
    "check_consistency",
    "check_inclusion",
    "check_receipt",
]
