"""``credenza log``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from credenza.cli.console import AsJson, print_json
from credenza.findings import plain

if TYPE_CHECKING:
    from credenza.ledger import Ledger

app = typer.Typer(help="Read and check a ledger.", no_args_is_help=True, rich_markup_mode=None)

LedgerFile = Annotated[Path, typer.Argument(metavar="LEDGER", help="A ledger's file.")]


@app.command("show")
def show(ledger: LedgerFile, as_json: AsJson = False) -> None:
    """Print every entry, oldest first. None is printed before it was checked."""
    for entry in _existing(ledger):
        if as_json:
            print_json(entry)
            continue
        detail = "  ".join(f"{key}={value}" for key, value in entry.detail)
        line = (
            f"{entry.time}  {entry.action:10}  {entry.root[:16] or '-':16}  {entry.actor}  {detail}"
        )
        typer.echo(plain(line.rstrip()))


@app.command("verify")
def verify(ledger: LedgerFile, as_json: AsJson = False) -> None:
    """Check every entry, and print how many there are and the root over them."""
    head = _existing(ledger).verify()
    if as_json:
        print_json({"size": head.size, "root": head.root.hex()})
    else:
        typer.echo(f"{head.size} entries\nroot  {head.root.hex()}")


def _existing(path: Path) -> Ledger:
    from credenza.errors import InputError
    from credenza.ledger import Ledger

    if not path.exists():
        raise InputError(f"{path}: a ledger's file expected, there is none")
    return Ledger.open(path)
