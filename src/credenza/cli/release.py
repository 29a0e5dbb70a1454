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
    record,
    standing_lines,
    trusted,
)


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
    log: Log = None,
) -> None:
    """Verify a model, and add to its seal that it is the current one."""
    from credenza.attest import PrivateKey
    from credenza.seal.vouching import release

    until = date("--expires", expires) if expires else None
    signer = PrivateKey.read(key)
    held = trusted(trust)
    sealed = release(model, held, signer, version=version, name=name, expires=until)
    root, released = sealed.value.seal.root.hex(), name or sealed.value.name
    detail = {"model": str(model), "name": released, "version": str(version)}
    record(log, "released", root=root, actor=operator(), **detail)
    lines = [f"released  {model} as {released} {version}", *standing_lines(sealed.standing)]
    typer.echo("\n".join(lines))
