"""The machine: hostile pickles are seen through, honest ones come back as they were."""

from __future__ import annotations

import json
import math
import pickle
import struct
import tomllib
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from credenza.artifact import pickles
from credenza.artifact.interface import Held
from credenza.artifact.pickle_file import PickleFile
from credenza.artifact.pickles import (
    BrokenPickleError,
    Call,
    Dict,
    Global,
    Limits,
    List,
    Set,
    Span,
    Tuple,
    Value,
    interpret,
)
from credenza.artifact.pickles.arguments import ARGUMENT_WORDS
from credenza.artifact.pickles.lists import allowed
from credenza.artifact.pickles.values import Kind
from credenza.artifact.pickles.walk import named
from tests.vectors import make_artifact_pickles as vectors

EXPECTED: dict[str, dict[str, str]] = json.loads((vectors.FOLDER / "expected.json").read_text())


def test_vectors_are_what_the_script_writes() -> None:
    assert (vectors.FOLDER / "expected.json").read_text() == vectors.expected()
    for name, (data, _, _) in vectors.vectors().items():
        assert (vectors.FOLDER / f"{name}.pkl").read_bytes() == data


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_hostile_pickle_is_listed_and_not_run(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file = Held(f"{name}.pkl", (vectors.FOLDER / f"{name}.pkl").read_bytes())
    refused = EXPECTED[name]["refused"]
    assert PickleFile().claims(file)
    if refused:
        with pytest.raises(BrokenPickleError) as caught:
            PickleFile().read(file)
        assert caught.value.finding.rule == f"artifact.{refused}"
        programs = caught.value.programs
    else:
        programs = PickleFile().read(file).programs
    assert EXPECTED[name]["calls"] in {p.name for p in programs if not p.allowed}
    assert not (tmp_path / vectors.MARKER).exists()


@pytest.mark.parametrize("name", ["global-protocol0", "stack-global-protocol4", "memo-shuffle"])
def test_the_payloads_are_real(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    pickle.loads((vectors.FOLDER / f"{name}.pkl").read_bytes())
    assert (tmp_path / vectors.MARKER).exists()


def test_misuse_takes_the_name_off_the_list() -> None:
    data = b"\x80\x02cnumpy\ndtype\n}X\x08\x00\x00\x00__code__Nsb."
    assert [p.allowed for p in interpret(Held("x", data)).programs] == [False, False]


def test_programs_say_where_they_are() -> None:
    data = b"N0ccollections\nOrderedDict\n)Rcos\ngetcwd\n)R\x86."
    found = interpret(Held("x", data)).programs
    assert [(p.start, p.name, p.allowed) for p in found] == [
        (2, "collections.OrderedDict", True),
        (29, "os.getcwd", False),
    ]


def test_every_kind_of_arguments_on_the_list_is_known() -> None:
    listed = tomllib.loads((resources.files(pickles) / "allowed.toml").read_text("utf-8"))["group"]
    assert {group.get("arguments", "any") for group in listed} <= ARGUMENT_WORDS
    assert all(group["reason"] for group in listed)


def test_what_torch_allows_is_on_the_list() -> None:
    from torch._weights_only_unpickler import _get_allowed_globals

    names = [name.rpartition(".") for name in _get_allowed_globals()]
    assert [n for n in names if allowed(n[0], n[2]) is None] == []


def test_the_list_is_exact() -> None:
    assert allowed("os", "system") is None
    assert allowed("torch", "os.system") is None
    assert allowed("collections.abc", "OrderedDict") is None


def test_each_stream_has_its_own_memo() -> None:
    with pytest.raises(BrokenPickleError) as caught:
        PickleFile().read(Held("x.pkl", b"\x80\x02Nq\x00.\x80\x02h\x00."))
    assert caught.value.finding.rule == "artifact.pickle-trailing"


def test_opcode_limit_from_both_sides() -> None:
    data = b"N0" * 4 + b"N."
    assert interpret(Held("x", data), limits=Limits(opcodes=10)).stop == 10
    with pytest.raises(BrokenPickleError, match="more than 9 opcodes"):
        interpret(Held("x", data), limits=Limits(opcodes=9))


def test_depth_costs_no_recursion() -> None:
    deep = interpret(Held("x", b"]" * 200_000 + b"a" * 199_999 + b"."))
    assert isinstance(deep.value, List)
    assert repr(deep.value) == "List()"
    assert list(named(deep.value, lambda v: isinstance(v, Global))) == []


def test_shared_references_do_not_explode() -> None:
    laughs = b"]" + b"".join(
        b"q" + bytes([i]) + b"]h" + bytes([i]) + b"ah" + bytes([i]) + b"a" for i in range(60)
    )
    found = PickleFile().read(Held("laughs.pkl", laughs + b"."))
    assert found.tensors == ()
    assert found.programs == ()


def test_large_bytes_stay_in_the_file() -> None:
    class Counting(Held):
        """Counts what is read."""

        read = 0

        def pread(self, start: int, length: int) -> bytes:
            Counting.read += length
            return super().pread(start, length)

    data = pickle.dumps([bytes(8 << 20), bytearray(8 << 20)], 5)
    value = interpret(Counting("x", data)).value
    assert isinstance(value, List)
    assert [s.length for s in value.items if isinstance(s, Span)] == [8 << 20, 8 << 20]
    assert Counting.read < 1 << 20


def test_python2_string() -> None:
    value = interpret(Held("x", b"U\x03\xff\x00a.")).value
    assert isinstance(value, Span)
    assert (value.kind, value.start, value.content) == (Kind.STRING, 2, b"\xff\x00a")


def plain(value: Value, file: Held) -> Any:
    """The Python value that an abstract one stands for."""
    match value:
        case Span(kind=Kind.BYTES):
            return value.read(file)
        case Span(kind=Kind.BYTEARRAY):
            return bytearray(value.read(file))
        case Span():
            return value.read(file).decode("utf-8", "surrogatepass")
        case List(items):
            return [plain(i, file) for i in items]
        case Tuple(items):
            return tuple(plain(i, file) for i in items)
        case Dict(pairs):
            return {plain(k, file): plain(v, file) for k, v in pairs}
        case Set():
            made = {plain(i, file) for i in value.items}
            return frozenset(made) if value.frozen else made
        case Call():
            return _called(value, [plain(a, file) for a in value.arguments])
        case _:
            return value


def _called(call: Call, args: list[Any]) -> Any:
    match call.name.replace("__builtin__.", "builtins."):
        case "_codecs.encode":
            return args[0].encode(args[1])
        case "builtins.bytes":
            return bytes(*args)
        case "builtins.bytearray":
            return bytearray(*args)
        case "builtins.set":
            return set(*args)
        case "builtins.frozenset":
            return frozenset(*args)
        case "builtins.complex":
            return complex(*args)
        case name:
            raise AssertionError(name)


hashable = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.complex_numbers(allow_nan=False)
    | st.text()
    | st.binary(max_size=600)
)
values = st.recursive(
    hashable | st.binary(max_size=40).map(bytearray) | st.frozensets(hashable, max_size=3),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(hashable, inner, max_size=4)
        | st.sets(hashable, max_size=3)
    ),
    max_leaves=12,
)


@given(values, st.integers(0, 5))
@example([2**100, -(2**1000), "\ud800", "a\nb\\u", math.inf, -0.0], 0)
@example({"k" * 300: ("é" * 70_000, b"\x00" * 300)}, 1)
@example([[], (), {}, set(), frozenset({1}), b"", bytearray()], 4)
@settings(max_examples=150, deadline=None)
def test_graph_evaluates_to_what_was_pickled(value: object, protocol: int) -> None:
    file = Held("x", pickle.dumps(value, protocol))
    found = interpret(file)
    assert repr(plain(found.value, file)) == repr(value) or plain(found.value, file) == value
    assert found.stop == file.size
    assert all(p.allowed for p in found.programs)


@given(st.binary(max_size=200))
@settings(max_examples=300, deadline=None)
def test_arbitrary_bytes_are_read_or_refused(data: bytes) -> None:
    _read_or_refused(Held("x.pkl", data))


@given(st.sampled_from(sorted(EXPECTED)), st.data())
@settings(max_examples=300, deadline=None)
def test_mutated_pickles_are_read_or_refused(name: str, data: st.DataObject) -> None:
    original = vectors.vectors()[name][0]
    at = data.draw(st.integers(0, len(original) - 1))
    piece = data.draw(st.binary(max_size=4))
    _read_or_refused(Held("x.pkl", original[:at] + piece + original[at + len(piece) + 1 :]))


def _read_or_refused(file: Held) -> None:
    try:
        found = PickleFile().read(file)
    except BrokenPickleError:
        return
    assert found.path == file.path


@pytest.mark.parametrize(
    "words",
    [
        b"cat\ndog\nbird\n",
        b"class Model:\n    pass\n",
        b"import os\nimport sys\n",
        b"N. Y. Times\n",
        b"0.5 0.25\n1.0 2.0\n",
        b"I am text.\n",
        b"{}\n",
    ],
)
def test_text_is_no_pickle(words: bytes) -> None:
    assert not PickleFile().claims(Held("labels.txt", words))


@pytest.mark.parametrize("first", b"FILPcgip")
@pytest.mark.parametrize(
    "more", [b" long line of prose" * 100, b"\x10\0\0\0\0\0\0{" + b" " * 5000, b"\x8b\xff" * 999]
)
def test_a_long_line_behind_a_letter_is_no_pickle(first: int, more: bytes) -> None:
    assert not PickleFile().claims(Held("notes", bytes([first]) + more + b"\nmore"))


def test_a_long_number_may_be_a_pickle() -> None:
    """A loader takes it, and what is called behind it."""
    data = b"I" + b"1" * 2000 + b"\n0cos\nsystem\n(S'echo'\ntR."
    assert PickleFile().claims(Held("notes", data))


def test_a_number_longer_than_the_file_is_no_pickle() -> None:
    assert not PickleFile().claims(Held("weights", b"N\x8b\0\0\0\x10" + bytes(100)))


@pytest.mark.parametrize("protocol", range(6))
def test_a_pickle_needs_no_name(protocol: int) -> None:
    data = pickle.dumps({"a": [1, 2.5, "x"]}, protocol)
    assert PickleFile().claims(Held("weights", data))


def test_frames_of_the_real_pickler_hold() -> None:
    data = pickle.dumps([list(range(100_000)), b"x" * 100_000, "y" * 70_000], 4)
    assert data[2:3] == b"\x95"
    assert struct.unpack("<Q", data[3:11])[0] < len(data) - 170_000
    assert interpret(Held("x", data)).stop == len(data)
