"""Plain pickles that call what they should not, by every opcode that calls."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from tests.scan.population import assemble as a
from tests.scan.population.interface import COMMAND, MARKER, NOWHERE, SOURCE, Form, Malicious

_SYSTEM: Final = "os:system"

_CALLS: Final[tuple[tuple[str, tuple[Any, ...], bool], ...]] = (
    ("posix:system", (COMMAND,), True),
    ("nt:system", (COMMAND,), False),
    ("os:popen", (COMMAND,), False),
    ("os:execv", ("/bin/sh", ["sh", "-c", COMMAND]), False),
    ("os:execlp", ("sh", "sh", "-c", COMMAND), False),
    ("os:spawnlp", (0, "touch", "touch", MARKER), True),
    ("os:posix_spawn", ("/bin/sh", ["sh", "-c", COMMAND], {}), False),
    ("os:remove", (MARKER,), False),
    ("os:rename", ("a", MARKER), False),
    ("os:putenv", ("LD_PRELOAD", MARKER), False),
    ("os:fork", (), False),
    ("os:kill", (2**31 - 1, 0), False),
    ("os:mkdir", (MARKER,), True),
    ("os:open", (MARKER, 65), True),
    ("os:startfile", (MARKER,), False),
    ("subprocess:Popen", (["touch", MARKER],), False),
    ("subprocess:run", (["touch", MARKER],), True),
    ("subprocess:call", (["touch", MARKER],), True),
    ("subprocess:check_call", (["touch", MARKER],), True),
    ("subprocess:check_output", (["touch", MARKER],), True),
    ("subprocess:getoutput", (COMMAND,), True),
    ("subprocess:getstatusoutput", (COMMAND,), True),
    ("popen2:popen3", (COMMAND,), False),
    ("builtins:eval", (SOURCE,), True),
    ("builtins:exec", (SOURCE,), True),
    ("builtins:compile", (SOURCE, "x", "exec"), False),
    ("builtins:open", (MARKER, "w"), True),
    ("builtins:__import__", ("antigravity",), False),
    ("builtins:getattr", ("x", "__class__"), False),
    ("builtins:setattr", ("x", "y", "z"), False),
    ("builtins:globals", (), False),
    ("builtins:breakpoint", (), False),
    ("builtins:input", (COMMAND,), False),
    ("__builtin__:execfile", (MARKER,), False),
    ("__builtin__:file", (MARKER, "w"), False),
    ("io:open", (MARKER, "w"), True),
    ("codecs:open", (MARKER, "w"), False),
    ("shutil:rmtree", (MARKER,), False),
    ("shutil:copyfile", ("a", MARKER), False),
    ("runpy:run_path", (MARKER,), False),
    ("runpy:run_module", (MARKER,), False),
    ("importlib:import_module", (MARKER,), False),
    ("pty:spawn", (["touch", MARKER],), False),
    ("socket:create_connection", (("192.0.2.1", 9),), False),
    ("socket:socket", (), False),
    ("urllib.request:urlopen", (NOWHERE,), False),
    ("urllib.request:urlretrieve", (NOWHERE, MARKER), False),
    ("requests.api:get", (NOWHERE,), False),
    ("httplib:HTTPSConnection", ("192.0.2.1",), False),
    ("aiohttp.client:ClientSession", (), False),
    ("webbrowser:open", (NOWHERE,), False),
    ("pickle:loads", (a.pickled(a.call(_SYSTEM, a.text(COMMAND))),), True),
    ("pickle:load", (MARKER,), False),
    ("marshal:loads", (b"N",), False),
    ("ctypes:CDLL", (MARKER,), False),
    ("sys:exit", (1,), False),
    ("bdb:Bdb", (), False),
    ("pdb:run", (SOURCE,), False),
    ("timeit:timeit", (SOURCE, "pass", 0, 1), False),
    ("code:interact", (), False),
    ("signal:raise_signal", (0,), False),
    ("threading:Thread", (), False),
    ("multiprocessing:Process", (), False),
    ("tempfile:NamedTemporaryFile", (), False),
    ("dill._dill:_load_type", ("FunctionType",), False),
    ("torch.hub:load", ("a/b", "c"), False),
    ("numpy.testing._private.utils:runstring", (SOURCE, {}), False),
    ("__main__:Payload", (), False),
)


def vectors() -> Iterator[Malicious]:
    for name, arguments, runs in _CALLS:
        body = a.call(name, *map(a.value, arguments))
        yield _plain(name.replace(":", "."), a.pickled(body), runs)
    for protocol in range(6):
        yield from _by_protocol(protocol)
    yield from _by_place()


def _plain(name: str, data: bytes, runs: bool, reference: str = "scan.md 3.2, plain") -> Malicious:
    return Malicious(
        name=f"pickle {name}",
        category="pickle",
        reference=reference,
        files=(("model.pkl", data),),
        form=Form.PICKLE,
        live="pickle" if runs else "",
    )


def _by_protocol(protocol: int) -> Iterator[Malicious]:
    """What each protocol would write for the same call."""
    argument = a.text_line(COMMAND) if protocol == 0 else a.text(COMMAND)
    function = a.stack_global(_SYSTEM) if protocol >= 4 else a.global_(_SYSTEM)
    body = a.call(function, argument)
    yield _plain(f"protocol {protocol}", a.pickled(body, protocol=protocol), True)
    state = a.dict_((a.text("weight"), a.number(1)), (a.text("bias"), body))
    yield _plain(f"protocol {protocol}, in a dict", a.pickled(state, protocol=protocol), True)


def _by_place() -> Iterator[Malicious]:
    """Where in an innocent object the call stands."""
    body = a.call(_SYSTEM, a.text(COMMAND))
    ordered = a.global_("collections:OrderedDict") + a.EMPTY_TUPLE + a.REDUCE
    array = a.tuple_(a.global_("numpy:ndarray"), a.tuple_(a.number(0)), a.raw(b"b"))
    rebuilt = a.global_("numpy.core.multiarray:_reconstruct") + array + a.REDUCE
    places = {
        "in a list": a.list_(a.number(1), body),
        "in a tuple": a.tuple_(body, a.number(1)),
        "as a key": a.dict_((body, a.number(1))),
        "in a set": a.call("builtins:set", a.list_(body)),
        "in a frozenset": b"(" + body + b"\x91",
        "deep in lists": a.list_(a.list_(a.list_(a.dict_((a.text("k"), a.tuple_(body)))))),
        "as a state": a.build(ordered, a.dict_((a.text("a"), body))),
        "as an item of an OrderedDict": ordered + a.text("k") + body + a.SETITEM,
        "in an array": a.build(
            rebuilt,
            a.tuple_(
                a.number(1),
                a.tuple_(a.number(1)),
                a.build(
                    a.call("numpy:dtype", a.text("O8"), a.number(0), a.number(1)),
                    a.value((3, "|", None, None, None, -1, -1, 63)),
                ),
                b"\x89",
                a.list_(body),
            ),
        ),
        "as an argument of an allowed call": a.call("collections:OrderedDict", a.list_(body)),
        "unused": body + a.POP + a.value({"weights": [1.0]}),
        "first of two": body + a.POP + a.call("os:getcwd"),
        "import only": a.global_(_SYSTEM),
        "class of a Popen": a.newobj(a.global_("subprocess:Popen"), a.text(COMMAND)),
        "instance by INST": a.inst(_SYSTEM, a.text(COMMAND)),
        "instance by OBJ": a.obj(a.global_(_SYSTEM), a.text(COMMAND)),
        "keywords by NEWOBJ_EX": a.newobj_ex(
            a.global_("subprocess:Popen"), a.tuple_(a.text(COMMAND)), a.value({"shell": True})
        ),
    }
    inert = {"import only", "class of a Popen", "keywords by NEWOBJ_EX"}
    for name, body_ in places.items():
        yield _plain(name, a.pickled(body_, protocol=4), name not in inert)
