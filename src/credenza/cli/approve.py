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
from credenza.cli.keys import PasswordFile, asking


def approve(
    model: Model,
    trust: Trusts,
    key: Key,
    role: Annotated[str, typer.Option("--role", help="In which role.")] = "approver",
    password_file: PasswordFile = None,
    log: Log = None,
) -> None:
    """Verify a model, and add to its seal that you approve it."""
    from credenza.attest.signers import signer
    from credenza.seal.vouching import approve

    by = signer(key, asking(password_file))
    with reading("verifying", size(model)) as progress:
        added = approve(model, trusted(trust), by, role=role, progress=progress)
    record(log, "approved", root=added.root, actor=operator(), model=str(model), role=role)
    typer.echo("\n".join([f"approved  {model}, as {role}", *standing_lines(added.standing)]))
