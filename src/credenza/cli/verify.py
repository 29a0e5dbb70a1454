"""``credenza verify``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from credenza.cli import oms as oms_verb
from credenza.cli.console import (
    AsJson,
    Cached,
    Log,
    Model,
    Trusts,
    cache_of,
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
from credenza.cli.log import LogKey, Threshold, Witnesses, check_logged

if TYPE_CHECKING:
    from credenza.attest import Verified
    from credenza.seal import Sealed


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
    cached: Cached = False,
    receipt: Annotated[
        Path | None,
        typer.Option("--receipt", metavar="FILE", help="Proof that the seal is in a ledger."),
    ] = None,
    log_key: LogKey = None,
    witness: Witnesses = None,
    threshold: Threshold = None,
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
    """Check that a model is exactly what trusted people vouch for."""
    from credenza.errors import InputError, RefusedError
    from credenza.seal import read_seal

    if oms is not None:
        if len(trust) != 1 or release or state or cached or receipt:
            raise InputError("verify: with --oms, one --trust, and no option of other seals")
        options = oms_verb.VerifyOptions(
            signature=oms,
            identities=identity or [],
            any_identity=any_identity,
            issuer=issuer,
            ignore=ignore or [],
            allow_unsigned_files=allow_unsigned_files,
        )
        oms_verb.verify(model, trust[0], options, log, as_json=as_json)
        return
    if identity or any_identity or issuer or ignore or allow_unsigned_files:
        raise InputError("verify: an option that needs --oms was given without it")
    if receipt is None and (log_key is not None or witness or threshold is not None):
        raise InputError("--log-key, --witness, --threshold: --receipt FILE expected beside them")
    try:
        verified = read_seal(model, trusted(trust, state, release))
        if receipt is not None:
            root = verified.value.seal.root.hex()
            check_logged(receipt, model, root, log_key, witness, threshold)
    except RefusedError as e:
        record(log, "refused", root="", actor=operator(), model=str(model), why=str(e))
        raise
    _check(verified, log, cached=cached, as_json=as_json)
    _tell(verified, log, as_json=as_json)


def _check(verified: Verified[Sealed], log: Path | None, *, cached: bool, as_json: bool) -> None:
    """Hold the model against its seal; report and record a refusal."""
    from credenza.errors import AlteredError
    from credenza.seal import check

    total = sum(file.size for file in verified.value.seal.files)
    try:
        with reading("verifying", total) as progress:
            check(verified, cache=cache_of(cached=cached), progress=progress)
    except AlteredError as e:
        root, first = e.report.root, str(e.report.findings[0].where)
        model = str(verified.value.path)
        try:
            conclude([e.report], as_json=as_json)
        finally:
            record(log, "refused", root=root, actor=operator(), model=model, where=first)
        raise


def _tell(verified: Verified[Sealed], log: Path | None, *, as_json: bool) -> None:
    sealed, root = verified.value, verified.value.seal.root.hex()
    record(log, "verified", root=root, actor=operator(), model=str(sealed.path))
    if as_json:
        print_json(
            {
                "root": root,
                "name": sealed.name,
                "keys": verified.keys,
                "sealed_at": sealed.sealed_at,
                "files": len(sealed.seal.files),
                "ignored": sealed.seal.ignored,
                "standing": standing_json(verified.standing),
            }
        )
        return
    lines = [
        f"verified  {sealed.path} ({files(len(sealed.seal.files))}) is what was sealed",
        f"root      {root}",
        *standing_lines(verified.standing),
        *(f"ignored   {path}" for path in sealed.seal.ignored),
    ]
    typer.echo("\n".join(lines))
