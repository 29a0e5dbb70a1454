"""What ``credenza seal --oms`` and ``credenza verify --oms`` do."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from credenza.cli.console import conclude, files, operator, print_json, reading, record, size
from credenza.cli.keys import given_password

Out = Annotated[
    Path | None, typer.Option("--out", metavar="FILE", help="With --oms: the signature to write.")
]
Certificate = Annotated[
    Path | None,
    typer.Option(
        "--certificate", metavar="CHAIN.pem", help="With --oms: the key's certificate, its issuers."
    ),
]
ShardSize = Annotated[
    int | None, typer.Option("--shard-size", min=1, help="With --oms: bytes to a shard.")
]
AsDot = Annotated[
    bool,
    typer.Option("--one-file-as-dot", help="With --oms: name one file as model-signing does."),
]
Ignore = Annotated[
    list[str] | None,
    typer.Option("--ignore", metavar="PATH", help="With --oms: a path in MODEL to leave out."),
]
Identity = Annotated[
    list[str] | None,
    typer.Option("--identity", metavar="NAME", help="With --oms: who may have signed."),
]
AnyIdentity = Annotated[
    bool,
    typer.Option("--any-identity", help="With --oms: whoever has a certificate may have signed."),
]
Issuer = Annotated[
    str, typer.Option("--issuer", metavar="URL", help="With --oms: a Sigstore identity's issuer.")
]
AllowUnsigned = Annotated[
    bool,
    typer.Option("--allow-unsigned-files", help="With --oms: files that nobody signed may be."),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class SealOptions:
    """How to sign, as the command line says it."""

    out: Path
    certificate: Path | None
    password_file: Path | None
    algorithm: str
    shard_size: int | None
    ignore: list[str]
    one_file_as_dot: bool


def seal(model: Path, key: Path, options: SealOptions, log: Path | None, *, as_json: bool) -> None:
    """Sign a model, and say what was signed."""
    from credenza.errors import InputError
    from credenza.seal import oms

    names = [h.value for h in oms.Hash]
    if options.algorithm not in names:
        raise InputError(f"--algorithm: {', '.join(names)} expected, {options.algorithm!r} given")
    chain = oms.read_certificates(options.certificate) if options.certificate else ()
    password = given_password(options.password_file)
    private = oms.PrivateKey.read(key, None if password is None else password.encode())
    with reading("signing", size(model)) as progress:
        manifest = oms.sign(
            model,
            private,
            options.out,
            chain=chain,
            hash_=oms.Hash(options.algorithm),
            shard_size=options.shard_size,
            ignore=options.ignore,
            one_file_as_dot=options.one_file_as_dot,
            progress=progress,
        )
    written, count = str(options.out), len({r.path for r in manifest.resources})
    record(log, "sealed", root=manifest.digest, actor=operator(), model=str(model), oms=written)
    if as_json:
        print_json({"digest": manifest.digest, "signature": written, "files": count})
    else:
        typer.echo(
            f"signed   {model} ({files(count)})\ndigest   {manifest.digest}\nwritten  {written}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyOptions:
    """Whom to believe and what to leave, as the command line says it."""

    signature: Path
    identities: list[str]
    any_identity: bool
    issuer: str
    ignore: list[str]
    allow_unsigned_files: bool


def verify(
    model: Path, trust: Path, options: VerifyOptions, log: Path | None, *, as_json: bool
) -> None:
    """Check a model against its signature, and say who signed it."""
    from credenza.errors import AlteredError
    from credenza.findings import plain
    from credenza.seal import oms

    believed = oms.read_trust(
        trust,
        identities=options.identities,
        any_identity=options.any_identity,
        issuer=options.issuer,
    )
    try:
        with reading("verifying", size(model)) as progress:
            verified = oms.verify(
                model,
                options.signature,
                believed,
                ignore=options.ignore,
                allow_unsigned_files=options.allow_unsigned_files,
                progress=progress,
            )
    except AlteredError as e:
        root, first = e.report.root, str(e.report.findings[0].where)
        try:
            conclude([e.report], as_json=as_json)
        finally:
            record(log, "refused", root=root, actor=operator(), model=str(model), where=first)
        raise
    manifest = verified.manifest
    record(log, "verified", root=manifest.digest, actor=operator(), model=str(model))
    count, notes = len({r.path for r in manifest.resources}), verified.report.findings
    if as_json:
        signers = [{"key": s.key, "names": s.names} for s in verified.signers]
        print_json(
            {
                "digest": manifest.digest,
                "name": manifest.name,
                "signers": signers,
                "files": count,
                "unsigned": [str(n) for n in notes],
            }
        )
        return
    told = [
        f"verified  {model} ({files(count)}) is what was signed",
        f"digest    {manifest.digest}",
    ]
    told += [f"signed    by {signer}" for signer in verified.signers]
    told += [f"note      {note}" for note in notes]
    typer.echo("\n".join(map(plain, told)))
