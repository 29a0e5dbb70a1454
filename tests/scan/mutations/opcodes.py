"""Pickles as lists of opcodes, and each way to write them otherwise that does the same."""

from __future__ import annotations

import pickletools
import random
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from tests.scan.population import assemble as a


@dataclass(frozen=True, slots=True)
class Op:
    """An opcode: its name, what pickletools makes of its argument, and its bytes."""

    name: str
    argument: Any
    raw: bytes


Ops = list[Op]
Rewrite = Callable[[Ops, random.Random], Ops]

_TEXTS: Final = frozenset({
    "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "UNICODE", "STRING", "BINSTRING",
    "SHORT_BINSTRING",
})  # fmt: skip
_NUMBERS: Final = frozenset({"BININT", "BININT1", "BININT2", "LONG1", "INT", "LONG"})
_PUSHES: Final = (
    _TEXTS
    | _NUMBERS
    | {
        "NONE",
        "NEWTRUE",
        "NEWFALSE",
        "BINBYTES",
        "BINFLOAT",
        "EMPTY_LIST",
        "EMPTY_DICT",
        "EMPTY_TUPLE",
        "GLOBAL",
    }
)
_OPENS: Final = frozenset({"MARK"})
_CLOSES: Final = frozenset({
    "TUPLE", "LIST", "DICT", "APPENDS", "SETITEMS", "ADDITEMS", "FROZENSET", "INST", "OBJ",
    "POP_MARK",
})  # fmt: skip
_LOW: Final = 3  # from protocol 3 on, names of Python 2 are no longer mapped
_DOTS: Final = 4  # from protocol 4 on, a dotted name is an attribute's path


def parsed(data: bytes) -> tuple[Ops, bytes]:
    """The opcodes of every pickle in ``data``, and the bytes behind the last that could be read."""
    ops: Ops = []
    start = 0
    while start < len(data):
        starts: list[tuple[Any, Any, int]] = []
        try:
            for op, argument, at in pickletools.genops(data[start:]):
                starts.append((op, argument, at or 0))  # it may end in an error
        except Exception:  # noqa: BLE001  # pickletools raises many types
            starts = starts[:-1]
        complete = bool(starts) and starts[-1][0].name == "STOP"
        stops = [at for _, _, at in starts[1:]] + [starts[-1][2] + 1] if starts else []
        if not complete and starts:
            starts, stops = starts[:-1], stops[:-1]
        for (op, argument, at), stop in zip(starts, stops, strict=True):
            ops.append(Op(op.name, argument, data[start + at : start + stop]))
        start += stops[-1] if stops else 0
        if not complete:
            break
    return ops, data[start:]


def joined(ops: Sequence[Op], tail: bytes = b"") -> bytes:
    return b"".join(op.raw for op in ops) + tail


def raw(data: bytes) -> Ops:
    """Bytes that are not looked into any more."""
    return [Op("", None, data)]


def _text(op: Op, rng: random.Random) -> bytes:
    """The same text by another opcode."""
    value = str(op.argument)
    forms: list[Callable[[str], bytes]] = [a.text, a.long_text]
    if len(value.encode("utf-8", "surrogatepass")) < 256:
        forms.append(a.short_text)
    if value.isascii() and value.isprintable() and "\\" not in value:
        forms += [a.text_line, a.string_line]
        forms += [a.short_string] if len(value) < 256 else []
    return rng.choice(forms)(value)


def _number(op: Op, rng: random.Random) -> bytes:
    value = int(op.argument)
    forms = [b"I%d\n" % value, b"L%dL\n" % value]
    if -(2**31) <= value < 2**31:
        forms.append(a.number(value))
    if 0 <= value < 256:
        forms += [b"K" + bytes([value]), b"M" + struct.pack("<H", value)]
    if -128 <= value < 128:
        forms.append(b"\x8a\x01" + struct.pack("<b", value))
    return rng.choice(forms)


def texts(ops: Ops, rng: random.Random) -> Ops:
    return [
        Op(op.name, op.argument, _text(op, rng)) if op.name in _TEXTS and rng.random() < 0.7 else op
        for op in ops
    ]


def numbers(ops: Ops, rng: random.Random) -> Ops:
    return [
        Op(op.name, op.argument, _number(op, rng))
        if op.name in _NUMBERS and not isinstance(op.argument, bool) and rng.random() < 0.7
        else op
        for op in ops
    ]


def names(ops: Ops, rng: random.Random) -> Ops:
    """GLOBAL as STACK_GLOBAL, and back."""
    out: Ops = []
    for op in ops:
        if op.name == "GLOBAL" and rng.random() < 0.6:
            module, _, name = op.argument.partition(" ")
            pair = (Op("UNICODE", module, b""), Op("UNICODE", name, b""))
            out += [Op(p.name, p.argument, _text(p, rng)) for p in pair]
            out.append(Op("STACK_GLOBAL", None, a.STACK_GLOBAL))
        elif op.name == "STACK_GLOBAL" and len(out) > 1 and rng.random() < 0.6:
            second, first = out[-1], out[-2]
            if first.name in _TEXTS and second.name in _TEXTS:
                del out[-2:]
                line = f"{first.argument}\n{second.argument}\n".encode()
                out.append(Op("GLOBAL", f"{first.argument} {second.argument}", b"c" + line))
            else:
                out.append(op)
        else:
            out.append(op)
    return out


def calls(ops: Ops, rng: random.Random) -> Ops:
    """REDUCE of a GLOBAL as INST or OBJ."""
    out = list(ops)
    for at in range(len(out) - 3, -1, -1):
        if out[at].name != "GLOBAL" or out[at + 1].name != "MARK" or rng.random() < 0.3:
            continue
        end = _closed(out, at + 1)
        if end is None or out[end].name != "TUPLE" or out[end + 1 : end + 2] == []:
            continue
        if out[end + 1].name != "REDUCE":
            continue
        name, inside = out[at], out[at + 2 : end]
        if rng.random() < 0.5:
            called = [Op("INST", name.argument, b"i" + name.raw[1:])]
            out[at : end + 2] = [out[at + 1], *inside, *called]
        else:
            out[at : end + 2] = [out[at + 1], name, *inside, Op("OBJ", None, b"o")]
    return out


def _closed(ops: Ops, mark: int) -> int | None:
    """Where the mark at ``mark`` is taken off the stack."""
    depth = 0
    for at in range(mark, len(ops)):
        depth += (ops[at].name in _OPENS) - (ops[at].name in _CLOSES)
        if depth == 0:
            return at
    return None


def tuples(ops: Ops, rng: random.Random) -> Ops:
    """MARK and TUPLE around one to three plain values as TUPLE1 to TUPLE3, and back."""
    out = list(ops)
    for at in range(len(out) - 2, -1, -1):
        if out[at].name == "MARK":
            end = _closed(out, at)
            inside = out[at + 1 : end] if end is not None else []
            plain = 0 < len(inside) < 4 and all(op.name in _PUSHES for op in inside)
            if end is not None and out[end].name == "TUPLE" and plain and rng.random() < 0.6:
                code = bytes([0x84 + len(inside)])
                out[at : end + 1] = [*inside, Op(f"TUPLE{len(inside)}", None, code)]
        elif out[at].name in _PUSHES and out[at + 1].name == "TUPLE1" and rng.random() < 0.6:
            out[at : at + 2] = [Op("MARK", None, b"("), out[at], Op("TUPLE", None, b"t")]
    return out


_DEAD: Final = (
    b"N0", b"K\x070", b"]0", b"}0", b")0", b"(1", b"(NK\x01]1", b"(((111", b"\x8c\x04math0",
    b"X\x02\0\0\0os0", b"\x880", b"G\0\0\0\0\0\0\0\x000", b"(lp1999\n0", b"Vsystem\n0",
    b"ccollections\nOrderedDict\n0", b"ccollections\nOrderedDict\n)R0", b"C\x03abc0",
)  # fmt: skip


def dead(ops: Ops, rng: random.Random) -> Ops:
    """Values that are pushed and popped, anywhere."""
    out = list(ops)
    for _ in range(rng.randint(1, 6)):
        at = rng.randint(1, max(1, len(out) - 1))
        out[at:at] = raw(rng.choice(_DEAD))
    return out


def memos(ops: Ops, rng: random.Random) -> Ops:
    """Entries of the memo that nobody reads, and values that go through it."""
    out: Ops = []
    free = not any(op.name == "MEMOIZE" for op in ops)
    for op in ops:
        out.append(op)
        if op.name in _PUSHES and rng.random() < 0.5:
            index = rng.randint(100_000, 900_000)
            put = rng.choice((a.put(index), a.long_binput(index)))
            get = rng.choice((a.get(index), a.long_binget(index)))
            out += raw(put + (a.POP + get if rng.random() < 0.5 else b"")) if free else []
        elif op.name in _PUSHES and rng.random() < 0.3:
            out += raw(a.DUP + a.POP)
    return out


def protocol(ops: Ops, rng: random.Random) -> Ops:
    """Another protocol of those that read names in the same way."""
    said = ops[0].argument if ops and ops[0].name == "PROTO" else None
    body = ops[1:] if said is not None else ops
    first = said or 0
    alike = (0, 1, 2) if first < _LOW else (3,) if first < _DOTS else (4, 5)
    version = rng.choice(alike)
    if version == 0 and rng.random() < 0.5:
        return body
    return [Op("PROTO", version, a.proto(version)), *body]


def frames(ops: Ops, rng: random.Random) -> Ops:
    """Frames around other opcodes, of their right lengths."""
    out: Ops = []
    bare = [op for op in ops if op.name != "FRAME"]
    at = 0
    while at < len(bare):
        if bare[at].name == "PROTO":
            out.append(bare[at])
            at += 1
            continue
        count = rng.randint(1, 40)
        part = bare[at : at + count]
        ends = [i for i, op in enumerate(part) if op.name == "STOP" or op.raw.endswith(b".")]
        part = part[: ends[0] + 1] if ends else part
        out += raw(a.frame(joined(part))) if rng.random() < 0.5 else part
        at += len(part)
    return out


def wrapped(ops: Ops, rng: random.Random) -> Ops:
    """The first pickle's result in a list, a dict or a tuple."""
    stop = next((i for i, op in enumerate(ops) if op.name == "STOP"), None)
    head = 1 if ops and ops[0].name == "PROTO" else 0
    if stop is None:
        return ops
    before, after = rng.choice(
        ((b"", b"\x85"), (b"]", b"a"), (b"}X\1\0\0\0k", b"s"), (b"(K\1", b"t"), (b"(", b"l"))
    )
    return [*ops[:head], *raw(before), *ops[head:stop], *raw(after), *ops[stop:]]


def unframed(ops: Ops) -> Ops:
    """Without frames, whose lengths would no longer be right."""
    return [op for op in ops if op.name != "FRAME"]


REWRITES: Final[tuple[Rewrite, ...]] = (
    texts, numbers, names, calls, tuples, dead, memos, protocol, wrapped, frames,
)  # fmt: skip
"""`frames` is the last, since it hides the opcodes in it from the others."""
