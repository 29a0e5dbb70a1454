"""Pickles that are written so that a scanner sees something else than the unpickler does."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

from credenza.findings import Severity
from tests.scan.population import assemble as a
from tests.scan.population.interface import COMMAND, MARKER, SOURCE, Form, Malicious

ARGUMENT: Final = a.tuple_(a.text(COMMAND))
SYSTEM: Final = a.global_("os:system")
RUN: Final = SYSTEM + ARGUMENT + a.REDUCE
_OS: Final = a.short_text("os")
NAME: Final = a.short_text("system")
GO: Final = a.STACK_GLOBAL + ARGUMENT + a.REDUCE
_SPACE: Final = a.call("types:SimpleNamespace")


def vectors() -> Iterator[Malicious]:
    tables = (_memo(), _stack(), _encodings(), _names())
    for reference, vectors_ in ((r, v) for table in tables for r, v in table.items()):
        for name, body in vectors_.items():
            protocol = 2 if name.startswith("Python 2") else 4
            yield evasion(name, reference, a.pickled(body, protocol=protocol))
    for name, (reference, data, live) in _streams().items():
        yield evasion(name, reference, data, live=live)


_NOT_LIVE: Final = frozenset(
    {
        "dotted, allowed module", "dotted, builtins of a module", "array of a strange class",
        "persistent id", "binary persistent id", "extension 1", "extension 2", "extension 4",
        "attributes of a function", "code of a function", "a homoglyph",
        "unknown module of a known package", "a class of a computed name",
        "a factory that runs later", "state that sets a class", "reconstruct a strange class",
        "dill in bytes", "torch in bytes",
        "two names for a local one", "class by type", "a function by its code",
        "a partial that waits", "state of a torch module",
        "pandas in bytes", "codec that runs", "name of a space",
    }
)  # fmt: skip


def evasion(name: str, reference: str, data: bytes, *, live: bool = True) -> Malicious:
    runs = live and name not in _NOT_LIVE
    return Malicious(
        name=f"evasion {name}",
        category="pickle-evasion",
        reference=reference,
        files=(("model.pkl", data),),
        form=Form.PICKLE,
        least=Severity.MEDIUM if "persistent id" in name else Severity.HIGH,
        live=_loader(name) if runs else "",
    )


def _loader(name: str) -> str:
    """By what it is shown to run: importing torch once is enough."""
    return "torch" if "torch" in name else "pickle"


def _memo() -> dict[str, dict[str, bytes]]:
    """What the scanner remembers is not what the unpickler does."""
    safe = a.short_text("math")
    return {
        "picklescan #14": {
            "memo shuffled by BINPUT": safe + a.MEMOIZE + _OS + a.binput(0) + b"0"
            + NAME + a.MEMOIZE + a.binget(0) + a.binget(1) + GO,
            "memo shuffled by PUT": safe + a.MEMOIZE + _OS + a.put(0) + b"0"
            + NAME + a.MEMOIZE + a.get(0) + a.get(1) + GO,
            "memo shuffled by LONG_BINPUT": safe + a.MEMOIZE + _OS + a.long_binput(0) + b"0"
            + NAME + a.MEMOIZE + a.long_binget(0) + a.long_binget(1) + GO,
            "memo counts its entries": a.NONE + a.binput(7) + a.POP + _OS + a.MEMOIZE + a.POP
            + NAME + a.MEMOIZE + a.POP + a.binget(1) + a.binget(2) + GO,
            "memo entry written twice": safe + a.binput(1) + _OS + a.binput(1)
            + NAME + a.binput(2) + a.POP + a.POP + a.binget(1) + a.binget(2) + GO,
            "memo far apart": _OS + a.long_binput(1_000_000) + NAME + a.binput(3)
            + a.POP + a.POP + a.long_binget(1_000_000) + a.binget(3) + GO,
            "memo of the function": SYSTEM + a.binput(9) + a.POP
            + a.binget(9) + ARGUMENT + a.REDUCE,
            "memo of the arguments": ARGUMENT + a.binput(9) + a.POP
            + SYSTEM + a.binget(9) + a.REDUCE,
        },
        "scan.md 2.2, type confusion": {
            "memo first a number": a.number(5) + a.binput(0) + a.POP + _OS + a.binput(0)
            + a.POP + a.binget(0) + NAME + GO,
            "memo first a tuple": a.tuple_(_OS) + a.binput(0) + a.POP + _OS + a.binput(0)
            + a.POP + a.binget(0) + NAME + GO,
        },
    }  # fmt: skip


def _stack() -> dict[str, dict[str, bytes]]:
    """What stands on the stack is not what stands before the opcode."""
    return {
        "scan.md 2.2, malicious11 and malicious14": {
            "POP between the names": _OS + a.short_text("path") + a.POP + NAME + GO,
            "POP_MARK between the names": _OS + a.MARK + a.short_text("x") + a.NONE + a.POP_MARK
            + NAME + GO,
            "numbers between the names": _OS + a.number(1) + a.number(2) + a.POP + a.POP
            + NAME + GO,
            "DUP and POP between the names": _OS + a.DUP + a.POP + NAME + a.DUP + a.POP + GO,
            "POP of a mark": a.MARK + a.POP + RUN,
            "function DUPed": SYSTEM + a.DUP + ARGUMENT + a.REDUCE,
            "names far below": _OS + NAME + (a.NONE + a.POP) * 2000 + GO,
            "global between the names": _OS + a.global_("collections:OrderedDict") + a.POP
            + NAME + GO,
        },
        "GHSA-mxhj-88fx-4pcv": {
            "OBJ then POP": a.obj(SYSTEM, a.text(COMMAND)) + a.POP + a.NONE,
            "INST then POP": a.inst("os:system", a.text(COMMAND)) + a.POP + a.NONE,
            "REDUCE then POP": RUN + a.POP + a.NONE,
            "OBJ in a MARK that is popped": a.MARK + a.obj(SYSTEM, a.text(COMMAND))
            + a.POP_MARK + a.NONE,
        },
        "GHSA-mhc9-48gj-9gp3": {
            "REDUCE then BUILD": RUN + a.POP + a.build(_SPACE, a.value({"a": 1})),
            "REDUCE as a state": a.build(_SPACE, a.dict_((a.text("a"), RUN))),
        },
        "GHSA-cffv-grgg-g429": {
            "name seen before": SYSTEM + a.POP + a.list_(a.number(1)) + a.POP + RUN,
            "name stored and called later": a.list_(SYSTEM, a.number(1)) + a.POP + RUN,
        },
        "scan.md 2.2, PERSID and EXT": {
            "persistent id": b"Pos.system\n" + a.POP + a.NONE,
            "binary persistent id": a.text("os.system") + b"Q" + a.POP + a.NONE,
            "extension 1": b"\x82\xf0" + ARGUMENT + a.REDUCE,
            "extension 2": b"\x83\xf0\x01" + ARGUMENT + a.REDUCE,
            "extension 4": b"\x84\xf0\x01\0\0" + ARGUMENT + a.REDUCE,
        },
    }  # fmt: skip


def _encodings() -> dict[str, dict[str, bytes]]:
    """The same names in other letters."""
    return {
        "scan.md 2.2, opcodes": {
            "names by STRING": a.string_line("os") + a.string_line("system") + GO,
            "names by STRING with escapes": b"S'\\x6f\\163'\nS\"syst\\x65m\"\n" + GO,
            "names by UNICODE": a.text_line("os") + a.text_line("system") + GO,
            "names by UNICODE with escapes": b"V\\u006fs\nVs\\u0079stem\n" + GO,
            "names by SHORT_BINSTRING": a.short_string("os") + a.short_string("system") + GO,
            "names by BINSTRING": b"T\2\0\0\0osT\6\0\0\0system" + GO,
            "names by BINUNICODE": a.text("os") + a.text("system") + GO,
            "names by BINUNICODE8": b"\x8d" + struct.pack("<Q", 2) + b"os" + NAME + GO,
            "arguments by DICT and LIST": SYSTEM + a.MARK + a.MARK + a.MARK + b"d" + b"l" + a.POP
            + a.text(COMMAND) + b"t" + a.REDUCE,
            "arguments by TUPLE1": SYSTEM + a.text(COMMAND) + b"\x85" + a.REDUCE,
            "protocol in the middle": a.proto(2) + SYSTEM + a.proto(4) + ARGUMENT + a.REDUCE,
            "protocol 0 said": a.proto(0) + RUN,
            "a frame in the middle": a.NONE + a.POP + RUN,
            "numbers by LONG4": b"\x8b\x01\0\0\0\x05" + a.POP + RUN,
            "a bytearray before it": b"\x96" + struct.pack("<Q", 3) + b"abc" + a.POP + RUN,
            "a long text before it": a.text("x" * 300_000) + a.POP + RUN,
            "a deep list before it": a.EMPTY_LIST + (a.EMPTY_LIST + a.DUP + a.POP) * 5000
            + a.APPEND * 5000 + a.POP + RUN,
        },
    }  # fmt: skip


def _names() -> dict[str, dict[str, bytes]]:
    """Names that lead to the same thing by another way."""

    def dotted(name: str) -> bytes:
        return a.stack_global(name) + ARGUMENT + a.REDUCE

    loader = a.tuple_(a.text(SOURCE))
    return {
        "GHSA-5j3x-jp52-966f": {
            "dotted, torch": dotted("torch:os.system"),
            "dotted, random": dotted("random:_os.system"),
            "dotted, logging": dotted("logging:os.system"),
            "dotted, two deep": dotted("zipfile:shutil.os.system"),
            "dotted, allowed module": dotted("datetime:sys.modules"),
            "dotted, dunder": a.stack_global("builtins:eval.__call__") + loader + a.REDUCE,
            "dotted, builtins of a module": a.stack_global("collections:abc.__builtins__"),
        },
        "scan.md 2.3, names of Python 2": {
            "Python 2, commands": a.call("commands:getoutput", a.text(COMMAND)),
            "Python 2, __builtin__": a.call("__builtin__:eval", a.text(SOURCE)),
        },
        "scan.md 2.4, exact names": {
            "a homoglyph": a.call(a.short_text("оs") + NAME + a.STACK_GLOBAL, a.text(COMMAND)),
            "name of a space": a.call(a.short_text("os") + a.short_text("system ") + b"\x93"),
            "unknown module of a known package": a.call("torch._utils:system", a.text(COMMAND)),
            "a function of a known package": a.call(
                "numpy.testing._private.utils:runstring", a.text(SOURCE), a.value({})
            ),
            "another name of the same": dotted("posixpath:os.system"),
            "the module's own file": a.stack_global("os:posix_spawnp") + a.value(
                ("touch", ["touch", MARKER], {})
            ) + a.REDUCE,
        },
    }  # fmt: skip


def _streams() -> dict[str, tuple[str, bytes, bool]]:
    """By name: where it is from, a whole file, and whether its first pickle runs the payload."""
    innocent = a.pickled(a.value({"weights": [1.0, 2.0]}), protocol=4)
    run = a.pickled(RUN, protocol=4)
    shared = a.pickled(_OS + a.MEMOIZE + NAME + a.MEMOIZE) + a.pickled(
        a.short_text("math") + a.MEMOIZE + a.POP + RUN
    )
    stacked = "scan.md 2.2, memo of stacked pickles"
    both = "scan.md 2.1, fickling and cpython #154848"
    two = "scan.md 2.1, two formats"
    body = RUN + a.STOP
    return {
        "second pickle": (stacked, innocent + run, False),
        "tenth pickle": (stacked, innocent * 9 + run, False),
        "second pickle with another memo": (stacked, shared, False),
        "first of three": (stacked, run + innocent * 2, True),
        "trailing bytes": (stacked, run + b"\0" * 64, True),
        "trailing text": (stacked, run + b"this is no pickle\n", True),
        "frame straddled by a text": (
            both,
            a.proto(4) + a.frame(a.text("x" * 20)[:9], 9) + b"x" * 16 + a.POP + body,
            True,
        ),
        "frame shorter than its opcode": (
            both,
            a.proto(4) + a.frame(b"\x8c", 2) + b"\x02os" + NAME + GO + a.STOP,
            True,
        ),
        "frame longer than the file": (both, a.proto(4) + a.frame(body, 1 << 40), False),
        "frame of nothing": (both, a.proto(4) + a.frame(b"") + body, True),
        "frame behind a frame": (
            both, a.proto(4) + a.frame(a.NONE + a.POP) + a.frame(body), True
        ),
        "frame in a frame": (both, a.proto(4) + a.frame(a.frame(body)), True),
        "no frame in protocol 5": (both, a.proto(5) + body, True),
        "looks like a GIF": (two, b"GIF89a" + bytes(3) + a.POP + body, True),
        "looks like a program of DOS": (two, b"MZ\x90" + a.POP + body, True),
        "looks like a GGUF": (two, b"GGUF" + struct.pack("<I", 3) + b"\0" + a.POP + body, True),
        "looks like a bitmap": (
            two, b"BM" + b"\x20\0\0" + bytes(0x204D) + a.POP + body, True
        ),
        "looks like text": (two, b"S'# readme'\n0" + body, True),
        "looks like a list of text": (two, b"(lp0\nVweights\np1\na0" + body, True),
    }  # fmt: skip
