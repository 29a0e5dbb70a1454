"""Pickles that are written so that a scanner sees something else than the unpickler does."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Iterator
from typing import Final

from credenza.findings import Severity
from tests.scan.population import assemble as a
from tests.scan.population.interface import COMMAND, MARKER, SOURCE, Form, Malicious

_ARGUMENT: Final = a.tuple_(a.text(COMMAND))
_SYSTEM: Final = a.global_("os:system")
_RUN: Final = _SYSTEM + _ARGUMENT + a.REDUCE
_OS: Final = a.short_text("os")
_NAME: Final = a.short_text("system")
_GO: Final = a.STACK_GLOBAL + _ARGUMENT + a.REDUCE
_SPACE: Final = a.call("types:SimpleNamespace")


def vectors() -> Iterator[Malicious]:
    tables = (_memo(), _stack(), _encodings(), _names(), _hooks(), _indirect(), _nested())
    for reference, vectors_ in ((r, v) for table in tables for r, v in table.items()):
        for name, body in vectors_.items():
            protocol = 2 if name.startswith("Python 2") else 4
            yield _evasion(name, reference, a.pickled(body, protocol=protocol))
    for name, (reference, data, live) in _streams().items():
        yield _evasion(name, reference, data, live=live)


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


def _evasion(name: str, reference: str, data: bytes, *, live: bool = True) -> Malicious:
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
            + _NAME + a.MEMOIZE + a.binget(0) + a.binget(1) + _GO,
            "memo shuffled by PUT": safe + a.MEMOIZE + _OS + a.put(0) + b"0"
            + _NAME + a.MEMOIZE + a.get(0) + a.get(1) + _GO,
            "memo shuffled by LONG_BINPUT": safe + a.MEMOIZE + _OS + a.long_binput(0) + b"0"
            + _NAME + a.MEMOIZE + a.long_binget(0) + a.long_binget(1) + _GO,
            "memo counts its entries": a.NONE + a.binput(7) + a.POP + _OS + a.MEMOIZE + a.POP
            + _NAME + a.MEMOIZE + a.POP + a.binget(1) + a.binget(2) + _GO,
            "memo entry written twice": safe + a.binput(1) + _OS + a.binput(1)
            + _NAME + a.binput(2) + a.POP + a.POP + a.binget(1) + a.binget(2) + _GO,
            "memo far apart": _OS + a.long_binput(1_000_000) + _NAME + a.binput(3)
            + a.POP + a.POP + a.long_binget(1_000_000) + a.binget(3) + _GO,
            "memo of the function": _SYSTEM + a.binput(9) + a.POP
            + a.binget(9) + _ARGUMENT + a.REDUCE,
            "memo of the arguments": _ARGUMENT + a.binput(9) + a.POP
            + _SYSTEM + a.binget(9) + a.REDUCE,
        },
        "scan.md 2.2, type confusion": {
            "memo first a number": a.number(5) + a.binput(0) + a.POP + _OS + a.binput(0)
            + a.POP + a.binget(0) + _NAME + _GO,
            "memo first a tuple": a.tuple_(_OS) + a.binput(0) + a.POP + _OS + a.binput(0)
            + a.POP + a.binget(0) + _NAME + _GO,
        },
    }  # fmt: skip


def _stack() -> dict[str, dict[str, bytes]]:
    """What stands on the stack is not what stands before the opcode."""
    return {
        "scan.md 2.2, malicious11 and malicious14": {
            "POP between the names": _OS + a.short_text("path") + a.POP + _NAME + _GO,
            "POP_MARK between the names": _OS + a.MARK + a.short_text("x") + a.NONE + a.POP_MARK
            + _NAME + _GO,
            "numbers between the names": _OS + a.number(1) + a.number(2) + a.POP + a.POP
            + _NAME + _GO,
            "DUP and POP between the names": _OS + a.DUP + a.POP + _NAME + a.DUP + a.POP + _GO,
            "POP of a mark": a.MARK + a.POP + _RUN,
            "function DUPed": _SYSTEM + a.DUP + _ARGUMENT + a.REDUCE,
            "names far below": _OS + _NAME + (a.NONE + a.POP) * 2000 + _GO,
            "global between the names": _OS + a.global_("collections:OrderedDict") + a.POP
            + _NAME + _GO,
        },
        "GHSA-mxhj-88fx-4pcv": {
            "OBJ then POP": a.obj(_SYSTEM, a.text(COMMAND)) + a.POP + a.NONE,
            "INST then POP": a.inst("os:system", a.text(COMMAND)) + a.POP + a.NONE,
            "REDUCE then POP": _RUN + a.POP + a.NONE,
            "OBJ in a MARK that is popped": a.MARK + a.obj(_SYSTEM, a.text(COMMAND))
            + a.POP_MARK + a.NONE,
        },
        "GHSA-mhc9-48gj-9gp3": {
            "REDUCE then BUILD": _RUN + a.POP + a.build(_SPACE, a.value({"a": 1})),
            "REDUCE as a state": a.build(_SPACE, a.dict_((a.text("a"), _RUN))),
        },
        "GHSA-cffv-grgg-g429": {
            "name seen before": _SYSTEM + a.POP + a.list_(a.number(1)) + a.POP + _RUN,
            "name stored and called later": a.list_(_SYSTEM, a.number(1)) + a.POP + _RUN,
        },
        "scan.md 2.2, PERSID and EXT": {
            "persistent id": b"Pos.system\n" + a.POP + a.NONE,
            "binary persistent id": a.text("os.system") + b"Q" + a.POP + a.NONE,
            "extension 1": b"\x82\xf0" + _ARGUMENT + a.REDUCE,
            "extension 2": b"\x83\xf0\x01" + _ARGUMENT + a.REDUCE,
            "extension 4": b"\x84\xf0\x01\0\0" + _ARGUMENT + a.REDUCE,
        },
    }  # fmt: skip


def _encodings() -> dict[str, dict[str, bytes]]:
    """The same names in other letters."""
    return {
        "scan.md 2.2, opcodes": {
            "names by STRING": a.string_line("os") + a.string_line("system") + _GO,
            "names by STRING with escapes": b"S'\\x6f\\163'\nS\"syst\\x65m\"\n" + _GO,
            "names by UNICODE": a.text_line("os") + a.text_line("system") + _GO,
            "names by UNICODE with escapes": b"V\\u006fs\nVs\\u0079stem\n" + _GO,
            "names by SHORT_BINSTRING": a.short_string("os") + a.short_string("system") + _GO,
            "names by BINSTRING": b"T\2\0\0\0osT\6\0\0\0system" + _GO,
            "names by BINUNICODE": a.text("os") + a.text("system") + _GO,
            "names by BINUNICODE8": b"\x8d" + struct.pack("<Q", 2) + b"os" + _NAME + _GO,
            "arguments by DICT and LIST": _SYSTEM + a.MARK + a.MARK + a.MARK + b"d" + b"l" + a.POP
            + a.text(COMMAND) + b"t" + a.REDUCE,
            "arguments by TUPLE1": _SYSTEM + a.text(COMMAND) + b"\x85" + a.REDUCE,
            "protocol in the middle": a.proto(2) + _SYSTEM + a.proto(4) + _ARGUMENT + a.REDUCE,
            "protocol 0 said": a.proto(0) + _RUN,
            "a frame in the middle": a.NONE + a.POP + _RUN,
            "numbers by LONG4": b"\x8b\x01\0\0\0\x05" + a.POP + _RUN,
            "a bytearray before it": b"\x96" + struct.pack("<Q", 3) + b"abc" + a.POP + _RUN,
            "a long text before it": a.text("x" * 300_000) + a.POP + _RUN,
            "a deep list before it": a.EMPTY_LIST + (a.EMPTY_LIST + a.DUP + a.POP) * 5000
            + a.APPEND * 5000 + a.POP + _RUN,
        },
    }  # fmt: skip


def _names() -> dict[str, dict[str, bytes]]:
    """Names that lead to the same thing by another way."""

    def dotted(name: str) -> bytes:
        return a.stack_global(name) + _ARGUMENT + a.REDUCE

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
            "a homoglyph": a.call(a.short_text("оs") + _NAME + a.STACK_GLOBAL, a.text(COMMAND)),
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


def _hooks() -> dict[str, dict[str, bytes]]:
    """Methods that an opcode calls by itself, and attributes that BUILD sets."""
    hooked = {
        name: a.build(_SPACE, a.dict_((a.text(name), _SYSTEM)))
        for name in ("__setstate__", "append", "extend", "add")
    }
    base = a.list_(a.text("touch"), a.text(MARKER))
    popen = a.global_("subprocess:Popen")
    return {
        "scan.md 2.4, how names are used": {
            "BUILD calls __setstate__": a.build(hooked["__setstate__"], a.text(COMMAND)),
            "APPEND calls append": hooked["append"] + a.text(COMMAND) + a.APPEND,
            "APPENDS calls append": hooked["append"] + a.MARK + a.text(COMMAND) + b"e",
            "ADDITEMS calls add": hooked["add"] + a.MARK + a.text(COMMAND) + b"\x90",
            "state that sets a class": a.build(
                a.call("collections:OrderedDict"), a.dict_((a.text("__class__"), popen))
            ),
            "slots as a state": a.build(
                a.build(_SPACE, a.tuple_(a.NONE, a.dict_((a.text("__setstate__"), _SYSTEM)))),
                a.text(COMMAND),
            ),
            "reconstruct a strange class": a.call(
                "copyreg:_reconstructor", popen, a.global_("builtins:object"), a.NONE
            ),
            "reconstruct with a strange base": a.call("copyreg:_reconstructor", popen, popen, base),
            "array of a strange class": a.call(
                "numpy.core.multiarray:_reconstruct", popen, a.tuple_(a.number(0)), a.raw(b"b")
            ),
            "a factory that runs later": a.call("collections:defaultdict", _SYSTEM),
            "state of a torch module": a.build(
                a.newobj(a.global_("torch.nn.modules.linear:Linear")),
                a.dict_((a.text("forward"), _SYSTEM)),
            ),
        },
        "modelscan #330": {
            "attributes of a function": a.build(
                a.global_("numpy:size"), a.value((None, {"__doc__": "x"}))
            ),
            "code of a function": a.build(
                a.global_("torch._utils:_rebuild_tensor_v2"),
                a.tuple_(a.NONE, a.dict_((a.text("__code__"), a.global_("os:system")))),
            ),
            "items of a module": a.stack_global("builtins:__dict__") + a.text("len") + _SYSTEM
            + a.SETITEM + a.call("builtins:len", a.text(COMMAND)),
        },
    }  # fmt: skip


def _indirect() -> dict[str, dict[str, bytes]]:
    """Calls of what a call gave, or through what is handed a function."""
    os_ = a.call("builtins:__import__", a.text("os"))
    function = a.call("builtins:getattr", os_, a.text("system"))
    partial = a.call("functools:partial", _SYSTEM, a.text(COMMAND))
    mapped = a.call("builtins:map", _SYSTEM, a.list_(a.text(COMMAND)))
    method = a.call("operator:methodcaller", a.text("system"), a.text(COMMAND))
    code = a.call("types:CodeType")
    return {
        "scan.md 2.2, calls of calls": {
            "getattr of an import": a.call(function, a.text(COMMAND)),
            "a partial": a.call(partial),
            "a partial that waits": partial,
            "map into a list": a.call("builtins:list", mapped),
            "map into a tuple": a.call("builtins:tuple", mapped),
            "map into a set": a.call("builtins:set", mapped),
            "map into a dict's keys": a.call("collections:Counter", mapped),
            "map into a deque": a.call("collections:deque", mapped),
            "filter": a.call(
                "builtins:list", a.call("builtins:filter", _SYSTEM, a.list_(a.text(COMMAND)))
            ),
            "a method caller": a.call(method, a.call("importlib:import_module", a.text("os"))),
            "an attribute getter": a.call(
                a.call(a.call("operator:attrgetter", a.text("system")), os_), a.text(COMMAND)
            ),
            "resolve_name": a.call(
                a.call("pkgutil:resolve_name", a.text("os:system")), a.text(COMMAND)
            ),
            "reduce": a.call(
                "functools:reduce", a.global_("builtins:eval"),
                a.list_(a.text(SOURCE), a.value({})),
            ),
            "sorted by a key": a.call(
                "heapq:nlargest", a.number(1), a.list_(a.text(COMMAND), a.text("true")), _SYSTEM
            ),
            "class by type": a.call(
                "builtins:type", a.text("X"), a.EMPTY_TUPLE, a.dict_((a.text("f"), _SYSTEM))
            ),
            "a function by its code": a.call("types:FunctionType", code, a.value({})),
            "a computed module": a.call("os:getenv", a.text("x"), a.text("os"))
            + _NAME + _GO,
            "a class of a computed name": a.newobj(
                a.call("operator:itemgetter", a.text("x")), a.text(COMMAND)
            ),
            "two names for a local one": a.call("__mp_main__:system", a.text(COMMAND)),
        },
    }  # fmt: skip


def _nested() -> dict[str, dict[str, bytes]]:
    """A pickle in the bytes that a second loader is handed."""
    inner = a.pickled(_RUN)
    code = zlib.compress(SOURCE.encode(), 9)
    read = a.call("io:BytesIO", a.raw(inner))
    text64 = base64.b64encode(inner).decode()

    def loads(name: str) -> bytes:
        return a.call(name, a.raw(inner))

    return {
        "scan.md 1, nested pickles": {
            "pickle in bytes": loads("_pickle:loads"),
            "pickle in base64": a.call(
                "pickle:loads", a.call("base64:b64decode", a.text(text64))
            ),
            "pickle in hex": a.call(
                "pickle:loads", a.call("binascii:unhexlify", a.text(inner.hex()))
            ),
            "pickle in zlib": a.call(
                "pickle:loads", a.call("zlib:decompress", a.raw(zlib.compress(inner, 9)))
            ),
            "pickle in latin-1": a.call(
                "pickle:loads", a.call("_codecs:encode", a.text(inner.decode("latin-1")),
                                       a.text("latin-1"))
            ),
            "source in zlib": a.call("builtins:exec", a.call("zlib:decompress", a.raw(code))),
            "source in base64": a.call(
                "builtins:exec",
                a.call("base64:b64decode", a.raw(base64.b64encode(SOURCE.encode()))),
            ),
            "codec that runs": a.call("_codecs:decode", a.raw(code), a.text("zlib_codec")),
            "cloudpickle in bytes": loads("cloudpickle:loads"),
            "dill in bytes": loads("dill:loads"),
            "joblib in bytes": a.call("joblib:load", read),
            "torch in bytes": a.call("torch:load", read),
            "pandas in bytes": a.call("pandas.io.pickle:read_pickle", read),
            "numpy in bytes": a.call("numpy:load", read, a.NONE, a.value(True)),
        },
    }  # fmt: skip


def _streams() -> dict[str, tuple[str, bytes, bool]]:
    """By name: where it is from, a whole file, and whether its first pickle runs the payload."""
    innocent = a.pickled(a.value({"weights": [1.0, 2.0]}), protocol=4)
    run = a.pickled(_RUN, protocol=4)
    shared = a.pickled(_OS + a.MEMOIZE + _NAME + a.MEMOIZE) + a.pickled(
        a.short_text("math") + a.MEMOIZE + a.POP + _RUN
    )
    stacked = "scan.md 2.2, memo of stacked pickles"
    both = "scan.md 2.1, fickling and cpython #154848"
    two = "scan.md 2.1, two formats"
    body = _RUN + a.STOP
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
            a.proto(4) + a.frame(b"\x8c", 2) + b"\x02os" + _NAME + _GO + a.STOP,
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
