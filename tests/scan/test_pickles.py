"""What pickles hide, and that it is found: opcodes, streams, frames, constants."""

from __future__ import annotations

import pickle
import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from credenza import scan
from credenza.findings import Severity
from credenza.scan.rules.pickles import Pickles
from tests.scan.pickling import EVIL, MARKER, SYSTEM, TOUCH, Seen, call, text
from tests.vectors import make_artifact_pickles as hostile

HIGH, CRITICAL = Severity.HIGH, Severity.CRITICAL
ARGUMENT = b"(" + text(TOUCH) + b"t"
BY_NAME = b"\x8c\x02os\x8c\x06system\x93" + ARGUMENT + b"R."


def framed(length: int, content: bytes) -> bytes:
    return b"\x80\x04\x95" + struct.pack("<Q", length) + content


OPCODES: dict[str, tuple[bytes, str, Severity]] = {
    "no PROTO": (BY_NAME, "os.system", CRITICAL),
    "memo key as Python spells numbers": (
        b"\x80\x02Nq\x0a0g+1_0\n0" + SYSTEM + b".",
        "os.system",
        CRITICAL,
    ),
    "number as C spells it": (b"I0x10\n0I017\n0" + SYSTEM + b".", "os.system", CRITICAL),
    "import without a call": (b"cantigravity\ngeohash\n.", "antigravity.geohash", CRITICAL),
    "name of Python 2": (
        call("__builtin__.execfile", text("x")) + b".",
        "__builtin__.execfile",
        CRITICAL,
    ),
    "moved name of Python 2": (
        call("commands.getoutput", text("x")) + b".",
        "commands.getoutput",
        CRITICAL,
    ),
    "class of a program": (b"c__main__\nModel\n)\x81.", "__main__.Model", HIGH),
    "unlisted class": (b"cacme.models\nNet\n)\x81.", "acme.models.Net", HIGH),
    "dotted name": (
        b"\x80\x04\x8c\x05torch\x8c\x09os.system\x93" + ARGUMENT + b"R.",
        "torch.os.system",
        CRITICAL,
    ),
    "extension": (b"\x80\x02\x82\xf0" + ARGUMENT + b"R.", "copyreg.extension(240)", HIGH),
    "computed name": (
        b"\x80\x04" + call("os.getenv", text("x")) + text("system") + b"\x93" + ARGUMENT + b"R.",
        "(computed).system",
        CRITICAL,
    ),
    "class of a persistent id": (
        b"(" + text("module") + b"cos\nsystem\nNNtQ" + ARGUMENT + b"R.",
        "os.system",
        CRITICAL,
    ),
    "keyword arguments": (
        b"\x80\x04\x8c\x0asubprocess\x8c\x05Popen\x93)}\x92.",
        "subprocess.Popen",
        CRITICAL,
    ),
}


@pytest.mark.parametrize("name", OPCODES)
@pytest.mark.parametrize(
    ("path", "said"), [("x.pkl", ""), ("weights", ""), ("x", "pickle"), ("x", "data")]
)
def test_what_is_named_is_found_whatever_the_file_is_called(
    name: str, path: str, said: str
) -> None:
    data, found, severity = OPCODES[name]
    if name in ("class of a program", "unlisted class") and said == "data":
        data = b"\x80\x02" + data
    seen = Seen(data, path, said)
    assert (found, severity) in {(f.found, f.severity) for f in seen.findings}


@pytest.mark.parametrize("name", sorted(hostile.vectors()))
def test_every_hostile_vector_is_found(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for path in ("x.pkl", "x.bin"):
        seen = Seen(hostile.vectors()[name][0], path)
        assert seen.worst >= HIGH
    assert not Path(MARKER).exists()


USES: dict[str, bytes] = {
    "BUILD on a function (modelscan 330)": b"cnumpy\nsize\n}" + text("__code__") + b"Nsb.",
    "SETITEM on a class": b"ccollections\nOrderedDict\n" + text("a") + b"Ns.",
    "what a call returns is called": call("collections.Counter") + b")R.",
    "partial of a function that its state replaces": call(
        "functools.partial", b"c__builtin__\nlen\n"
    )
    + b"(cbuiltins\nsum\nNNNtb.",
    "getattr on what is no enumeration": call(
        "builtins.getattr", b"csklearn.svm._classes\nSVC\n", text("fit")
    )
    + b".",
    "a bit generator from another function": call(
        "numpy.random._pickle.__randomstate_ctor", text("x"), b"ctorch.storage\n_load_from_bytes\n"
    )
    + b".",
    "a class of scikit-learn with arguments": call("sklearn.svm._classes.SVC", text("x")) + b".",
    "a dtype of objects whose flags deny it": call("numpy.dtype", text("O8"))
    + b"(K\x03"
    + text("|")
    + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb.",
    "a template that scipy did not write": b"cscipy.stats._continuous_distns\nnorm_gen\n)\x81}"
    + text("_parse_arg_template")
    + text("import os")
    + b"sb.",
    "a template under a computed key": b"cscipy.stats._continuous_distns\nnorm_gen\n)\x81}"
    + call("numpy.core.multiarray.scalar", call("numpy.dtype", text("U19")), b"C\x01a")
    + text("import os")
    + b"sb.",
    "a ufunc from any module": call("numpy.core._ufunc_reconstruct", text("os"), text("system"))
    + b".",
    "a time zone from a path": call("builtins.getattr", b"czoneinfo\nZoneInfo\n", text("_unpickle"))
    + b"("
    + text("../../etc/passwd")
    + b"\x88tR.",
}


@pytest.mark.parametrize("name", USES)
def test_a_listed_name_used_otherwise_is_found(name: str) -> None:
    seen = Seen(b"\x80\x02" + USES[name])
    assert seen.worst >= HIGH
    assert "pickle-use" in seen.rules


def test_the_template_of_scipy_runs_what_it_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gadget is real: scipy's __setstate__ runs a text of the pickle by exec."""
    monkeypatch.chdir(tmp_path)
    code = f"import pathlib; pathlib.Path('{MARKER}').touch(); raise RuntimeError"
    data = (
        b"\x80\x02cscipy.stats._continuous_distns\nnorm_gen\n)\x81}"
        + text("_parse_arg_template")
        + text(code)
        + b"sb."
    )
    with pytest.raises(RuntimeError):
        pickle.loads(data)
    assert Path(MARKER).exists()
    assert Seen(data).worst == HIGH


# --- claims ----------------------------------------------------------------------------


@pytest.mark.parametrize("said", ["", "data"])
@pytest.mark.parametrize(
    "data",
    [
        b"cat\ndog\nbird\n",
        b"import os\nimport sys\n",
        b"{}",
        b"N. Y. Times\n",
        b"\x80\x02" + bytes(500),
        b"\x80\x04\xff" * 50,
        b"\x80\x03\x3f" + struct.pack("<100f", *[0.1] * 100),
        b"I am a text that begins with an opcode.\n" * 20,
    ],
)
def test_bytes_that_only_begin_like_a_pickle(data: bytes, said: str) -> None:
    seen = Seen(data, "labels.txt", said)
    assert not seen.findings
    assert not seen.unread


def test_the_user_takes_the_blame_for_a_name() -> None:
    data = b"\x80\x02cacme.models\nNet\n)\x81}" + text("a") + b"Nsb."
    allowed = Pickles(allowed=frozenset({"acme.models.Net"}))
    assert Seen(data).worst == HIGH
    assert Seen(data, rule=allowed).findings == []
    on_function = b"\x80\x02cacme.models\nNet\n}" + text("__code__") + b"Nsb."
    assert Seen(on_function, rule=allowed).worst == HIGH


def test_no_secret_and_no_long_text_is_shown() -> None:
    secret = "curl -H 'token: ghp_0123456789abcdefghijABCDEFGHIJ012345' " + "x " * 500
    (finding,) = Seen(b"\x80\x02" + call("os.system", text(secret)) + b".").findings
    assert "ghp_" not in finding.what
    assert len(finding.what) < 250
    assert finding.found == "os.system"


def test_a_scan_finds_it(tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(EVIL)
    (tmp_path / "honest.pkl").write_bytes(pickle.dumps({"a": 1}))
    report = scan(tmp_path)
    assert [(f.rule, f.where.file) for f in report.findings] == [
        ("scan.pickle-dangerous", "model.bin")
    ]
    assert report.unread == ()


@pytest.mark.parametrize(
    "data",
    [
        b"]" * 1_000_000,
        b"\x80\x04N" + b"\x94" * 1_000_000,
        b"cx\ny\n" * 400_000,
        b"(" * 1_000_000,
    ],
)
def test_what_takes_too_much_is_unread(data: bytes) -> None:
    assert Seen(data).unread


@given(st.sampled_from(sorted(OPCODES)), st.data())
@settings(max_examples=200, deadline=None)
def test_mutants_are_read(name: str, data: st.DataObject) -> None:
    original = OPCODES[name][0]
    at = data.draw(st.integers(0, len(original) - 1))
    mutant = original[:at] + data.draw(st.binary(max_size=4)) + original[at + 1 :]
    seen = Seen(mutant)
    assert seen.claimed or mutant[:1] != original[:1]
