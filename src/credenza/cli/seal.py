"""``credenza seal``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from credenza.cli import oms as oms_verb
from credenza.cli.console import (
    AsJson,
    Cached,
    Key,
    Log,
    Model,
    cache_of,
    files,
    print_json,
    reading,
    record_seal,
)
from credenza.cli.keys import PasswordFile, asking


def seal(
    model: Model,
    key: Key,
    password_file: PasswordFile = None,
    algorithm: Annotated[
        str, typer.Option("--algorithm", help="blake3, or sha256 where that is required.")
    ] = "",
    ignore: Annotated[
        list[str] | None,
        typer.Option("--ignore", metavar="PATH", help="Leave it out (FOLDER/: all in it); listed."),
    ] = None,
    cached: Cached = False,
    log: Log = None,
    receipt: Annotated[
        Path | None,
        typer.Option("--receipt", metavar="FILE", help="With --log: write proof that it is in it."),
    ] = None,
    oms: Annotated[
        bool, typer.Option("--oms", help="Write a signature that OpenSSF Model Signing verifies.")
    ] = False,
    out: oms_verb.Out = None,
    certificate: oms_verb.Certificate = None,
    shard_size: oms_verb.ShardSize = None,
    one_file_as_dot: oms_verb.AsDot = False,
    as_json: AsJson = False,
) -> None:
    """Seal a model: name every byte of it, and sign that."""
    from credenza.errors import InputError

    if oms:
        if cached or receipt is not None:
            raise InputError("seal: --cached and --receipt do not go with --oms")
        options = oms_verb.SealOptions(
            out=out or Path("model.sig"),
            certificate=certificate,
            password_file=password_file,
            algorithm=algorithm or "sha256",
            shard_size=shard_size,
            ignore=ignore or [],
            one_file_as_dot=one_file_as_dot,
        )
        oms_verb.seal(model, Path(key), options, log, as_json=as_json)
        return
    from credenza import artifact
    from credenza.attest.signers import signer
    from credenza.seal import Algorithm, seal, seal_path

    if out is not None or certificate or shard_size or one_file_as_dot:
        raise InputError("seal: an option that needs --oms was given without it")
    algorithm = algorithm or Algorithm.BLAKE3.value
    names = [a.value for a in Algorithm]
    if algorithm not in names:
        raise InputError(f"--algorithm: {' or '.join(names)} expected, {algorithm!r} given")
    if receipt is not None and log is None:
        raise InputError("--receipt: --log LEDGER expected beside it")
    by = signer(key, asking(password_file))
    opened = artifact.open(model, ignore=ignore or ())
    with reading("sealing", sum(file.size for file in opened.files)) as progress:
        sealed = seal(
            opened,
            by,
            algorithm=Algorithm(algorithm),
            cache=cache_of(cached=cached),
            progress=progress,
        )
    written, root = seal_path(model), sealed.root.hex()
    if log is not None:
        record_seal(log, written, receipt, root=root, key=by.public.id)
    if as_json:
        print_json({"root": root, "seal": str(written), "files": len(sealed.files)})
    else:
        typer.echo(
            f"sealed   {model} ({files(len(sealed.files))})\nroot     {root}\nwritten  {written}"
        )
