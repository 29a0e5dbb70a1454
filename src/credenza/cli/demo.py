"""``credenza demo``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Self

import typer

from credenza.cli.console import Seed
from credenza.findings import plain

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


def demo(
    out: Annotated[
        Path, typer.Option("--out", metavar="FOLDER", help="Where the report and the bank go.")
    ] = Path("credenza-demo"),
    seed: Seed = 1472,
) -> None:
    """Play the cheque case: a reader poisoned in three ways."""
    from credenza.errors import MissingExtraError

    try:
        from credenza.cheques.case import play
        from credenza.cheques.page import COLUMNS, rows
    except (ImportError, MissingExtraError) as e:
        raise MissingExtraError("credenza demo", "demo") from e
    from rich import box
    from rich.console import Console
    from rich.table import Table

    with _Terminal() as stage:
        played = play(out, seed=seed, stage=stage)
    table = Table(*COLUMNS, box=box.SIMPLE)
    for column in table.columns[1:6]:
        column.justify = "right"
    for row in rows(played):
        table.add_row(*row)
    console = Console(width=None if _is_terminal() else 132)
    console.print(table)
    typer.echo(
        f"{played.seconds:.0f} s. Report: {out / 'report.html'}; figures: {out / 'summary.json'}"
    )


class _Terminal:
    """Tells the story on stdout, and shows progress on stderr between two terminals."""

    def __init__(self) -> None:
        self._progress: Progress | None = None
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        if _is_terminal():
            from rich.console import Console
            from rich.progress import Progress

            self._progress = Progress(console=Console(stderr=True), transient=True)
            self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._progress is not None:
            self._progress.stop()

    def say(self, line: str) -> None:
        typer.echo(plain(line))

    def progress(self, what: str, done: float) -> None:
        if self._progress is None:
            return
        if what not in self._tasks:
            self._tasks[what] = self._progress.add_task(what, total=1.0)
        task = self._tasks[what]
        if self._progress.tasks[task].finished and done < 1:  # the same work, another time
            self._progress.reset(task, total=1.0)
        self._progress.update(task, completed=done, visible=done < 1)


def _is_terminal() -> bool:
    import sys

    return sys.stdout.isatty() and sys.stderr.isatty()
