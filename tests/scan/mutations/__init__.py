"""Malicious files written otherwise, so that they still do what they did.

`mutated` gives another vector of the same class. That its payload is still reached is checked
for pickles by an unpickler that notes what it would call (`traced`), for Python and templates
by their parsers; where a rewrite did not hold, only what is around the file is changed.
"""

from __future__ import annotations

import random
import zipfile
from dataclasses import replace
from io import BytesIO
from typing import Final

from tests.scan.mutations import opcodes, texts, wrappings
from tests.scan.mutations.traced import trace
from tests.scan.population.assemble import pickled, value
from tests.scan.population.interface import Form, Malicious
from tests.scan.population.protobuf import field, varint

_INNOCENT: Final = pickled(value({"weights": [1.0, 2.0]}), protocol=4)
_TRIES: Final = 4


def mutated(vector: Malicious, rng: random.Random) -> Malicious:
    """``vector``, written otherwise; a bomb as it is."""
    if vector.form == Form.BOMB:
        return vector
    path = vector.path
    made = replace(vector, files=((path, _inner(vector, rng)), *vector.files[1:]), live="")
    if vector.form != Form.NAMED and (made.files == vector.files or rng.random() < 0.4):
        made = replace(made, files=wrappings.outer(made, rng))
    return made


def _inner(vector: Malicious, rng: random.Random) -> bytes:
    data = vector.data
    match vector.form:
        case Form.PICKLE:
            return pickle(data, rng, streams=vector.category != "torch")
        case Form.NAMED if vector.category == "names":
            return pickle(data, rng, streams=True)
        case Form.TORCH:
            return _torch(data, rng)
        case Form.PROTOBUF:
            return _protobuf(data, rng)
        case Form.JSON | Form.TEMPLATE | Form.PYTHON:
            return _text(vector, rng).encode("utf-8", "surrogatepass")
        case _:
            return data


def pickle(data: bytes, rng: random.Random, *, streams: bool = False) -> bytes:
    """A pickle that names and calls all that ``data`` does; ``data`` itself where none was made."""
    events = trace(data)
    if not events:
        return data
    for _ in range(_TRIES):
        made = _rewritten(data, rng)
        if made != data and events <= trace(made):
            break
    else:
        made = data
    if streams and rng.random() < 0.15:
        made = _INNOCENT * rng.randint(1, 3) + made
    if streams and rng.random() < 0.15:
        made += _INNOCENT * rng.randint(1, 3)
    return made if events <= trace(made) else data


def _rewritten(data: bytes, rng: random.Random) -> bytes:
    ops, tail = opcodes.parsed(data)
    if not ops:
        return data
    chosen = set(rng.sample(range(len(opcodes.REWRITES)), rng.randint(1, 5)))
    ops = opcodes.unframed(ops)
    for i in sorted(chosen):
        ops = opcodes.REWRITES[i](ops, rng)
    return opcodes.joined(ops, tail)


def _torch(data: bytes, rng: random.Random) -> bytes:
    """The pickles in it rewritten, and all of it zipped again."""
    with zipfile.ZipFile(BytesIO(data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    pickles = {n: d for n, d in members.items() if d[:1] == b"\x80"}
    made = {name: pickle(content, rng) for name, content in pickles.items()}
    return wrappings.rezipped(data, rng, made)


def _text(vector: Malicious, rng: random.Random) -> str:
    text = vector.data.decode("utf-8", "surrogatepass")
    if vector.form == Form.PYTHON:
        return texts.python(text, rng)
    if vector.path.endswith(".json"):
        inside = (lambda s: texts.template(s, rng)) if vector.form == Form.TEMPLATE else str
        return texts.json_text(text, rng, inside)
    return texts.template(text, rng)


def _protobuf(data: bytes, rng: random.Random) -> bytes:
    """Its fields in another order, those of one number in theirs, and some that nobody knows."""
    fields = _fields(data)
    numbers = list({number for number, _ in fields})
    rng.shuffle(numbers)
    if rng.random() < 0.7:
        fields.sort(key=lambda pair: numbers.index(pair[0]))
    for _ in range(rng.randint(0, 3)):
        unknown = (0, field(rng.randint(500, 9000), rng.choice((7, "x", b"\0" * 40))))
        fields.insert(rng.randint(0, len(fields)), unknown)
    return b"".join(raw for _, raw in fields)


def _fields(data: bytes) -> list[tuple[int, bytes]]:
    """Number and bytes of each field of a message of numbers and lengths, as ours are."""
    fields, at = [], 0
    while at < len(data):
        start = at
        tag, at = _varint(data, at)
        length, at = _varint(data, at)
        at += length if tag & 7 == 2 else 0
        fields.append((tag >> 3, data[start:at]))
    return fields


def _varint(data: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = data[at]
        number |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            assert varint(number) == data[at - shift // 7 : at]
            return number, at
