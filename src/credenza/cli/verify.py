"""``credenza verify``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from credenza.cli.console import (
    AsJson,
    Log,
    Model,
    Trusts,
    conclude,
    files,
    operator,
    print_json,
    reading,
    record,
    standing_json,
    standing_lines,
    trusted,
)


def verify(
    model: Model,
    trust: Trusts,
    release: Annotated[
        str, typer.Option("--release", metavar="NAME", help="It must be released as that.")
    ] = "",
    state: Annotated[
        Path | None,
        typer.Option("--state", metavar="FILE", help="What was seen before; else one of yours."),
    ] = None,
    log: Log = None,
    as_json: AsJson = False,
) -> None:
    """Check that a model is exactly what trusted people vouch for."""
    from credenza.errors import AlteredError, RefusedError
    from credenza.seal import check, read_seal

    try:
        verified = read_seal(model, trusted(trust, state, release))
    except RefusedError as e:
        record(log, "refused", root="", actor=operator(), model=str(model), why=str(e))
        raise
    total = sum(file.size for file in verified.value.seal.files)
    try:
        with reading("verifying", total) as progress:
            check(verified, progress=progress)
    except AlteredError as e:
        root, first = e.report.root, str(e.report.findings[0].where)
        try:
            conclude([e.report], as_json=as_json)
        finally:
            record(log, "refused", root=root, actor=operator(), model=str(model), where=first)
        raise
    sealed, root = verified.value, verified.value.seal.root.hex()
    record(log, "verified", root=root, actor=operator(), model=str(model))
    if as_json:
        print_json(
            {
                "root": root,
                "name": sealed.name,
                "keys": verified.keys,
                "sealed_at": sealed.sealed_at,
                "files": len(sealed.seal.files),
                "standing": standing_json(verified.standing),
            }
        )
    else:
        lines = [
            f"verified  {model} ({files(len(sealed.seal.files))}) is what was sealed",
            f"root      {root}",
            *standing_lines(verified.standing),
        ]
        typer.echo("\n".join(lines))
