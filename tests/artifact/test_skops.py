"""skops' files are read as skops and scikit-learn give them back."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skops.io
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import SVC

from credenza.artifact import array
from credenza.artifact import open as open_artifact
from credenza.artifact.interface import Held
from credenza.artifact.pickles import BrokenPickleError
from credenza.artifact.skops import Skops

RNG = np.random.default_rng(0)
X = RNG.random((40, 3))
Y = RNG.integers(0, 2, 40)
MODELS: dict[str, Any] = {
    "pipeline": make_pipeline(StandardScaler(), LogisticRegression()).fit(X, Y),
    "forest": RandomForestClassifier(2, max_depth=2, random_state=0).fit(X, Y),
    "svm": SVC().fit(sparse.csr_matrix(X), Y),
}


def files(**members: str | bytes) -> bytes:
    """An archive of members by name, with ``_`` for the dot."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as z:
        for name, content in members.items():
            z.writestr(name.replace("_", "."), content)
    return out.getvalue()


def npy(value: Any) -> bytes:
    out = io.BytesIO()
    np.save(out, value, allow_pickle=True)
    return out.getvalue()


def node(module: str, class_: str, **more: Any) -> dict[str, Any]:
    return {"__module__": module, "__class__": class_, "__loader__": "ObjectNode", **more}


def refused(data: bytes) -> BrokenPickleError:
    with pytest.raises(BrokenPickleError) as caught:
        Skops().read(Held("a.skops", data))
    return caught.value


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_pipeline_is_read_as_it_is(compression: int, tmp_path: Path) -> None:
    path = tmp_path / "a.skops"
    skops.io.dump(MODELS["pipeline"], path, compression=compression)
    artifact = open_artifact(path)
    scaler, regression = (step for _, step in MODELS["pipeline"].steps)
    expected = {
        "steps.0.1.mean_": scaler.mean_,
        "steps.0.1.var_": scaler.var_,
        "steps.0.1.scale_": scaler.scale_,
        "steps.0.1.n_samples_seen_": scaler.n_samples_seen_,
        "steps.1.1.coef_": regression.coef_,
        "steps.1.1.intercept_": regression.intercept_,
        "steps.1.1.classes_": regression.classes_,
        "steps.1.1.n_iter_": regression.n_iter_,
    }
    assert {t.name for t in artifact.tensors} == expected.keys()
    for tensor in artifact.tensors:
        assert np.array_equal(array(artifact, tensor), expected[tensor.name])
    assert artifact.files[0].unread == ()
    assert {p.name for _, p in artifact.programs if not p.allowed} == {
        "sklearn.pipeline.Pipeline",
        "sklearn.preprocessing._data.StandardScaler",
        "sklearn.linear_model._logistic.LogisticRegression",
    }


@pytest.mark.parametrize("name", sorted(MODELS))
def test_every_type_is_listed_and_every_member_accounted_for(name: str, tmp_path: Path) -> None:
    path = tmp_path / "a.skops"
    skops.io.dump(MODELS[name], path)
    artifact = open_artifact(path)
    untrusted = set(skops.io.get_untrusted_types(file=path))
    assert untrusted <= {p.name for _, p in artifact.programs if not p.allowed}
    with zipfile.ZipFile(path) as z:
        schema = z.read("schema.json")
    for _, program in artifact.programs:
        class_ = program.name.rpartition(".")[2].encode()
        assert schema[program.start :].startswith(class_ + b'"')
        assert program.member == "schema.json"
    assert not [u for u in artifact.files[0].unread if "does not refer" in u]


def test_sparse_matrices_are_their_parts(tmp_path: Path) -> None:
    matrix = sparse.csr_matrix(np.array([[0, 1.5], [2.5, 0]]))
    path = tmp_path / "a.skops"
    skops.io.dump({"m": matrix}, path)
    artifact = open_artifact(path)
    assert np.array_equal(array(artifact, artifact.tensor("m.data")), matrix.data)
    assert np.array_equal(array(artifact, artifact.tensor("m.indices")), matrix.indices)
    assert np.array_equal(array(artifact, artifact.tensor("m.shape")), matrix.shape)


def test_functions_are_listed(tmp_path: Path) -> None:
    """A schema may name any function of any module."""
    path = tmp_path / "a.skops"
    skops.io.dump(FunctionTransformer(np.exp), path)
    names = {p.name: p.allowed for _, p in open_artifact(path).programs}
    assert names["numpy.exp"] is False
    assert names["builtins.str"] is True


def test_objects_are_programs() -> None:
    schema = node("os", "system", file="a.npy")
    data = files(schema_json=json.dumps(schema), a_npy=npy(np.array([Path], dtype=object)))
    found = Skops().read(Held("a.skops", data))
    assert found.tensors == ()
    assert found.unread == ("array: a: an array of Python objects",)
    bad = [p.name for p in found.programs if not p.allowed]
    assert "os.system" in bad
    assert {p.member for p in found.programs} == {"schema.json", "a.npy"}


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (files(a_txt="x"), "skops-layout"),
        (files(schema_json=json.dumps(node("a", "b", file="a.npy"))), "skops-layout"),
        (files(schema_json="[1,"), "skops-schema"),
        (files(schema_json="5"), "skops-schema"),
        (files(schema_json='{"a":1,"a":2}'), "skops-schema"),
        (files(schema_json=b"\xff"), "skops-schema"),
        (files(schema_json="[" * 100_000), "skops-schema"),
        (files(schema_json=json.dumps({"k" * 1025: {}})), "skops-schema"),
        (files(schema_json=json.dumps(node("a", "b", file="a.npy")), a_npy=b"x"), "npy-header"),
        (
            files(
                schema_json=json.dumps(
                    {"content": {"a": {"file": "a.npy"}}, "a": {"file": "a.npy"}}
                ),
                a_npy=npy(np.arange(3)),
            ),
            "tensor-name-twice",
        ),
    ],
)
def test_what_breaks_the_format_is_refused(data: bytes, rule: str) -> None:
    assert refused(data).finding.rule == f"artifact.{rule}"


def test_a_refusal_carries_the_programs_found_before() -> None:
    data = files(schema_json=json.dumps(node("os", "system", file="a.npy")), a_npy=b"x")
    assert [p.name for p in refused(data).programs] == ["os.system"]


def test_members_that_nothing_refers_to_are_said() -> None:
    data = files(schema_json=json.dumps({"k" * 1024: {}}), a_npy=npy(np.arange(3)))
    found = Skops().read(Held("a.skops", data))
    assert found.unread == ("a.npy: a member to which the schema does not refer",)


def test_an_archive_is_one_by_its_content() -> None:
    data = skops.io.dumps(MODELS["pipeline"])
    assert Skops().claims(Held("model.zip", data))
    assert not Skops().claims(Held("model.zip", files(a_txt="x")))


ORIGINAL = skops.io.dumps({"m": sparse.csr_matrix(np.eye(2)), "a": np.arange(3), "b": b"bytes"})


@given(st.integers(0, len(ORIGINAL) - 1), st.binary(min_size=1, max_size=8))
@settings(max_examples=300, deadline=None)
def test_mutated_files_are_read_or_refused(at: int, piece: bytes) -> None:
    file = Held("a.skops", ORIGINAL[:at] + piece + ORIGINAL[at + len(piece) :])
    try:
        tensors = Skops().read(file).tensors
    except BrokenPickleError:
        return
    assert all(0 <= t.region.start <= t.region.stop <= file.size for t in tensors)
