"""``credenza approve``."""

from __future__ import annotations

from typing import Annotated

import typer

from credenza.cli.console import (
    Key,
    Log,
    Model,
    Trusts,
    operator,
    reading,
    record,
    size,
    standing_lines,
    trusted,
)


def approve(
    model: Model,
    trust: Trusts,
    key: Key,
    role: Annotated[str, typer.Option("--role", help="In which role.")] = "approver",
    log: Log = None,
) -> None:
    """Verify a model, and add to its seal that you approve it."""
    from credenza.attest import PrivateKey
    from credenza.seal.vouching import approve

    signer = PrivateKey.read(key)
    with reading("verifying", size(model)) as progress:
        added = approve(model, trusted(trust), signer, role=role, progress=progress)
    record(log, "approved", root=added.root, actor=operator(), model=str(model), role=role)
    typer.echo("\n".join([f"approved  {model}, as {role}", *standing_lines(added.standing)]))
