"""How a ledger that is not what it was is refused."""

from __future__ import annotations

from credenza.errors import AlteredError, MalformedError
from credenza.findings import Finding, Report, Severity, Where
from credenza.ledger.checkpoint import Checkpoint


def malformed(file: str, found: Exception) -> MalformedError:
    """A file of the ledger is not in its format."""
    return MalformedError(
        Finding(
            rule="ledger.malformed",
            severity=Severity.CRITICAL,
            what=f"the file is not in the ledger's format: {found}",
            where=Where(file=file),
        )
    )


def missing(ledger: str, file: str) -> AlteredError:
    """A file that the checkpoint needs is not there."""
    return _altered(ledger, "missing", "a file that the checkpoint needs is missing", file)


def tile_altered(ledger: str, file: str, expected: bytes, found: bytes) -> AlteredError:
    """A tile does not hash to what the tiles above it say."""
    what = "its hashes are not those that were recorded"
    return _altered(ledger, "tile-altered", what, file, expected.hex(), found.hex())


def entry_altered(
    ledger: str, file: str, index: int, expected: bytes, found: bytes
) -> AlteredError:
    """An entry does not hash to its leaf."""
    what = f"entry {index} is not the one that was recorded"
    return _altered(ledger, "entry-altered", what, file, expected.hex(), found.hex())


def content_altered(
    ledger: str, file: str, index: int, expected: bytes, found: bytes
) -> AlteredError:
    """A content does not hash to its entry."""
    what = f"the content of entry {index} is not the one that was recorded"
    return _altered(ledger, "content-altered", what, file, expected.hex(), found.hex())


def rolled_back(ledger: str, seen: Checkpoint, found: int) -> AlteredError:
    """The log has fewer entries than it once had."""
    what = f"the log of {seen.origin} has fewer entries than it once had"
    return _altered(
        ledger, "rolled-back", what, "checkpoint", f"{seen.size} or more", f"{found} entries"
    )


def forked(ledger: str, seen: Checkpoint, found: str) -> AlteredError:
    """The log shows another history than it once did."""
    what = f"the log of {seen.origin} shows another history than it once did"
    expected = f"{seen.size} entries with root {seen.root.hex()}"
    return _altered(ledger, "forked", what, "checkpoint", expected, found)


def _altered(
    ledger: str, rule: str, what: str, file: str, expected: str = "", found: str = ""
) -> AlteredError:
    finding = Finding(
        rule=f"ledger.{rule}",
        severity=Severity.CRITICAL,
        what=what,
        where=Where(file=file),
        expected=expected,
        found=found,
    )
    covered = ("every file up to the one that is named",)
    return AlteredError(
        Report(examination="ledger", subject=ledger, covered=covered, findings=(finding,))
    )
