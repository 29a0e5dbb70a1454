"""``credenza log``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from credenza.cli.console import AsJson, print_json
from credenza.findings import plain

if TYPE_CHECKING:
    from credenza.ledger import Content, Ledger, Record, VerifierKey

app = typer.Typer(
    help="Make, read, prove and witness a ledger.", no_args_is_help=True, rich_markup_mode=None
)

LedgerFolder = Annotated[Path, typer.Argument(metavar="LEDGER", help="A ledger's folder.")]
LogKey = Annotated[
    str | None,
    typer.Option("--log-key", metavar="VKEY", help="The log's key, or its file. [LEDGER.vkey]"),
]
Witnesses = Annotated[
    list[str] | None,
    typer.Option(
        "--witness", metavar="VKEY", help="A witness that must have cosigned; repeatable."
    ),
]
Threshold = Annotated[
    int | None,
    typer.Option("--threshold", min=0, help="How many of the witnesses are enough. [all]"),
]


@app.command("new")
def new(
    ledger: LedgerFolder,
    origin: Annotated[
        str,
        typer.Option("--origin", metavar="NAME", help="Its name: a URL without https://."),
    ],
) -> None:
    """Make a ledger: its folder, LEDGER.key to write it and LEDGER.vkey to check it."""
    from credenza.ledger import Ledger
    from credenza.ledger.keys import key_paths

    made = Ledger.create(ledger, origin)
    private, public = key_paths(ledger)
    typer.echo(
        f"{ledger}  a ledger of {plain(origin)}\n"
        f"{private}  private: whoever has it can write in the ledger's name\n"
        f"{public}  give this to everybody who shall believe it\n{made.vkey}"
    )


@app.command("show")
def show(ledger: LedgerFolder, log_key: LogKey = None, as_json: AsJson = False) -> None:
    """Print every entry, oldest first. None is printed before it was checked."""
    for record in _opened(ledger, log_key):
        if as_json:
            print_json(_as_json(record))
        else:
            typer.echo(plain(f"{record.index:6}  {_words(record)}".rstrip()))


@app.command("verify")
def verify(
    ledger: LedgerFolder,
    log_key: LogKey = None,
    witness: Witnesses = None,
    threshold: Threshold = None,
    seen: Annotated[
        Path | None,
        typer.Option(
            "--seen", metavar="FILE", help="What was seen last: refuse less, then remember this."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check every entry and all that is kept, and print how many there are and their root."""
    from credenza.files import read_whole, write_whole
    from credenza.ledger import Note, Policy
    from credenza.ledger.note import LARGEST_NOTE

    opened = _opened(ledger, log_key)
    earlier = []
    if seen is not None and seen.exists():
        earlier.append(Note.parse(read_whole(seen, limit=LARGEST_NOTE)))
    checked = opened.verify(*earlier)
    Policy(opened.vkey, vkeys(witness), threshold).check(checked.note)
    if seen is not None:
        write_whole(seen, bytes(checked.note))
    checkpoint = checked.checkpoint
    if as_json:
        print_json(
            {
                "origin": checkpoint.origin,
                "size": checkpoint.size,
                "root": checkpoint.root.hex(),
                "kept": checked.kept,
                "signatures": [s.name for s in checked.note.signatures],
            }
        )
        return
    lost = f", {checked.not_kept} of them not kept" if checked.not_kept else ""
    typer.echo(plain(f"{checkpoint.size} entries of {checkpoint.origin}{lost}"))
    typer.echo(f"root  {checkpoint.root.hex()}")


@app.command("prove")
def prove(
    ledger: LedgerFolder,
    index: Annotated[int, typer.Argument(metavar="INDEX", help="Which entry, as show counts.")],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The receipt, a .tlog-proof.")],
    log_key: LogKey = None,
) -> None:
    """Write a receipt: proof, without the ledger, that an entry is in it."""
    from credenza.files import write_whole

    write_whole(out, bytes(_opened(ledger, log_key).prove(index)))
    typer.echo(f"written  {out}")


@app.command("key")
def key(
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="Makes FILE.key, FILE.vkey.")],
    name: Annotated[
        str, typer.Option("--name", metavar="NAME", help="The witness's: a URL without https://.")
    ],
    ml_dsa: Annotated[
        bool, typer.Option("--ml-dsa", help="ML-DSA-44, which quantum computers cannot forge.")
    ] = False,
) -> None:
    """Make a witness's key. No existing file is overwritten."""
    from credenza.ledger import Kind, SigningKey

    made = SigningKey.new(name, Kind.COSIGNER_ML_DSA if ml_dsa else Kind.COSIGNER)
    made.write(out)
    typer.echo(f"{out}.key   private: whoever has it can witness in this name\n{out}.vkey")


@app.command("cosign")
def cosign(
    ledger: LedgerFolder,
    witness: Annotated[str, typer.Argument(metavar="VKEY", help="The witness's key, or its file.")],
    url: Annotated[str, typer.Argument(metavar="URL", help="Where it listens.")],
    log_key: LogKey = None,
) -> None:
    """Ask a witness to cosign the ledger as it is now, and keep its signature."""
    from credenza.ledger.witness import Witness

    asked = Witness(vkey(witness), url)
    asked.cosign(_opened(ledger, log_key))
    typer.echo(f"cosigned  by {asked.key.name}")


@app.command("witness")
def witness(
    listen: Annotated[str, typer.Option("--listen", metavar="HOST:PORT", help="Where to listen.")],
    key: Annotated[Path, typer.Option("--key", metavar="FILE.key", help="The witness's key.")],
    state: Annotated[
        Path, typer.Option("--state", metavar="FOLDER", help="Where it remembers what it has seen.")
    ],
    log: Annotated[
        list[str],
        typer.Option("--log", metavar="VKEY", help="A log that it witnesses; repeatable."),
    ],
) -> None:
    """Witness logs: remember each one's head, and cosign only what continues it."""
    from credenza.errors import InputError
    from credenza.ledger import SigningKey
    from credenza.ledger.witnessing import Memory, Service

    host, _, port = listen.rpartition(":")
    if not host or not port.isascii() or not port.isdigit():
        raise InputError(f"--listen: HOST:PORT expected, {listen!r} given")
    memory = Memory(SigningKey.read(key), state, vkeys(log))
    with Service(memory, host, int(port)) as service:
        typer.echo(f"witnessing at {service.url}", err=True)
        service.serve_forever()


def check_logged(
    receipt: Path,
    model: Path,
    root: str,
    log_key: str | None,
    witness: list[str] | None,
    threshold: int | None,
) -> None:
    """Check that the seal of a model, which is about ``root``, is in a log.

    Raises `UntrustedError` where the receipt does not prove it.
    """
    from credenza.attest import Statement
    from credenza.attest.bundle import Bundle
    from credenza.errors import InputError, UntrustedError
    from credenza.files import read_whole
    from credenza.ledger import Policy, Receipt, check_receipt
    from credenza.ledger.content import LARGEST_CONTENT
    from credenza.ledger.receipt import LARGEST_RECEIPT
    from credenza.seal import seal_path

    if log_key is None:
        raise InputError("--receipt: --log-key VKEY expected beside it")
    policy = Policy(vkey(log_key), vkeys(witness), threshold)
    proof = Receipt.parse(read_whole(receipt, limit=LARGEST_RECEIPT))
    envelope = Bundle.parse(read_whole(seal_path(model), limit=LARGEST_CONTENT)).seal
    check_receipt(proof, envelope, policy)
    # The file may have been exchanged since the seal was read: the logged one must name this root.
    found = [subject.digest for subject in Statement.parse(envelope.payload).subjects]
    if found != [root]:
        raise UntrustedError(f"{receipt}: of a seal of {root} expected, it is one of {found}")


def vkey(given: str) -> VerifierKey:
    """A verifier key, given itself or by the name of its file."""
    from credenza.ledger import VerifierKey

    path = Path(given)
    return VerifierKey.parse(given) if "+" in given else VerifierKey.read(path)


def vkeys(given: list[str] | None) -> tuple[VerifierKey, ...]:
    """Each of the verifier keys."""
    return tuple(map(vkey, given or ()))


def _opened(path: Path, log_key: str | None) -> Ledger:
    from credenza.ledger import Ledger

    return Ledger.open(path, vkey(log_key) if log_key else None)


def _words(record: Record) -> str:
    content: Content | None = record.content
    if content is None:
        return f"{record.leaf.kind}  {record.leaf.digest.hex()}  not kept"
    from credenza.ledger import Entry

    if isinstance(content, Entry):
        detail = "  ".join(f"{key}={value}" for key, value in content.detail)
        root = content.root[:16] or "-"
        return f"{content.time}  {content.action:10}  {root:16}  {content.actor}  {detail}"
    keys = ", ".join(s.keyid[:16] for s in content.signatures)
    return f"envelope  {record.leaf.digest.hex()}  {content.payload_type}  claims key {keys}"


def _as_json(record: Record) -> dict[str, object]:
    from credenza.ledger import Entry

    told: dict[str, object] = {
        "index": record.index,
        "kind": record.leaf.kind,
        "digest": record.leaf.digest.hex(),
        "kept": record.content is not None,
    }
    if isinstance(record.content, Entry):
        told["act"] = record.content
    elif record.content is not None:
        told["envelope"] = bytes(record.content).decode()
    return told
