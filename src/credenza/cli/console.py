"""What the verbs share: options, output, progress."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer

from credenza.findings import Report

Model = Annotated[Path, typer.Argument(metavar="MODEL", help="A model: its file or its folder.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Html = Annotated[
    Path | None, typer.Option("--html", metavar="FILE", help="Also write the report as a web page.")
]

Seed = Annotated[int, typer.Option("--seed", min=0, help="Another seed, other random choices.")]
Log = Annotated[
    Path | None,
    typer.Option("--log", metavar="LEDGER", help="Also record what was done in this ledger."),
]


def record(log: Path | None, action: str, *, root: str, actor: str, **detail: str) -> None:
    """Add an entry to the ledger, if there is to be one."""
    if log is not None:
        from credenza.ledger import Entry, Ledger

        Ledger.open(log).append(Entry.now(action, root=root, actor=actor, **detail))


def record_seal(log: Path, seal: Path, receipt: Path | None, *, root: str, key: str) -> None:
    """Add the seal in that file to the ledger, and who made it; write the seal's receipt."""
    from credenza.attest import Envelope
    from credenza.files import read_whole, write_whole
    from credenza.ledger import Entry, Ledger
    from credenza.ledger.content import LARGEST_CONTENT

    sealed = Envelope.parse(read_whole(seal, limit=LARGEST_CONTENT))
    act = Entry.now("sealed", root=root, actor=operator(), seal=str(seal), key=key)
    proved, _ = Ledger.open(log).append_many([sealed, act])
    if receipt is not None:
        write_whole(receipt, bytes(proved))


def files(count: int) -> str:
    """How many files, in words."""
    return f"{count} file{'' if count == 1 else 's'}"


def operator() -> str:
    """Who runs this command, as the system says."""
    import getpass

    return getpass.getuser()


def conclude(reports: Sequence[Report], *, as_json: bool, html: Path | None = None) -> None:
    """Print the reports, and exit with 1 where one of them has a finding above a note."""
    from credenza import report
    from credenza.files import write_whole
    from credenza.findings import Severity

    if html is not None:
        write_whole(html, report.html(reports).encode())
    if as_json:
        sys.stdout.buffer.write(report.json(reports))
    else:
        colour = sys.stdout.isatty()
        typer.echo(report.text(reports, width=_width(), colour=colour), nl=False)
    sys.stdout.flush()
    if any(r.worst is not None and r.worst > Severity.NOTE for r in reports):
        raise typer.Exit(1)


def print_json(value: object) -> None:
    """Print a value as one line of JSON."""
    import msgspec

    sys.stdout.buffer.write(msgspec.json.encode(value) + b"\n")
    sys.stdout.flush()


@contextlib.contextmanager
def reading(label: str, total: int) -> Iterator[Callable[[int], None] | None]:
    """A progress bar of bytes on stderr, for what takes over a second, between two terminals."""
    if not (sys.stdout.isatty() and sys.stderr.isatty()) or total < _WORTH_A_BAR:
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn

    columns = ("[progress.description]{task.description}", BarColumn(), DownloadColumn())
    console = Console(stderr=True)
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as progress:
        task = progress.add_task(label, total=total)
        yield lambda count: progress.advance(task, count)


_WORTH_A_BAR = 512 * 2**20  # bytes that take about a second to read and hash


def _width() -> int:
    import shutil

    return min(shutil.get_terminal_size((100, 24)).columns, 120)
