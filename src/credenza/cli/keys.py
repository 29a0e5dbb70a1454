"""``credenza keys``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Make and show keys.", no_args_is_help=True, rich_markup_mode=None)


@app.command("new")
def new(
    out: Annotated[
        Path,
        typer.Option("--out", metavar="FILE", help="The private key; FILE.pub is its public half."),
    ],
) -> None:
    """Make an Ed25519 key pair. No existing file is overwritten."""
    from credenza.attest import new_key

    key = new_key(out)
    typer.echo(
        f"{out}      private: whoever has it can seal in your name\n{out}.pub  {key.public.id}"
    )


@app.command("show")
def show(
    key: Annotated[Path, typer.Argument(metavar="FILE.pub", help="A public key.")],
) -> None:
    """Print a public key's id, as seals and refusals name it."""
    from credenza.attest import PublicKey

    typer.echo(PublicKey.read(key).id)
