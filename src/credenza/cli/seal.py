"""``credenza seal``."""

from __future__ import annotations

from typing import Annotated

import typer

from credenza.cli.console import AsJson, Log, Model, files, operator, print_json, reading, record
from credenza.cli.keys import PasswordFile, asking


def seal(
    model: Model,
    key: Annotated[
        str, typer.Option("--key", metavar="KEY", help="The private key's file, or a signer's URI.")
    ],
    password_file: PasswordFile = None,
    algorithm: Annotated[
        str, typer.Option("--algorithm", help="blake3, or sha256 where that is required.")
    ] = "blake3",
    log: Log = None,
    as_json: AsJson = False,
) -> None:
    """Seal a model: name every byte of it, and sign that."""
    from credenza import artifact
    from credenza.attest.signers import signer
    from credenza.errors import InputError
    from credenza.seal import Algorithm, seal, seal_path

    names = [a.value for a in Algorithm]
    if algorithm not in names:
        raise InputError(f"--algorithm: {' or '.join(names)} expected, {algorithm!r} given")
    by = signer(key, asking(password_file))
    opened = artifact.open(model)
    with reading("sealing", sum(file.size for file in opened.files)) as progress:
        sealed = seal(opened, by, algorithm=Algorithm(algorithm), progress=progress)
    written, root = seal_path(model), sealed.root.hex()
    record(log, "sealed", root=root, actor=operator(), model=str(model), key=by.public.id)
    if as_json:
        print_json({"root": root, "seal": str(written), "files": len(sealed.files)})
    else:
        typer.echo(
            f"sealed   {model} ({files(len(sealed.files))})\nroot     {root}\nwritten  {written}"
        )
