"""What can go wrong.

One root, `CredenzaError`; under it a leaf for each thing that a caller would handle
differently. A `RefusedError` speaks against the model (the command line exits with 1); every
other one says that the question could not be answered (2).
"""

from __future__ import annotations

from credenza.findings import Finding, Report


class CredenzaError(Exception):
    """Anything that this package refuses or cannot do. Catch this to catch it all.

    ``hint`` says what a person could do about it, or is empty.
    """

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class InputError(CredenzaError):
    """What was asked for cannot be done: no such path, an empty folder, a bad setting."""


class ConflictError(CredenzaError):
    """Somebody else changed what was to be changed, in between. Nothing was; try again."""


class MissingExtraError(CredenzaError):
    """An optional part is needed and not installed."""

    def __init__(self, what: str, extra: str) -> None:
        hint = f"pip install 'credenza[{extra}]'"
        super().__init__(f"{what} needs the extra {extra!r}, which is not installed", hint=hint)


class MalformedError(CredenzaError):
    """The bytes are not in the format that they claim, or abuse it. ``finding`` says where."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(str(finding), hint=finding.remedy)
        self.finding = finding


class RefusedError(CredenzaError):
    """The model, or what speaks for it, was looked at and refused."""


class UnsealedError(RefusedError):
    """There is no seal where one was required."""


class UntrustedError(RefusedError):
    """The seal or statement is well-formed, and no trusted key vouches for it."""


class NotRecipientError(RefusedError):
    """The encrypted model does not open with this key: it is for others, or was altered so."""


class ThresholdError(UntrustedError):
    """Fewer people vouch than a role takes. ``missing`` holds each such role, and how many more."""

    def __init__(self, message: str, missing: tuple[tuple[str, int], ...]) -> None:
        super().__init__(message)
        self.missing = missing


class SamePersonError(UntrustedError):
    """As many keys vouch as a role takes, and some are one person's, who counts once."""


class SeparationError(UntrustedError):
    """One person acted in two roles that the trust document keeps separate."""


class RevokedKeyError(UntrustedError):
    """What is missing was signed by a key that is revoked."""


class RevokedModelError(UntrustedError):
    """The model's root is revoked, whoever vouches for it."""


class ExpiredTrustError(UntrustedError):
    """The trust document has expired: somebody may be holding back a newer one."""


class TrustRollbackError(UntrustedError):
    """The trust document is older than one that was seen, or that a signer saw."""


class TrustChainError(UntrustedError):
    """A version of the trust document is not signed by those who may follow the one before it."""


class ForkError(UntrustedError):
    """There are two trust documents, or two released models, under one name and version."""


class ReleaseRollbackError(UntrustedError):
    """A newer release of that name was seen before."""


class ExpiredReleaseError(UntrustedError):
    """The release has expired."""


class MixAndMatchError(UntrustedError):
    """A statement is about another model than the seal that it stands beside."""


class AlteredError(RefusedError):
    """The artefact is not the one that was sealed. ``report`` names what differs."""

    def __init__(self, report: Report) -> None:
        first = report.findings[0]
        more = len(report.findings) - 1
        super().__init__(f"{first}{f', and {more} more' if more else ''}", hint=first.remedy)
        self.report = report


class UnsafePickleError(RefusedError):
    """A pickle would do more than it may. ``findings`` say what; nothing of it has run."""

    def __init__(self, findings: tuple[Finding, ...]) -> None:
        first, more = findings[0], len(findings) - 1
        super().__init__(f"{first}{f', and {more} more' if more else ''}", hint=first.remedy)
        self.findings = findings


class NotAdmittedError(RefusedError):
    """The policy says no. The message names each clause that was not satisfied."""
