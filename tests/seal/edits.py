"""Bytes of a file, of a format's header, or of a seal, into others."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from credenza.attest import Envelope
from tests.seal.models import KEY, OTHER

Edit = Callable[[bytes, random.Random], bytes]


class UnfitError(Exception):
    """There is nothing there of the kind that is to be altered."""


def changed(edit: Edit, data: bytes, rng: random.Random) -> bytes:
    """What ``edit`` makes of it, which is something else. Raises `UnfitError` where it is not."""
    for _ in range(100):
        if (edited := edit(data, rng)) != data:
            return edited
    raise UnfitError


# --- bytes ---------------------------------------------------------------------


def flip(data: bytes, rng: random.Random) -> bytes:
    edited = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 8))):
        edited[rng.randrange(len(edited))] ^= 1 << rng.randrange(8)
    return bytes(edited)


def insert(data: bytes, rng: random.Random) -> bytes:
    at = rng.randint(0, len(data))
    return data[:at] + rng.randbytes(rng.randint(1, 64)) + data[at:]


def delete(data: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(data))
    return data[:at] + data[at + rng.randint(1, 64) :]


def move(data: bytes, rng: random.Random) -> bytes:
    """Bytes leave one place for another; the size stays."""
    a, b, c = sorted(rng.choices(range(len(data) + 1), k=3))
    return data[:a] + data[b:c] + data[a:b] + data[c:]


def truncate(data: bytes, rng: random.Random) -> bytes:
    return data[: rng.randrange(len(data))]


def empty(_: bytes, __: random.Random) -> bytes:
    return b""


def append(data: bytes, rng: random.Random) -> bytes:
    more = rng.choice((b"\0", b"\n", rng.randbytes(rng.randint(1, 99)), data))
    return data + more


def overwrite(data: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(data))
    length = min(rng.randint(1, 256), len(data) - at)
    return data[:at] + rng.choice((bytes(length), rng.randbytes(length))) + data[at + length :]


# --- headers ------------------------------------------------------------------


def replaced(*pairs: tuple[bytes, bytes]) -> Edit:
    """One of the first bytes that are there becomes its second, once."""

    def edit(data: bytes, rng: random.Random) -> bytes:
        fit = [(old, new) for old, new in pairs if old in data]
        if not fit:
            raise UnfitError
        old, new = rng.choice(fit)
        places = [i for i in range(len(data)) if data.startswith(old, i)]
        at = rng.choice(places)
        return data[:at] + new + data[at + len(old) :]

    return edit


def safetensors_shape(data: bytes, rng: random.Random) -> bytes:
    return _reheaded(data, rng, lambda entry: entry.update(shape=entry["shape"][::-1]))


def safetensors_dtype(data: bytes, rng: random.Random) -> bytes:
    other = {"F32": "I32", "F64": "I64", "F16": "I16", "I32": "F32", "I64": "F64", "U8": "I8"}
    return _reheaded(data, rng, lambda entry: entry.update(dtype=other[entry["dtype"]]))


def safetensors_order(data: bytes, rng: random.Random) -> bytes:
    """The same tensors, listed in another order."""
    header, rest = _headed(data)
    names = list(header)
    rng.shuffle(names)
    return _joined({name: header[name] for name in names}, rest)


def safetensors_padding(data: bytes, rng: random.Random) -> bytes:
    size = int.from_bytes(data[:8], "little")
    more = 8 * rng.randint(1, 9)
    return (size + more).to_bytes(8, "little") + data[8 : 8 + size] + b" " * more + data[8 + size :]


def safetensors_metadata(data: bytes, rng: random.Random) -> bytes:
    header, rest = _headed(data)
    told = header.get("__metadata__", {})
    return _joined({**header, "__metadata__": {**told, "by": str(rng.getrandbits(20))}}, rest)


def npy_padding(data: bytes, rng: random.Random) -> bytes:
    size = int.from_bytes(data[8:10], "little")
    more = 64 * rng.randint(1, 9)
    head = data[10 : 10 + size].rstrip(b"\n").ljust(size + more - 1) + b"\n"
    return data[:8] + (size + more).to_bytes(2, "little") + head + data[10 + size :]


def npy_shape(data: bytes, _: random.Random) -> bytes:
    """A matrix becomes its transpose's shape."""
    found = re.search(rb"\((\d+), (\d+)\)", data)
    if found is None:
        raise UnfitError
    return data.replace(found[0], b"(%s, %s)" % (found[2], found[1]), 1)


Entry = dict[str, Any]


def _headed(data: bytes) -> tuple[Entry, bytes]:
    size = int.from_bytes(data[:8], "little")
    return json.loads(data[8 : 8 + size]), data[8 + size :]


def _joined(header: Entry, rest: bytes) -> bytes:
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + rest


def _reheaded(data: bytes, rng: random.Random, change: Callable[[Entry], object]) -> bytes:
    header, rest = _headed(data)
    change(header[rng.choice([name for name in header if name != "__metadata__"])])
    return _joined(header, rest)


# --- seals ---------------------------------------------------------------------


def flip_seal(data: bytes, rng: random.Random) -> bytes:
    """Anywhere but in the hint at the key, which is believed by nobody."""
    hint = data.index(b'"keyid":"') + 9
    while True:
        edited = flip(data, rng)
        if edited[:hint] != data[:hint] or edited[hint + 64 :] != data[hint + 64 :]:
            return edited


def restamped(change: Callable[[Envelope], Envelope]) -> Edit:
    """The envelope is another one, in its one spelling."""
    return lambda data, _: bytes(change(Envelope.parse(data)))


def strip(envelope: Envelope) -> Envelope:
    return replace(envelope, signatures=())


def duplicate(envelope: Envelope) -> Envelope:
    return replace(envelope, signatures=envelope.signatures * 2)


def duplicate_by_another_name(envelope: Envelope) -> Envelope:
    [signature] = envelope.signatures
    return replace(envelope, signatures=(signature, replace(signature, keyid="another")))


def resign(envelope: Envelope) -> Envelope:
    """Signed by a key that nobody trusts, under the name of the one that is trusted."""
    forged = OTHER.sign(envelope.signed_bytes)
    return replace(envelope, signatures=(replace(forged, keyid=KEY.public.id),))


def retype(envelope: Envelope) -> Envelope:
    return replace(envelope, payload_type="application/json")
