"""``credenza release``."""

from __future__ import annotations

from typing import Annotated

import typer

from credenza.cli.console import (
    Key,
    Log,
    Model,
    Trusts,
    date,
    operator,
    reading,
    record,
    size,
    standing_lines,
    trusted,
)
from credenza.cli.keys import PasswordFile, asking


def release(
    model: Model,
    trust: Trusts,
    key: Key,
    version: Annotated[
        int, typer.Option("--version", min=1, help="Higher than that of any release before it.")
    ],
    name: Annotated[
        str, typer.Option("--name", help="What it is released as; the name it was sealed as.")
    ] = "",
    expires: Annotated[
        str, typer.Option("--expires", metavar="DATE", help="It is refused from then on.")
    ] = "",
    password_file: PasswordFile = None,
    log: Log = None,
) -> None:
    """Verify a model, and add to its seal that it is the current one."""
    from credenza.attest.signers import signer
    from credenza.seal.vouching import release

    until = date("--expires", expires) if expires else None
    by = signer(key, asking(password_file))
    held = trusted(trust)
    with reading("verifying", size(model)) as progress:
        added = release(
            model, held, by, version=version, name=name, expires=until, progress=progress
        )
    detail = {"model": str(model), "name": name, "version": str(version)}
    record(log, "released", root=added.root, actor=operator(), **detail)
    lines = [f"released  {model}, version {version}", *standing_lines(added.standing)]
    typer.echo("\n".join(lines))
