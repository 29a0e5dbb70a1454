"""``credenza seal``."""

from __future__ import annotations

from typing import Annotated

import typer

from credenza.cli import oms as oms_verb
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
    ] = "",
    oms: Annotated[
        bool, typer.Option("--oms", help="Write a signature that OpenSSF Model Signing verifies.")
    ] = False,
    out: oms_verb.Out = Path("model.sig"),
    certificate: oms_verb.Certificate = None,
    password_file: oms_verb.PasswordFile = None,
    shard_size: oms_verb.ShardSize = None,
    ignore: oms_verb.Ignore = None,
    one_file_as_dot: oms_verb.AsDot = False,
    log: Log = None,
    receipt: Annotated[
        Path | None,
        typer.Option("--receipt", metavar="FILE", help="With --log: write proof that it is in it."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Seal a model: name every byte of it, and sign that."""
    if oms:
        options = oms_verb.SealOptions(
            out=out,
            certificate=certificate,
            password_file=password_file,
            algorithm=algorithm or "sha256",
            shard_size=shard_size,
            ignore=ignore or [],
            one_file_as_dot=one_file_as_dot,
        )
        oms_verb.seal(model, key, options, log, as_json=as_json)
        return
    from credenza import artifact
    from credenza.attest.signers import signer
    from credenza.errors import InputError
    from credenza.seal import Algorithm, seal, seal_path

    if certificate or password_file or shard_size or ignore or one_file_as_dot:
        raise InputError("seal: an option that needs --oms was given without it")
    algorithm = algorithm or Algorithm.BLAKE3.value
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
