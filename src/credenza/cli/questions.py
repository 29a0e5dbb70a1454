"""What is asked of each path that a user named, and the answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from credenza.cli.console import looking
from credenza.cli.places import named, place
from credenza.errors import CredenzaError, InputError
from credenza.findings import Report, unlooked


@dataclass(frozen=True, slots=True, kw_only=True)
class Questions:
    """A scan, and what else is asked: siblings know nothing of each other, so they meet here."""

    digest: bool = False
    weights: bool = False
    against: Path | None = None

    def of(self, path: Path, progress: Callable[[str], None] | None) -> Iterator[Report]:
        """A report for each question. Raises `InputError` where there is nothing to scan.

        What another question raises is said in its report, and takes nothing from the scan's.
        """
        from credenza.scan import scan

        yield scan(path, digest=self.digest, progress=progress)
        if self.weights:
            from credenza.scan.weights import weights

            yield _answer("weights", path, lambda: weights(path))
        if (old := self.against) is not None:
            yield _answer("diff", path, lambda: _changes(old, path))


def answers(
    paths: Sequence[str], questions: Questions
) -> tuple[tuple[Report, ...], tuple[str, ...]]:
    """The reports on each path, and for each the folder that its files lie in.

    Of several paths, one that cannot be scanned is unread. Raises `InputError` for a single one,
    and for a path or pattern that leads nowhere, before anything is read.
    """
    reports, folders, names = list[Report](), list[str](), named(paths)
    if questions.against is not None and not questions.against.exists():
        raise InputError(f"--against {questions.against}: no such file or folder")
    with looking("scanning") as progress:
        for name in names:
            try:
                with place(name, progress) as at:
                    for report in questions.of(at.path, progress):
                        reports.append(replace(report, subject=at.subject))
                        folders.append(at.folder)
            except InputError as e:
                if len(names) == 1:
                    raise
                reports.append(unlooked("scan", name, str(e)))
                folders.append("")
    return tuple(reports), tuple(folders)


def _changes(old: Path, new: Path) -> Report:
    from credenza import artifact
    from credenza.diff import diff

    return diff(artifact.open(old), artifact.open(new))


def _answer(examination: str, path: Path, ask: Callable[[], Report]) -> Report:
    try:
        return ask()
    except CredenzaError as e:
        return unlooked(examination, str(path), str(e))
