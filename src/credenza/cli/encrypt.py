"""``credenza encrypt``, ``decrypt`` and ``rekey``."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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
    trusted,
)
from credenza.cli.keys import PasswordFile, asking

if TYPE_CHECKING:
    from credenza.seal.encryption import Recipient

Encrypted = Annotated[Path, typer.Argument(metavar="ENC", help="An encrypted model's folder.")]
To = Annotated[
    list[Path],
    typer.Option("--to", metavar="R.pub", help="A recipient's public key; several by several."),
]
IdentityFile = Annotated[
    Path, typer.Option("--identity", metavar="R", help="Your private key as a recipient.")
]
Out = Annotated[
    Path, typer.Option("--out", metavar="FOLDER", help="A folder to make; none is overwritten.")
]


def encrypt(
    model: Model,
    to: To,
    trust: Trusts,
    out: Out,
    log: Log = None,
    as_json: AsJson = False,
) -> None:
    """Encrypt a sealed model, verified as it is read, to recipients."""
    from credenza.seal import encryption, read_seal

    by, recipients = trusted(trust), _recipients(to)
    total = sum(f.size for f in read_seal(model, by).value.seal.files)
    with _reported(as_json), reading("encrypting", total) as progress:
        sealed = encryption.encrypt(model, by, recipients, out, progress=progress)
    root = sealed.value.seal.root.hex()
    count = str(len(recipients))
    record(log, "encrypted", root=root, actor=operator(), model=str(model), recipients=count)
    if as_json:
        print_json({"root": root, "encrypted": str(out), "recipients": [r.id for r in recipients]})
        return
    typer.echo(f"encrypted  {model} ({files(len(sealed.value.seal.files))}), as it was sealed")
    typer.echo(f"root       {root}")
    for recipient in recipients:
        typer.echo(f"for        {recipient.id}  {recipient.kem.value}")
    typer.echo(f"written    {out}")


def decrypt(
    encrypted: Encrypted,
    identity: IdentityFile,
    trust: Trusts,
    out: Out,
    password_file: PasswordFile = None,
    log: Log = None,
    as_json: AsJson = False,
) -> None:
    """Write an encrypted model back, with its seal, once verified."""
    from credenza.seal import encryption

    key = encryption.Identity.read(identity, asking(password_file))
    payload = encrypted / encryption.PAYLOAD_NAME
    total = payload.stat().st_size if payload.exists() else 0
    with _reported(as_json), reading("decrypting", total) as progress:
        sealed = encryption.decrypt(encrypted, trusted(trust), key, out, progress=progress)
    root, written = sealed.value.seal.root.hex(), sealed.value.path
    record(log, "decrypted", root=root, actor=operator(), model=str(written))
    if as_json:
        print_json({"root": root, "model": str(written), "keys": sealed.keys})
        return
    typer.echo(
        f"decrypted  {encrypted} ({files(len(sealed.value.seal.files))}) is what was sealed\n"
        f"root       {root}\n"
        f"sealed     {sealed.value.sealed_at.isoformat()} by key {', '.join(sealed.keys)}\n"
        f"written    {written}"
    )


def rekey(
    encrypted: Encrypted,
    identity: IdentityFile,
    to: To,
    password_file: PasswordFile = None,
    as_json: AsJson = False,
) -> None:
    """Exchange the recipients of an encrypted model for others."""
    from credenza.seal import encryption

    recipients = _recipients(to)
    key = encryption.Identity.read(identity, asking(password_file))
    with _reported(as_json):
        encryption.rekey(encrypted, key, recipients)
    if as_json:
        print_json({"encrypted": str(encrypted), "recipients": [r.id for r in recipients]})
        return
    for recipient in recipients:
        typer.echo(f"for        {recipient.id}  {recipient.kem.value}")
    typer.echo("nobody else, from now on; who kept the header or the data key still can read it")


@contextlib.contextmanager
def _reported(as_json: bool) -> Iterator[None]:
    """Print the report of a refusal that has one, and let it go on."""
    from credenza.errors import AlteredError

    try:
        yield
    except AlteredError as e:
        conclude([e.report], as_json=as_json)
        raise


def _recipients(paths: list[Path]) -> list[Recipient]:
    from credenza.seal.encryption import Recipient

    return [Recipient.read(path) for path in paths]
