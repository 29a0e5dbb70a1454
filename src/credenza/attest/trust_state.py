"""What a verifier has seen, so that nothing older comes back.

Specification: docs/formats/trust.md, "State".
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from credenza.attest.envelope import Envelope
from credenza.attest.predicate import proper_name, spelled
from credenza.attest.release import HIGHEST_VERSION, Release
from credenza.attest.trust_chain import Chain, by_itself, check_step
from credenza.errors import (
    ForkError,
    InputError,
    ReleaseRollbackError,
    TrustChainError,
    TrustRollbackError,
)
from credenza.files import locked, read_whole, write_whole

LARGEST_STATE = 2**24
_FIRST = "credenza trust state v1"
_ROOT = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class State:
    """The file in which a verifier keeps what it has seen of one trust document.

    It only moves forward. Each method raises `InputError` where the file cannot be read or written,
    or is not in its one spelling; it is never reset. It is made where there is none.
    """

    path: Path

    def check(self, chain: Chain, releases: Iterable[Release] = ()) -> None:
        """Hold what was verified against what was seen before. Nothing is written.

        Raises `TrustRollbackError`, `ForkError`, `TrustChainError`, or `ReleaseRollbackError`.
        """
        self._next(chain, releases)

    def advance(self, chain: Chain, releases: Iterable[Release] = ()) -> None:
        """Check it as `check` does, and remember it. Where nothing is new, nothing is written."""
        releases = tuple(releases)
        if self._next(chain, releases) == self._seen():
            return
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as e:
            raise InputError(f"{self.path} cannot be written: {e.strerror}") from e
        with locked(self.path.parent):
            write_whole(self.path, bytes(self._next(chain, releases)), mode=0o600)

    def _next(self, chain: Chain, releases: Iterable[Release]) -> _Seen:
        seen = self._seen()
        if seen is None:
            return _Seen(chain.envelopes[-1], ()).after(releases)
        _check_chain(seen.document, chain)
        return replace(seen, document=chain.envelopes[-1]).after(releases)

    def _seen(self) -> _Seen | None:
        if not os.path.lexists(self.path):
            return None
        try:
            return _Seen.parse(read_whole(self.path, limit=LARGEST_STATE))
        except (InputError, TrustChainError) as e:
            raise InputError(
                f"{self.path}: not a trust state as it was written: {e}",
                hint="restore it from a copy; without it, what is older than you have seen passes",
            ) from e


def _check_chain(seen_line: Envelope, chain: Chain) -> None:
    seen, head = by_itself(seen_line), chain.head
    if head.name != seen.name:
        raise TrustChainError(f"trust: {seen.name!r} was seen here before, {head.name!r} was given")
    if head.version < seen.version:
        raise TrustRollbackError(
            f"trust: version {seen.version} of {seen.name!r} was seen, version {head.version} given"
        )
    for envelope, document in zip(chain.envelopes, chain.documents, strict=True):
        if document.version == seen.version:
            if envelope.payload != seen_line.payload:
                raise ForkError(f"trust: two documents are {seen.name!r} version {seen.version}")
            return
    check_step(seen, chain.envelopes[0])


@dataclass(frozen=True, slots=True)
class _Seen:
    """The last version seen, as it was signed, and (name, version, root) of each release."""

    document: Envelope
    releases: tuple[tuple[str, int, str], ...]

    def after(self, releases: Iterable[Release]) -> _Seen:
        """What has been seen once these have. Raises where one is older, or another, than seen."""
        highest = {name: (version, root) for name, version, root in self.releases}
        for release in releases:
            version, root = highest.get(release.name, (0, ""))
            if release.version < version:
                raise ReleaseRollbackError(
                    f"{release.name!r} was released as version {version} before, "
                    f"this model is version {release.version}"
                )
            if release.version == version and release.subject.digest != root:
                raise ForkError(
                    f"two models were released as {release.name!r} version {version}: "
                    f"{root[:16]}, seen before, and {release.subject.digest[:16]}"
                )
            highest[release.name] = (release.version, release.subject.digest)
        return replace(self, releases=tuple((name, *highest[name]) for name in sorted(highest)))

    @classmethod
    def parse(cls, data: bytes) -> _Seen:
        first, _, rest = data.partition(b"\n")
        if first != _first(rest):
            raise InputError("its first line is not that of the second")
        wire = spelled("state", rest.removesuffix(b"\n"), _Wire)
        try:
            document = Envelope.parse(base64.b64decode(wire.document, validate=True))
        except ValueError as e:
            raise InputError(f"state: a document in base64 expected: {e}") from e
        by_itself(document)
        for release in wire.releases:
            proper_name("state: a release", release.name)
            if not (1 <= release.version <= HIGHEST_VERSION and _ROOT.fullmatch(release.root)):
                raise InputError(f"state: a version and a root expected, {release} found")
        seen = cls(document, tuple((r.name, r.version, r.root) for r in wire.releases))
        if bytes(seen.after(())) != data:
            raise InputError("state: not in its one spelling")
        return seen

    def __bytes__(self) -> bytes:
        wire = _Wire(
            base64.b64encode(bytes(self.document)).decode(), [_Release(*r) for r in self.releases]
        )
        line = msgspec.json.encode(wire) + b"\n"
        return _first(line) + b"\n" + line


def _first(line: bytes) -> bytes:
    return f"{_FIRST} {hashlib.sha256(line).hexdigest()}".encode()


class _Release(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    version: int
    root: str


class _Wire(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    document: str
    releases: list[_Release]
