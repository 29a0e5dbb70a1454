"""Make the vectors of `seal.encryption`: ``python -m tests.vectors.make_encrypted``.

``encrypted/reader/`` is the model of ``seal/reader`` with its seal, encrypted to ``hybrid.key`` and
``x25519.key``, whose secrets are bytes counted up. ``encrypted/refused/`` holds what is to be
refused: the name says what each probes, and ``encrypted/refused.json`` which error it has to be
and what it has to say. Wrapping is random, so that each run writes other bytes.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from credenza.attest import Trust
from credenza.seal import encryption as enc
from credenza.seal import seal_path
from credenza.seal.digests import u
from credenza.seal.encryption import Identity
from credenza.seal.encryption.header import Header
from credenza.seal.encryption.layout import PREAMBLE, Record, runs, stream_size
from credenza.seal.encryption.opening import opened
from credenza.seal.encryption.stream import NO_ROOT, DataKey
from tests.vectors import make_seal

HERE = Path(__file__).parent / "encrypted"
X25519 = Identity(X25519PrivateKey.from_private_bytes(bytes(range(32))))
HYBRID = Identity(
    X25519PrivateKey.from_private_bytes(bytes(range(64, 96))),
    MLKEM768PrivateKey.from_seed_bytes(bytes(range(64))),
)
TRUST = Trust((make_seal.KEY.public,))
HEADER, PAYLOAD = "credenza.encrypted", "payload"

Change = Callable[[Path], object]


def _header(old: bytes, new: bytes) -> Change:
    """Exchange some bytes of the header."""

    def change(path: Path) -> None:
        data = (path / HEADER).read_bytes()
        assert old in data
        (path / HEADER).write_bytes(data.replace(old, new, 1))

    return change


def _parsed(make: Callable[[Header], Header]) -> Change:
    """Exchange the header for one that is well-formed."""
    return lambda path: make(Header.read(path)).write(path)


def _payload(make: Callable[[bytes], bytes]) -> Change:
    return lambda path: (path / PAYLOAD).write_bytes(make((path / PAYLOAD).read_bytes()))


def _key(path: Path) -> DataKey:
    return Header.read(path).unwrap(HYBRID, path)


def _sealed_anew(change: Callable[[bytearray], object], more: int = 0) -> Change:
    """What a recipient can do: the last record, encrypted again under the right key."""

    def make(path: Path) -> None:
        with opened(path, TRUST, HYBRID) as model:
            root = model.sealed.value.seal.root
            records = [
                r for run in runs(model.sealed.value.seal, model.first) for r in run.records()
            ]
        last: Record = records[-1]
        key, payload = _key(path), bytearray((path / PAYLOAD).read_bytes())
        plain, place = bytearray(last.size), memoryview(payload)[last.at : last.stop]
        key.stream(last.run.number, root, last.run.count).open(last.index, place, memoryview(plain))
        change(plain)
        key.stream(last.run.number, root, last.run.count + more).seal(
            last.index, bytes(plain), place
        )
        (path / PAYLOAD).write_bytes(payload)

    return make


def _metadata(make: Callable[[bytes], bytes], size: int | None = None) -> Change:
    """Streams 0 and 1 as a recipient can write them, and the segments as they were."""

    def change(path: Path) -> None:
        with opened(path, TRUST, HYBRID) as model:
            old = b"\0" + model.seal_data
            segments = (path / PAYLOAD).read_bytes()[model.first :]
        new, key = make(old), _key(path)
        first = PREAMBLE + stream_size(len(new))
        out = bytearray(first) + segments
        sizes = u(len(new) if size is None else size) + u(len(out))
        key.stream(0, NO_ROOT, 1).seal(0, sizes, memoryview(out)[:PREAMBLE])
        key.stream(1, NO_ROOT, 1).seal(0, new, memoryview(out)[PREAMBLE:first])
        (path / PAYLOAD).write_bytes(out)

    return change


def _flip(data: bytearray) -> None:
    data[0] ^= 1


def _reader_of_another_key(_: bytes) -> bytes:
    """The seal of the same model by a key that nobody trusts."""
    from credenza.attest import Envelope, Statement, sign
    from tests.seal.models import OTHER

    envelope = Envelope.parse((make_seal.HERE / "blake3.seal").read_bytes())
    return b"\0" + bytes(sign(Statement.parse(envelope.payload), [OTHER]))


REFUSED: dict[str, tuple[Change, str, str]] = {
    "header_empty": (lambda p: (p / HEADER).write_bytes(b""), "AlteredError", "not well-formed"),
    "header_of_version_2": (_header(b"/v1", b"/v2"), "AlteredError", "one spelling"),
    "header_with_spaces": (_header(b",", b", "), "AlteredError", "one spelling"),
    "header_with_a_member_more": (_header(b"{", b'{"a":1,'), "AlteredError", "unknown field"),
    "header_without_line_feed": (_header(b"}\n", b"}"), "AlteredError", "one spelling"),
    "header_of_an_unknown_kem": (_header(b"MLKEM768", b"MLKEM512"), "AlteredError", "MLKEM512"),
    "header_without_recipients": (
        _parsed(lambda h: Header(h.container, (), h.mac)),
        "AlteredError",
        "1 to 256 recipients",
    ),
    "header_of_a_short_container_id": (
        _parsed(lambda h: Header(h.container[:31], h.recipients, h.mac)),
        "AlteredError",
        "of 32 bytes expected",
    ),
    "header_of_another_container_id": (
        _parsed(lambda h: Header(bytes(32), h.recipients, h.mac)),
        "NotRecipientError",
        "opens for none",
    ),
    "header_of_another_mac": (
        _parsed(lambda h: Header(h.container, h.recipients, bytes(32))),
        "AlteredError",
        "authentication code",
    ),
    "recipients_in_another_order": (
        _parsed(lambda h: Header(h.container, h.recipients[::-1], h.mac)),
        "AlteredError",
        "authentication code",
    ),
    "recipient_dropped": (
        _parsed(lambda h: Header(h.container, h.recipients[:1], h.mac)),
        "AlteredError",
        "authentication code",
    ),
    "payload_empty": (_payload(lambda d: b""), "AlteredError", "another size"),
    "payload_cut_off": (_payload(lambda d: d[:-1]), "AlteredError", "another size"),
    "payload_lengthened": (_payload(lambda d: d + b"\0"), "AlteredError", "another size"),
    "payload_of_another_model": (
        lambda p: (p / PAYLOAD).write_bytes((HERE / "another" / PAYLOAD).read_bytes()),
        "AlteredError",
        "does not open",
    ),
    "tag_altered": (
        _payload(lambda d: d[:-1] + bytes([d[-1] ^ 1])),
        "AlteredError",
        "does not open",
    ),
    "last_record_not_marked_last": (_sealed_anew(lambda d: d, 1), "AlteredError", "does not open"),
    "parameters_forged_by_a_recipient": (_sealed_anew(_flip), "AlteredError", "sealed"),
    "seal_by_an_untrusted_key": (
        _metadata(_reader_of_another_key),
        "UntrustedError",
        "no trusted key signed it",
    ),
    "neither_file_nor_folder": (
        _metadata(lambda d: b"\2" + d[1:]),
        "AlteredError",
        "neither a file nor a folder",
    ),
    "seal_larger_than_the_payload": (_metadata(lambda d: d, 2**40), "AlteredError", "cannot be"),
    "seal_of_no_bytes": (_metadata(lambda d: d, 0), "AlteredError", "cannot be in it"),
    "segments_missing": (
        lambda p: _without_segments(p),
        "AlteredError",
        "another size",
    ),
}


def _without_segments(path: Path) -> None:
    """A payload that ends with the seal, and says so."""
    key, payload = _key(path), (path / PAYLOAD).read_bytes()
    with opened(path, TRUST, HYBRID) as model:
        size, first = 1 + len(model.seal_data), model.first
    out = bytearray(payload[:first])
    key.stream(0, NO_ROOT, 1).seal(0, u(size) + u(first), memoryview(out)[:PREAMBLE])
    (path / PAYLOAD).write_bytes(out)


def main() -> None:
    shutil.rmtree(HERE, ignore_errors=True)
    (HERE / "refused").mkdir(parents=True)
    (HERE / "x25519.key").write_bytes(X25519.pem)
    (HERE / "hybrid.key").write_bytes(HYBRID.pem)
    model = shutil.copytree(make_seal.HERE / "reader", HERE / "model")
    shutil.copy(make_seal.HERE / "blake3.seal", seal_path(model))
    for name in ("reader", "another"):
        recipients = [HYBRID.recipient, X25519.recipient]
        enc.encrypt(model, TRUST, recipients, HERE / name)
    told = {}
    for name, (change, error, message) in REFUSED.items():
        change(shutil.copytree(HERE / "reader", HERE / "refused" / name))
        told[name] = [error, message]
    (HERE / "refused.json").write_text(json.dumps(told, indent=1) + "\n")
    shutil.rmtree(model)
    shutil.rmtree(HERE / "another")


if __name__ == "__main__":
    main()
