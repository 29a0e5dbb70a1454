"""``credenza keys``, and the options of every verb that signs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from credenza.attest.asking import Ask

app = typer.Typer(help="Make and show keys.", no_args_is_help=True, rich_markup_mode=None)

PasswordFile = Annotated[
    Path | None,
    typer.Option("--password-file", metavar="FILE", help="The key's password, or a token's PIN."),
]
_VARIABLE = "CREDENZA_KEY_PASSWORD"
_LARGEST_PASSWORD = 4096


@app.command("new")
def new(
    out: Annotated[
        Path,
        typer.Option("--out", metavar="FILE", help="The private key; FILE.pub is its public half."),
    ],
    kind: Annotated[
        str, typer.Option("--kind", help="ed25519, p256, ml-dsa-65, or hybrid (both of its kind).")
    ] = "ed25519",
    encrypt: Annotated[
        bool, typer.Option("--encrypt", help="Encrypt the private half with a password.")
    ] = False,
    password_file: PasswordFile = None,
) -> None:
    """Make a key pair. No existing file is overwritten."""
    from credenza.attest import kind_named, new_key

    chosen = kind_named(kind)
    password = new_password(out, password_file) if encrypt or password_file is not None else None
    key = new_key(out, chosen, password)
    typer.echo(
        f"{out}      private: whoever has it can seal in your name\n{out}.pub  {key.public.id}"
    )


@app.command("show")
def show(
    key: Annotated[
        str,
        typer.Argument(metavar="KEY", help="A public or private key's file, or a signer's URI."),
    ],
    pem: Annotated[bool, typer.Option("--pem", help="Print the public key instead.")] = False,
    password_file: PasswordFile = None,
) -> None:
    """Print a key's id, as seals and refusals name it, and its kind."""
    from credenza.attest.signers import public_key

    public = public_key(key, asking(password_file))
    if pem:
        typer.echo(public.pem.decode(), nl=False)
    else:
        typer.echo(f"{public.id}  {public.kind.name}")


@app.command("recipient")
def recipient(
    out: Annotated[
        Path,
        typer.Option("--out", metavar="FILE", help="The private key; FILE.pub is its public half."),
    ],
    kem: Annotated[
        str,
        typer.Option("--kem", help="MLKEM768-X25519, which is post-quantum too, or X25519 alone."),
    ] = "MLKEM768-X25519",
    encrypted: Annotated[
        bool, typer.Option("--encrypt", help="Encrypt the private half with a password.")
    ] = False,
    password_file: PasswordFile = None,
) -> None:
    """Make a key pair to encrypt models to. No existing file is overwritten."""
    from credenza.errors import InputError
    from credenza.seal.encryption import Kem, new_identity

    names = [k.value for k in Kem]
    if kem not in names:
        raise InputError(f"--kem: {' or '.join(names)} expected, {kem!r} given")
    with_password = encrypted or password_file is not None
    password = new_password(out, password_file) if with_password else None
    key = new_identity(out, Kem(kem), password)
    typer.echo(
        f"{out}      private: whoever has it can read what is encrypted to you\n"
        f"{out}.pub  {key.recipient.id}"
    )


def new_password(out: Path, password_file: Path | None) -> str:
    """A password for a key to be made, from the file, the environment, or the terminal."""
    password = given_password(password_file)
    return _prompt(f"New password of {out}", again=True) if password is None else password


def asking(password_file: Path | None) -> Ask:
    """Asks the file, then the environment, then whoever sits at the terminal."""

    def ask(what: str) -> str:
        password = given_password(password_file)
        return _prompt(what) if password is None else password

    return ask


def given_password(password_file: Path | None) -> str | None:
    """The password from the file or the environment. Raises `InputError` where it is empty."""
    from credenza.errors import InputError
    from credenza.files import read_whole

    if password_file is None:
        return os.environ.get(_VARIABLE)
    data = read_whole(password_file, limit=_LARGEST_PASSWORD, owner_only=True)
    try:
        return data.decode().rstrip("\r\n")
    except UnicodeDecodeError as e:
        raise InputError(f"{password_file}: a password in UTF-8 expected") from e


def _prompt(what: str, *, again: bool = False) -> str:
    """What a person types at the terminal, unseen; twice where it is new."""
    import getpass

    from credenza.errors import InputError

    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError as e:
        raise InputError(
            f"{what}: needed, and there is no terminal to ask at",
            hint=f"--password-file FILE, or the environment variable {_VARIABLE}",
        ) from e
    try:
        password = getpass.getpass(f"{what}: ")
        repeated = getpass.getpass("Once more: ") if again else password
    except EOFError as e:
        raise InputError(f"{what}: needed, and none was typed") from e
    if repeated != password:
        raise InputError("the two passwords differ")
    return password
