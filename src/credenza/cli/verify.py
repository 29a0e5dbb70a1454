"""``credenza verify``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from credenza.cli.console import (
    AsJson,
    Log,
    Model,
    conclude,
    files,
    operator,
    print_json,
    reading,
    record,
)
from credenza.cli.log import LogKey, Threshold, Witnesses, check_logged


def verify(
    model: Model,
    trust: Annotated[
        Path, typer.Option("--trust", metavar="FILE.pub", help="The public key of who may seal.")
    ],
    receipt: Annotated[
        Path | None,
        typer.Option("--receipt", metavar="FILE", help="Proof that the seal is in a ledger."),
    ] = None,
    log_key: LogKey = None,
    witness: Witnesses = None,
    threshold: Threshold = None,
    log: Log = None,
    as_json: AsJson = False,
) -> None:
    """Check that a model is exactly what a trusted key sealed."""
    from credenza.attest import Trust
    from credenza.errors import AlteredError, InputError
    from credenza.seal import check, read_seal

    verified = read_seal(model, Trust.read(trust))
    if receipt is None and (log_key is not None or witness or threshold is not None):
        raise InputError("--log-key, --witness, --threshold: --receipt FILE expected beside them")
    if receipt is not None:
        check_logged(receipt, model, verified.value.seal.root.hex(), log_key, witness, threshold)
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
            }
        )
    else:
        typer.echo(
            f"verified  {model} ({files(len(sealed.seal.files))}) is what was sealed\n"
            f"root      {root}\n"
            f"sealed    {sealed.sealed_at.isoformat()} by key {', '.join(verified.keys)}"
        )
