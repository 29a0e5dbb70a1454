"""Comparing files with their seal, which says where their bytes are. None of them is parsed."""

from __future__ import annotations

import contextlib
import enum
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from credenza.artifact.folder import Place
from credenza.attest import Verified
from credenza.errors import AlteredError, InputError, MalformedError
from credenza.findings import Finding
from credenza.seal.contents import Contents, Sealed, private_memory
from credenza.seal.differences import Differences, listing, report
from credenza.seal.reading import Progress, Span, digest_spans
from credenza.seal.tree import Seal, SealedFile, Segment

if TYPE_CHECKING:
    from credenza.seal.cache import Cache, Pending


class Keep(enum.Enum):
    """What to do with the bytes that are verified."""

    NOTHING = "forget them"
    PRIVATE = "keep them in private memory"
    MAPPED = "leave them in the file, mapped: they change with it"


def compare(
    sealed: Sealed,
    *,
    keep: Keep = Keep.NOTHING,
    tensors: Collection[str] | None = None,
    copy_to: Path | None = None,
    sealer: str = "",
    cache: Cache | None = None,
    progress: Progress | None = None,
) -> Contents:
    """Hash a model against its seal: every byte of it, or the segments that ``tensors`` view.

    Names and sizes of all files are compared in either case. Gives back the very bytes that were
    hashed where they are to be kept, else nothing. With ``copy_to``, a folder in which each file of
    the seal lies with its size, they are written there. ``sealer`` says in words who signed. With a
    ``cache``, files that it knows to be the sealed ones are not read, and those that were are put
    into it; it serves only where nothing is kept or copied.

    Raises `AlteredError`, whose report names every difference: files missing, added or resized,
    and the tensors, rows and bytes that differ; `InputError` for a tensor that the seal does not
    know, or what cannot be read.
    """
    comparison = _Comparison(sealed, sealer or "a trusted key", tensors)
    with comparison.refusing(), Place(sealed.path) as place:
        comparison.list(place)
        if comparison.findings:  # it is refused: the rest is looked at for the report alone
            keep, copy_to = Keep.NOTHING, None
        pending = None
        if cache and keep is Keep.NOTHING and copy_to is None:
            pending = comparison.leave_out_known(place, cache)
        contents = _memory(place, comparison.segments, keep)
        spans = (
            Span(
                file.path,
                segment.start,
                segment.stop,
                segment.chunk,
                into=contents.get((file.path, segment.start)),
                base=segment.start,
                filled=keep is Keep.MAPPED,
                copy_to=copy_to and copy_to / file.path,
            )
            for file, segment in comparison.segments
        )
        digests = digest_spans(place, spans, sealed.seal.algorithm, progress)
        comparison.hold_against(place, digests)
        if pending and not comparison.findings:
            pending.learn(sealed.seal)
    return contents


def check_listing(sealed: Sealed) -> None:
    """Raises `AlteredError` where names and sizes alone tell that a model is not the sealed one."""
    comparison = _Comparison(sealed, "a trusted key", None)
    with comparison.refusing(), Place(sealed.path) as place:
        comparison.list(place)


def who_sealed(sealed: Verified[Sealed]) -> str:
    """Who signed a seal, in words for a report."""
    return ", ".join(f"key {key[:16]}" for key in sealed.keys)


def _memory(place: Place, segments: Sequence[tuple[SealedFile, Segment]], keep: Keep) -> Contents:
    if keep is Keep.PRIVATE:
        return {(file.path, s.start): private_memory(s.size) for file, s in segments}
    if keep is Keep.NOTHING:
        return {}
    mapped: dict[str, memoryview] = {}
    for file, _ in segments:
        if file.path not in mapped:
            with place.open(file.path) as opened:
                mapped[file.path] = opened.map_unprotected(0, file.size)
    return {(file.path, s.start): mapped[file.path][s.start : s.stop] for file, s in segments}


class _Comparison:
    """What is to be looked at, and what was found so far."""

    def __init__(self, sealed: Sealed, sealer: str, tensors: Collection[str] | None) -> None:
        self.sealed = sealed
        self.sealer = sealer
        self.findings: list[Finding] = []
        self.segments = tuple(wanted(sealed.seal, tensors))
        self.whole = tensors is None
        self.unread = 0

    def list(self, place: Place) -> None:
        """Compare names and sizes. A file of another size is not read."""
        seal = self.sealed.seal
        present = {file.path: file.size for file in place.files(ignore=seal.ignored)}
        self.findings.extend(listing(seal, present))
        self.segments = tuple(
            (file, s) for file, s in self.segments if present.get(file.path) == file.size
        )

    def leave_out_known(self, place: Place, cache: Cache) -> Pending:
        """Do not look at the bytes of files that the cache knows to be the sealed ones."""
        seal = self.sealed.seal
        known, pending = cache.look_up(place, (f.path for f in seal.files), seal.algorithm)
        same = {file.path for file in seal.files if known.get(file.path) == file}
        self.segments = tuple((file, s) for file, s in self.segments if file.path not in same)
        self.unread = len(same)
        return pending

    def hold_against(self, place: Place, digests: Iterable[bytes]) -> None:
        """Compare the digests that were found with the sealed ones, and names and sizes again."""
        name = Differences()
        try:
            for (file, segment), found in zip(self.segments, digests, strict=True):
                if found != segment.chunks:
                    self.findings.extend(name(file, segment, found))
        except InputError:  # a file that was cut short while it was read is an altered one
            self.list(place)
            if not self.findings:
                raise
        if not self.findings:  # what was added, or grew, while the rest was read
            self.list(place)

    @contextlib.contextmanager
    def refusing(self) -> Iterator[None]:
        """Raise `AlteredError` at the end where anything was found.

        What may not be in an artefact at all, or became something else meanwhile, was not sealed.
        """
        try:
            yield
        except MalformedError as e:
            self.findings.append(e.finding)
        if self.findings:
            looked = "every byte of every sealed file" if self.whole else "the tensors asked for"
            unread = [f"{self.unread} files that the cache knows"] if self.unread else []
            raise AlteredError(
                report(self.sealed, self.findings, looked=looked, sealer=self.sealer, unread=unread)
            )


def wanted(seal: Seal, tensors: Collection[str] | None) -> Iterator[tuple[SealedFile, Segment]]:
    """The segments to hash: all, or those that the tensors of these names view."""
    if tensors is None:
        yield from ((file, segment) for file in seal.files for segment in file.segments)
        return
    unknown = set(tensors) - {tensor.name for file in seal.files for tensor in file.tensors}
    if unknown:
        raise InputError(f"the model has no tensor {', '.join(map(repr, sorted(unknown)))}")
    for file in seal.files:
        starts = {t.region.start for t in file.tensors if t.name in tensors and t.reach}
        yield from ((file, segment) for segment in file.segments if segment.start in starts)
