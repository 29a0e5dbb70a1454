"""Calls that no REDUCE of a plain name makes: hooks, calls of calls, and pickles in pickles."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Iterator
from typing import Final

from tests.scan.population import assemble as a
from tests.scan.population.evasions import GO, NAME, RUN, SYSTEM, evasion
from tests.scan.population.interface import COMMAND, MARKER, SOURCE, Malicious

_SPACE: Final = a.call("types:SimpleNamespace")


def vectors() -> Iterator[Malicious]:
    for table in (_hooks(), _indirect(), _nested()):
        for reference, bodies in table.items():
            for name, body in bodies.items():
                yield evasion(name, reference, a.pickled(body, protocol=4))


def _hooks() -> dict[str, dict[str, bytes]]:
    """Methods that an opcode calls by itself, and attributes that BUILD sets."""
    hooked = {
        name: a.build(_SPACE, a.dict_((a.text(name), SYSTEM)))
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
                a.build(_SPACE, a.tuple_(a.NONE, a.dict_((a.text("__setstate__"), SYSTEM)))),
                a.text(COMMAND),
            ),
            "reconstruct a strange class": a.call(
                "copyreg:_reconstructor", popen, a.global_("builtins:object"), a.NONE
            ),
            "reconstruct with a strange base": a.call("copyreg:_reconstructor", popen, popen, base),
            "array of a strange class": a.call(
                "numpy.core.multiarray:_reconstruct", popen, a.tuple_(a.number(0)), a.raw(b"b")
            ),
            "a factory that runs later": a.call("collections:defaultdict", SYSTEM),
            "state of a torch module": a.build(
                a.newobj(a.global_("torch.nn.modules.linear:Linear")),
                a.dict_((a.text("forward"), SYSTEM)),
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
            "items of a module": a.stack_global("builtins:__dict__") + a.text("len") + SYSTEM
            + a.SETITEM + a.call("builtins:len", a.text(COMMAND)),
        },
    }  # fmt: skip


def _indirect() -> dict[str, dict[str, bytes]]:
    """Calls of what a call gave, or through what is handed a function."""
    os_ = a.call("builtins:__import__", a.text("os"))
    function = a.call("builtins:getattr", os_, a.text("system"))
    partial = a.call("functools:partial", SYSTEM, a.text(COMMAND))
    mapped = a.call("builtins:map", SYSTEM, a.list_(a.text(COMMAND)))
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
                "builtins:list", a.call("builtins:filter", SYSTEM, a.list_(a.text(COMMAND)))
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
                "heapq:nlargest", a.number(1), a.list_(a.text(COMMAND), a.text("true")), SYSTEM
            ),
            "class by type": a.call(
                "builtins:type", a.text("X"), a.EMPTY_TUPLE, a.dict_((a.text("f"), SYSTEM))
            ),
            "a function by its code": a.call("types:FunctionType", code, a.value({})),
            "a computed module": a.call("os:getenv", a.text("x"), a.text("os"))
            + NAME + GO,
            "a class of a computed name": a.newobj(
                a.call("operator:itemgetter", a.text("x")), a.text(COMMAND)
            ),
            "two names for a local one": a.call("__mp_main__:system", a.text(COMMAND)),
        },
    }  # fmt: skip


def _nested() -> dict[str, dict[str, bytes]]:
    """A pickle in the bytes that a second loader is handed."""
    inner = a.pickled(RUN)
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
