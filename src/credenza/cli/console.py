"""What the verbs share: options, output, progress."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from credenza.findings import Report, plain

if TYPE_CHECKING:
    import datetime as dt

    from credenza.attest import Standing, Trust
    from credenza.seal import Cache

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

Key = Annotated[
    str, typer.Option("--key", metavar="KEY", help="The private key's file, or a signer's URI.")
]
Cached = Annotated[
    bool,
    typer.Option("--cached", help="Do not read again what has the size and times it had before."),
]
Trusts = Annotated[
    list[Path],
    typer.Option(
        "--trust",
        metavar="FILE",
        help="A trust document, or the public key of who may seal (of several, one is enough).",
    ),
]


def trusted(paths: Sequence[Path], state: Path | None = None, release: str = "") -> Trust:
    """The trust in those files; of a trust document, held against what was seen of it before."""
    from credenza.attest import Trust

    trust = Trust.read(*paths, release=release)
    if trust.chain is None and state is None:
        return trust
    from credenza.attest.trust_state import State

    return trust.remembering(State(state or _state_path(trust.name)))


def _state_path(name: str) -> Path:
    """Where the system keeps what a program remembers (XDG base directory specification 0.8)."""
    import hashlib
    import os

    from credenza.errors import InputError

    home = Path(os.environ.get("XDG_STATE_HOME", ""))
    if not home.is_absolute():  # as the specification has it, for a relative one too
        try:
            home = Path.home() / ".local" / "state"
        except RuntimeError as e:
            hint = "set XDG_STATE_HOME, or give verify a --state FILE"
            raise InputError("there is no home to keep what was seen in", hint=hint) from e
    return home / "credenza" / f"{hashlib.sha256(name.encode()).hexdigest()[:32]}.trust-state"


def standing_lines(standing: Standing) -> list[str]:
    """Who vouches for a model, in which role, and what is missing."""
    lines = []
    if standing.trust:
        lines.append(f"trust     {standing.trust}, version {standing.version}")
    for vouch in standing.vouches:
        who = f"{vouch.person}, key {vouch.key[:16]}" if standing.trust else f"key {vouch.key}"
        lines.append(f"{vouch.role:9} {who}{f', {vouch.at.isoformat()}' if vouch.at else ''}")
    for role in standing.roles if standing.trust else ():
        if role.missing:
            optional = "" if role.required else ", optional"
            count = f"{len(role.signed)} of {role.threshold}"
            lines.append(f"missing   {role.role}: {count} people so far{optional}")
    for release in standing.releases:
        until = f", until {release.expires.isoformat()}" if release.expires else ""
        lines.append(f"release   {release.name} {release.version}{until}")
    lines += [f"no word   line {u.line} of its seal: {u.why}" for u in standing.uncounted]
    return [plain(line) for line in lines]


def standing_json(standing: Standing) -> dict[str, object]:
    """A standing as members to print; the reports that it holds are named in its vouches."""
    return {
        "trust": standing.trust,
        "version": standing.version,
        "vouches": standing.vouches,
        "roles": [
            {
                "role": r.role,
                "threshold": r.threshold,
                "required": r.required,
                "signed": r.signed,
                "unsigned": r.unsigned,
                "missing": r.missing,
            }
            for r in standing.roles
        ],
        "releases": [
            {"name": r.name, "version": r.version, "expires": r.expires} for r in standing.releases
        ],
        "uncounted": standing.uncounted,
    }


def date(option: str, text: str) -> dt.datetime:
    """A day, or a time of one, in UTC where it names no zone. Raises `InputError` else."""
    import datetime as dt

    from credenza.errors import InputError

    try:
        time = dt.datetime.fromisoformat(text)
    except ValueError as e:
        raise InputError(f"{option}: a date such as 2027-06-01 expected, {text!r} given") from e
    return time if time.tzinfo else time.replace(tzinfo=dt.UTC)


def cache_of(*, cached: bool) -> Cache | None:
    """The user's cache of what was hashed, if it is to be believed."""
    if not cached:
        return None
    from credenza.seal import Cache

    return Cache.default()


def record(log: Path | None, action: str, *, root: str, actor: str, **detail: str) -> None:
    """Add an entry to the ledger, if there is to be one."""
    if log is not None:
        from credenza.ledger import Entry, Ledger

        Ledger.open(log).append(Entry.now(action, root=root, actor=actor, **detail))


def record_seal(log: Path, seal: Path, receipt: Path | None, *, root: str, key: str) -> None:
    """Add the seal in that file to the ledger, and who made it; write the seal's receipt."""
    from credenza.attest.bundle import Bundle
    from credenza.files import read_whole, write_whole
    from credenza.ledger import Entry, Ledger
    from credenza.ledger.content import LARGEST_CONTENT

    sealed = Bundle.parse(read_whole(seal, limit=LARGEST_CONTENT)).seal
    act = Entry.now("sealed", root=root, actor=operator(), seal=str(seal), key=key)
    proved, _ = Ledger.open(log).append_many([sealed, act])
    if receipt is not None:
        write_whole(receipt, bytes(proved))


def files(count: int) -> str:
    """How many files, in words."""
    return f"{count} file{'' if count == 1 else 's'}"


def size(model: Path) -> int:
    """How many bytes a model's files hold; 0 for what its verb is going to refuse."""
    from credenza.artifact.folder import files
    from credenza.errors import CredenzaError

    try:
        return sum(file.size for file in files(model))
    except CredenzaError:
        return 0


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
        typer.echo(report.text(reports, width=width(), colour=colour()), nl=False)
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


@contextlib.contextmanager
def looking(label: str) -> Iterator[Callable[[str], None] | None]:
    """How many files were looked at, on stderr, once it takes over a second, between terminals."""
    if not (sys.stdout.isatty() and sys.stderr.isatty()):
        yield None
        return
    import time

    with contextlib.ExitStack() as shown:
        count, began = 0, time.monotonic()
        show: Callable[[int, str], None] | None = None

        def looked(path: str) -> None:
            nonlocal count, show
            count += 1
            if show is None and time.monotonic() - began > 1:
                show = shown.enter_context(_counting(label))
            if show is not None:
                show(count, path)

        yield looked


@contextlib.contextmanager
def _counting(label: str) -> Iterator[Callable[[int, str], None]]:
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    counted = TextColumn("{task.completed:,.0f} files  {task.fields[path]}", markup=False)
    columns = (SpinnerColumn(), label, counted, TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(label, total=None, path="")
        yield lambda count, path: progress.update(task, completed=count, path=plain(path)[-60:])


def note(said: str) -> None:
    """A line on stderr that is no error."""
    typer.echo(f"credenza: note: {plain(said)}", err=True)


def colour() -> bool:
    """Whether stdout shows colour (https://no-color.org)."""
    import os

    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def width() -> int:
    """How many columns a line of a report may have."""
    import shutil

    return min(shutil.get_terminal_size((100, 24)).columns, 120)
