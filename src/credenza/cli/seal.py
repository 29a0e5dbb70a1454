"""``credenza seal``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from credenza.cli.console import AsJson, Log, Model, files, print_json, reading, record_seal


def seal(
    model: Model,
    key: Annotated[
        Path, typer.Option("--key", metavar="FILE", help="The private key to sign with.")
    ],
    algorithm: Annotated[
        str, typer.Option("--algorithm", help="blake3, or sha256 where that is required.")
    ] = "blake3",
    log: Log = None,
    receipt: Annotated[
        Path | None,
        typer.Option("--receipt", metavar="FILE", help="With --log: write proof that it is in it."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Seal a model: name every byte of it, and sign that."""
    from credenza import artifact
    from credenza.attest import PrivateKey
    from credenza.errors import InputError
    from credenza.seal import Algorithm, seal, seal_path

    names = [a.value for a in Algorithm]
    if algorithm not in names:
        raise InputError(f"--algorithm: {' or '.join(names)} expected, {algorithm!r} given")
    if receipt is not None and log is None:
        raise InputError("--receipt: --log LEDGER expected beside it")
    signer = PrivateKey.read(key)
    opened = artifact.open(model)
    with reading("sealing", sum(file.size for file in opened.files)) as progress:
        sealed = seal(opened, signer, algorithm=Algorithm(algorithm), progress=progress)
    written, root = seal_path(model), sealed.root.hex()
    if log is not None:
        record_seal(log, written, receipt, root=root, key=signer.public.id)
    if as_json:
        print_json({"root": root, "seal": str(written), "files": len(sealed.files)})
    else:
        typer.echo(
            f"sealed   {model} ({files(len(sealed.files))})\nroot     {root}\nwritten  {written}"
        )
