"""A pickle is loaded where nothing speaks against it; else nothing of it runs."""

from __future__ import annotations

import collections
import io
import pickle
import sys
from pathlib import Path

import numpy as np
import pytest

from credenza.artifact.pickles import BrokenPickleError
from credenza.errors import InputError, UnsafePickleError
from credenza.guard import load_pickle
from credenza.guard.pickles import _Restricted
from tests.scan.pickling import EVIL, MARKER, SYSTEM, call, text
from tests.scan.test_pickle_streams import straddled
from tests.scan.test_pickles import OPCODES, USES


@pytest.mark.parametrize("protocol", range(6))
def test_plain_values_and_arrays(protocol: int, tmp_path: Path) -> None:
    value = {"a": [1, 2.5, b"x", "é"], "b": collections.OrderedDict(c={1, 2}), "d": 1j}
    assert load_pickle(pickle.dumps(value, protocol)) == value
    (tmp_path / "x.pkl").write_bytes(pickle.dumps(np.eye(3), protocol))
    assert (load_pickle(tmp_path / "x.pkl") == np.eye(3)).all()


def test_a_model_of_scikit_learn() -> None:
    from sklearn.ensemble import RandomForestClassifier

    x, y = np.arange(40.0).reshape(20, 2), np.arange(20) % 2
    model = RandomForestClassifier(3, random_state=0).fit(x, y)
    loaded = load_pickle(pickle.dumps(model))
    assert (loaded.predict(x) == model.predict(x)).all()


@pytest.mark.parametrize("name", [*OPCODES, *USES])
def test_what_the_scan_finds_is_not_loaded(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    data = OPCODES[name][0] if name in OPCODES else b"\x80\x02" + USES[name]
    with pytest.raises(UnsafePickleError) as caught:
        load_pickle(data)
    assert caught.value.findings
    assert list(tmp_path.iterdir()) == []
    assert "antigravity" not in sys.modules


@pytest.mark.parametrize("data", [straddled(), b"\x80\x04N", pickle.dumps(1) + EVIL, b""])
def test_a_pickle_that_breaks_off_or_is_followed_by_more_is_refused(data: bytes) -> None:
    with pytest.raises(BrokenPickleError):
        load_pickle(data)


@pytest.mark.parametrize(
    "data",
    [
        b"\x80\x02" + text("x") + b"Q.",
        b"\x80\x02(" + text("storage") + b"ctorch\nFloatStorage\nK\x01tQ.",
        b"\x80\x02" + call("torch.storage._load_from_bytes", b"C\x04abcd") + b".",
    ],
)
def test_what_another_loader_would_supply_is_refused(data: bytes) -> None:
    with pytest.raises(UnsafePickleError):
        load_pickle(data)


class Mine:
    """A class of the user's own."""


def test_a_name_is_allowed_by_its_exact_spelling() -> None:
    data = pickle.dumps(Mine())
    with pytest.raises(UnsafePickleError, match=r"Mine"):
        load_pickle(data, allow=["Mine"])
    assert isinstance(load_pickle(data, allow=[f"{__name__}.Mine"]), Mine)


def test_the_unpickler_itself_resolves_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Were the check ever wrong, Python would still reach no other name."""
    monkeypatch.chdir(tmp_path)
    unpickler = _Restricted(io.BytesIO(b"\x80\x02" + SYSTEM + b"."), frozenset({("os", "getcwd")}))
    with pytest.raises(UnsafePickleError, match=r"os\.system"):
        unpickler.load()
    assert not Path(MARKER).exists()


def test_what_does_not_load_is_said() -> None:
    with pytest.raises(InputError, match="cannot be read"):
        load_pickle("nowhere.pkl")
    with pytest.raises(InputError, match="does not load"):
        load_pickle(b"\x80\x02cpandas.core.frame\nNoSuch\n.", allow=["pandas.core.frame.NoSuch"])
