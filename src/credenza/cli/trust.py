"""``credenza trust``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from credenza.cli.console import AsJson, date
from credenza.cli.keys import asking
from credenza.findings import plain

if TYPE_CHECKING:
    from credenza.attest.roles import Person, Revoked, Role
    from credenza.attest.signers import KeySigner
    from credenza.attest.trust_editing import Draft, Edit

app = typer.Typer(
    help="Say whose word counts, in which role.", no_args_is_help=True, rich_markup_mode=None
)

File = Annotated[Path, typer.Argument(metavar="FILE", help="A trust document.")]
Keys = Annotated[
    list[str], typer.Option("--key", metavar="KEY", help="A root person's key, or signer's URI.")
]
People = Annotated[
    list[str],
    typer.Option("--person", metavar="NAME=FILE.pub", help="Somebody, and a public key of theirs."),
]
RoleList = Annotated[
    list[str],
    typer.Option(
        "--role", metavar="ROLE=NAME,…:N", help="Who may act in a role, and how many it takes (1)."
    ),
]
Separate = Annotated[
    list[str],
    typer.Option("--separate", metavar="ROLE,ROLE", help="Roles that no person may fill both of."),
]
Optional = Annotated[
    list[str],
    typer.Option("--optional", metavar="ROLE", help="A role that a model need not have."),
]
Expires = Annotated[
    str, typer.Option("--expires", metavar="DATE", help="It is refused from then on.")
]


@app.command("new")
def new(
    file: File,
    name: Annotated[str, typer.Option("--name", help="Its name, the same in each version.")],
    role: RoleList,
    expires: Expires,
    key: Keys = [],  # noqa: B006
    person: People = [],  # noqa: B006  typer copies it
    separate: Separate = [],  # noqa: B006
    optional: Optional = [],  # noqa: B006
) -> None:
    """Make a trust document. Without --role root=… those are root whose keys sign it."""
    from credenza.attest.signers import signer
    from credenza.attest.trust_editing import Draft, first
    from credenza.errors import InputError

    until, signers = date("--expires", expires), [signer(uri, asking(None)) for uri in key]
    edit = _edit(person, role, separate, optional)
    if not any(r.name == "root" for r in edit.roles):
        if not signers:
            raise InputError("trust: --key of a root person, or --role root=NAME,… expected")
        edit = _with_roots(edit, key, signers)
    _write(file, Draft.after(None, first(name, until, edit)).signed(signers))


@app.command("show")
def show(file: File, as_json: AsJson = False) -> None:
    """Print what a trust document, or a draft of one, says."""
    from credenza.attest.trust_editing import Draft

    draft = Draft.read(file)
    if as_json:
        typer.echo(bytes(draft.document))
    else:
        typer.echo("\n".join(map(plain, _shown(draft))))


@app.command("change")
def change(
    file: File,
    key: Keys = [],  # noqa: B006
    person: People = [],  # noqa: B006
    without: Annotated[
        list[str], typer.Option("--without", metavar="NAME", help="Somebody who leaves.")
    ] = [],  # noqa: B006
    role: RoleList = [],  # noqa: B006
    separate: Separate = [],  # noqa: B006
    optional: Optional = [],  # noqa: B006
    expires: Expires = "",
) -> None:
    """Make the next version: renew it, rotate keys, exchange people and roles."""
    from dataclasses import replace

    edit = _edit(person, role, separate, optional)
    until = date("--expires", expires) if expires else None
    _go_on(file, replace(edit, without=tuple(without), expires=until), key)


@app.command("revoke")
def revoke(
    file: File,
    key: Keys = [],  # noqa: B006
    key_id: Annotated[
        str, typer.Option("--key-id", help="A key's id, or the first 16 digits of a listed one.")
    ] = "",
    root: Annotated[str, typer.Option("--root", help="A model root.")] = "",
    reason: Annotated[str, typer.Option("--reason", help="Why, in a line.")] = "",
    person: People = [],  # noqa: B006
) -> None:
    """Make the next version, which revokes a key or a model for good."""
    from dataclasses import replace

    from credenza.errors import InputError

    if not (key_id or root):
        raise InputError("trust: a key's id (--key-id) or a model root (--root) expected")
    edit = replace(
        _edit(person, [], [], []),
        revoked_keys=_revoked([_whole_id(file, key_id)] if key_id else [], reason),
        revoked_roots=_revoked([root] if root else [], reason),
    )
    _go_on(file, edit, key)


@app.command("sign")
def sign(file: File, key: Keys) -> None:
    """Sign a draft. Look at it first, with `credenza trust show`."""
    from credenza.attest.signers import signer
    from credenza.attest.trust_editing import Draft
    from credenza.errors import InputError

    if file.suffix != ".draft":
        raise InputError(f"{file}: a draft expected (FILE.draft)")
    draft = Draft.read(file).signed([signer(uri, asking(None)) for uri in key])
    _write(file.with_suffix(""), draft, begun=True)


def _go_on(file: Path, edit: Edit, keys: list[str]) -> None:
    from credenza.attest.signers import signer
    from credenza.attest.trust_chain import LARGEST_CHAIN, Chain
    from credenza.attest.trust_editing import Draft, following
    from credenza.files import read_whole

    chain = Chain.parse(read_whole(file, limit=LARGEST_CHAIN))
    draft = Draft.after(chain, following(chain.head, edit))
    _write(file, draft.signed([signer(uri, asking(None)) for uri in keys]))


def _write(file: Path, draft: Draft, *, begun: bool = False) -> None:
    from credenza.attest.trust_editing import write

    written, document = write(file, draft, begun=begun), draft.document
    typer.echo(f"written  {written} ({document.name}, version {document.version})")
    if missing := draft.missing():
        typer.echo(
            f"missing  {missing} more of its root people: credenza trust sign {written} --key KEY"
        )


def _edit(people: list[str], roles: list[str], separate: list[str], optional: list[str]) -> Edit:
    from credenza.attest.trust_editing import Edit

    return Edit(
        people=_people(people),
        roles=tuple(map(_role, roles)),
        separate=tuple(tuple(text.split(",")) for text in separate),
        optional=tuple(optional),
    )


def _people(texts: list[str]) -> tuple[Person, ...]:
    from credenza.attest import PublicKey
    from credenza.attest.roles import Person
    from credenza.errors import InputError

    keys: dict[str, list[PublicKey]] = {}
    for text in texts:
        name, equals, path = text.partition("=")
        if not equals:
            raise InputError(f"--person: NAME=FILE.pub expected, {text!r} given")
        keys.setdefault(name, []).append(PublicKey.read(Path(path)))
    return tuple(Person(name, tuple(held)) for name, held in keys.items())


def _role(text: str) -> Role:
    from credenza.attest.roles import Role
    from credenza.errors import InputError

    name, equals, rest = text.partition("=")
    names, colon, takes = rest.partition(":")
    if not equals or (colon and not (takes.isascii() and takes.isdigit() and len(takes) < 4)):
        raise InputError(f"--role: ROLE=NAME,NAME:2 expected, {text!r} given")
    return Role(name, tuple(names.split(",")), int(takes) if colon else 1)


def _with_roots(edit: Edit, keys: list[str], signers: list[KeySigner]) -> Edit:
    """With the role root: of each signer's owner, or of somebody named as the key's file."""
    from dataclasses import replace

    from credenza.attest.roles import Person, Role, Roles

    known, people = Roles(edit.people, ()), list(edit.people)
    names = []
    for key, signer in zip(keys, signers, strict=True):
        name = known.owner(signer.public.id)
        if not name:
            name = Path(key).stem
            people.append(Person(name, (signer.public,)))
        names.append(name)
    root = Role("root", tuple(dict.fromkeys(names)), len(set(names)))
    return replace(edit, people=tuple(people), roles=(*edit.roles, root))


def _whole_id(file: Path, key_id: str) -> str:
    from credenza.attest.trust_editing import Draft

    people = Draft.read(file).document.roles.people
    ids = [k.id for p in people for k in p.keys if len(key_id) >= 16 and k.id.startswith(key_id)]
    return ids[0] if len(ids) == 1 else key_id


def _revoked(ids: list[str], reason: str) -> tuple[Revoked, ...]:
    import datetime as dt

    from credenza.attest.roles import Revoked

    return tuple(Revoked(id_, dt.datetime.now(dt.UTC), reason) for id_ in ids)


def _shown(draft: Draft) -> list[str]:
    import hashlib

    document, roles = draft.document, draft.document.roles
    lines = [
        f"{document.name}, version {document.version}, expires {document.expires.isoformat()}",
        f"sha256    {hashlib.sha256(bytes(document)).hexdigest()}",
    ]
    if missing := draft.missing():
        lines.append(f"draft     {missing} more of its root people have to sign")
    for person in roles.people:
        lines += [f"person    {person.name}  key {key.id}" for key in person.keys]
    for role in roles.roles:
        required = "" if role.name in roles.require or role.name == "root" else ", optional"
        takes = f"{role.threshold} of {', '.join(role.people)}{required}"
        lines.append(f"role      {role.name}: {takes}")
    lines += [f"separate  {', '.join(names)}" for names in roles.separate]
    for what, revoked in (("key", roles.revoked_keys), ("root", roles.revoked_roots)):
        lines += [f"revoked   {what} {r.id} on {r.at:%Y-%m-%d}: {r.reason}" for r in revoked]
    return lines
