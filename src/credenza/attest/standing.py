"""What a verification shows: who vouches, in which role, and what is missing.

Structs and no dataclasses: making such a class takes a tenth of the time, and every run of
``credenza verify`` makes them.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from credenza.attest.release import Release
    from credenza.attest.statement import Statement
    from credenza.attest.trust import Verified


class Vouch(msgspec.Struct, frozen=True):
    """One person's word, in one role, by one key (its id), and when it was given as they say.

    Under bare keys a person is the first 16 digits of the key's id.
    """

    role: str
    person: str
    key: str
    at: dt.datetime | None


class RoleResult(msgspec.Struct, frozen=True):
    """Of a role: who vouched, who else may, and how many it takes.

    The shape is that of python-tuf's ``VerificationResult``; people are counted, not keys.
    """

    role: str
    threshold: int
    required: bool
    signed: tuple[str, ...]
    unsigned: tuple[str, ...]

    @property
    def missing(self) -> int:
        """How many more people it takes."""
        return max(0, self.threshold - len(self.signed))


class Uncounted(msgspec.Struct, frozen=True):
    """A line of the bundle (from 1) that counts for nothing, or not for all who signed it."""

    line: int
    why: str
    revoked: bool = False


class Standing(msgspec.Struct, frozen=True):
    """Who vouches for a statement or a model, under which version of which trust document.

    ``trust`` is empty and ``version`` 0 under bare keys. ``examinations`` are the reports in the
    bundle, whatever they found. ``releases`` hold one release for each name.
    """

    trust: str
    version: int
    vouches: tuple[Vouch, ...]
    roles: tuple[RoleResult, ...] = ()
    uncounted: tuple[Uncounted, ...] = ()
    releases: tuple[Release, ...] = ()
    examinations: tuple[Verified[Statement], ...] = ()
