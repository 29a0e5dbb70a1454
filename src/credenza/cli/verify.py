"""``credenza verify``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from credenza.cli import oms as oms_verb
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
    oms: Annotated[
        Path | None,
        typer.Option("--oms", metavar="FILE", help="A signature of OpenSSF Model Signing."),
    ] = None,
    identity: oms_verb.Identity = None,
    any_identity: oms_verb.AnyIdentity = False,
    issuer: oms_verb.Issuer = "",
    ignore: oms_verb.Ignore = None,
    allow_unsigned_files: oms_verb.AllowUnsigned = False,
    log: Log = None,
    as_json: AsJson = False,
) -> None:
    """Check that a model is exactly what a trusted key sealed."""
    from credenza.attest import Trust
    from credenza.errors import AlteredError, InputError
    from credenza.seal import check, read_seal

    if oms is not None:
        options = oms_verb.VerifyOptions(
            signature=oms,
            identities=identity or [],
            any_identity=any_identity,
            issuer=issuer,
            ignore=ignore or [],
            allow_unsigned_files=allow_unsigned_files,
        )
        oms_verb.verify(model, trust, options, log, as_json=as_json)
        return
    if identity or any_identity or issuer or ignore or allow_unsigned_files:
        raise InputError("verify: an option that needs --oms was given without it")
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
