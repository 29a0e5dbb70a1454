"""What was done, in which order: an append-only record that nobody can quietly change.

The format is specified in ``docs/formats/ledger.md``.
"""

from credenza.ledger.entry import Entry
from credenza.ledger.log import Ledger, Receipt
from credenza.ledger.tree import Head, check_consistency, check_inclusion

__all__ = ["Entry", "Head", "Ledger", "Receipt", "check_consistency", "check_inclusion"]
