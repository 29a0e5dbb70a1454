"""YAML: tags that make Python objects, and what configurations have a loader import."""

from __future__ import annotations

import re
import time

import pytest

from credenza.findings import Severity
from tests.scan.looking import accused, found, looked, rules

MALICIOUS = {
    "apply": ("x.yaml", "!!python/object/apply:os.system ['id']"),
    "apply-deep": ("x.yaml", "a:\n  - b: !!python/object/apply:os.system [id]\n"),
    "new": ("x.yml", "a: !!python/object/new:subprocess.Popen [[id]]"),
    "name": ("x.yaml", "a: !!python/name:os.system"),
    "module": ("x.yaml", "a: !!python/module:os"),
    "object": ("x.yaml", "a: !!python/object:evil.Thing {}"),
    "long-tag": ("x.yaml", "a: !<tag:yaml.org,2002:python/object/apply:os.system> [id]"),
    "handle": (
        "x.yaml",
        "%TAG !p! tag:yaml.org,2002:python/\n---\na: !p!object/apply:os.system [id]",
    ),
    "second-document": ("x.yaml", "a: 1\n---\n!!python/object/apply:os.system [id]\n"),
    "key": ("x.yaml", "? !!python/object/apply:os.system [id]\n: 1\n"),
    "named-otherwise": ("x.conf", "--- !!python/object/apply:os.system [id]\n"),
    "utf-16": ("x.yaml", "\ufeffa: !!python/object/apply:os.system [id]\n".encode("utf-16-le")),
    "hydra": (
        "model_config.yaml",
        "encoder:\n  _target_: os.system\n  command: id\n",
    ),  # CVE-2025-23304
    "hydra-unknown": ("model_config.yaml", "encoder:\n  _target_: evil.Encoder\n"),
    "hydra-alias": ("model_config.yaml", "t: &t os.system\nencoder:\n  _target_: *t\n"),
    "hydra-merge": ("model_config.yaml", "b: &b\n  _target_: os.system\nc:\n  <<: *b\n"),
    "hydra-twice": (
        "model_config.yaml",
        "a:\n  _target_: os.system\n  _target_: torch.nn.Linear\n",
    ),
    "mlflow": ("MLmodel", "flavors:\n  python_function:\n    loader_module: evil\n"),
    "mlflow-os": ("MLmodel", "flavors:\n  python_function:\n    loader_module: os\n"),
    "mlflow-path": (
        "MLmodel",
        "flavors:\n  python_function:\n    loader_module: mlflow.sklearn\n    code: ../../x\n",
    ),
    "template": ("x.yaml", "chat_template: \"{{ ''.__class__ }}\"\n"),
    "remote": ("x.yaml", "auto_map:\n  AutoModel: e/r--m.M\n"),
}

HONEST = {
    "nemo": (
        "model_config.yaml",
        "sample_rate: 16000\nencoder:\n  _target_: nemo.collections.asr.modules.ConformerEncoder\n"
        "loss:\n  _target_: torch.nn.CrossEntropyLoss\n",
    ),
    "mlflow": (
        "MLmodel",
        "artifact_path: model\nflavors:\n  python_function:\n    env:\n      conda: conda.yaml\n"
        "    loader_module: mlflow.sklearn\n    model_path: model.pkl\n    python_version: 3.11.7\n"
        "  sklearn:\n    code: null\n    pickled_model: model.pkl\n"
        "    serialization_format: cloudpickle\n",
    ),
    "conda": ("conda.yaml", "channels:\n- conda-forge\ndependencies:\n- pip:\n  - mlflow\n"),
    "tags": ("x.yaml", "a: !!str 1\nb: !!binary aGk=\nc: !!set {x, y}\nd: !local 3\n"),
    "tuple": ("x.yaml", "betas: !!python/tuple [0.9, 0.999]\n"),
    "words": (
        "x.yaml",
        "help: 'never write !!python/object/apply:os.system'\n# !!python/name:os\n",
    ),
    "front-matter": ("README.yaml", "---\nlicense: mit\ntags: [a, b]\n"),
}


@pytest.mark.parametrize(("name", "text"), MALICIOUS.values(), ids=MALICIOUS.keys())
def test_what_would_run_is_found(name: str, text: str | bytes) -> None:
    assert found(looked(name, text))


@pytest.mark.parametrize(("name", "text"), HONEST.values(), ids=HONEST.keys())
def test_an_honest_file_is_not_accused(name: str, text: str) -> None:
    report = looked(name, text)
    assert not accused(report)
    assert not report.unread


def test_code_that_comes_with_the_model_wants_an_eye() -> None:
    text = "flavors:\n  python_function:\n    loader_module: mlflow.sklearn\n    code: code\n"
    assert looked("MLmodel", text).worst is Severity.MEDIUM


def test_what_is_no_yaml_is_unread_and_what_stood_before_is_kept() -> None:
    report = looked("x.yaml", "a: !!python/object/apply:os.system [id]\nb: [\n")
    assert rules(report) == {"scan.yaml-tag"}
    assert report.unread
    assert looked("x.yaml", b"a: \x00\xff").unread
    assert looked("x.yaml", "a: " + "[" * 5_000).unread
    assert looked("x.yaml", "a: 1\n" * 300_000).unread


@pytest.mark.parametrize(
    "text",
    [
        "a: &a [x, x]\n"
        + "".join(f"b{i}: &b{i} [*{'b' + str(i - 1) if i else 'a'}, *a]\n" for i in range(60)),
        "a0: &a0 {auto_map: x}\n"
        + "".join(f"a{i}: &a{i} {{auto_map: [*a{i - 1}, *a{i - 1}]}}\n" for i in range(1, 60)),
        "x: {a: 1, a: 2}\n" * 20_000,
        "? " * 900 + "a",
    ],
)
def test_nothing_multiplies(text: str) -> None:
    began = time.process_time()
    looked("x.yaml", text)
    assert time.process_time() - began < 4


def test_the_front_of_a_page_is_read_and_the_page_is_none_of_its_business() -> None:
    page = "---\nlicense: mit\ntags: [a]\n---\n# A model\n`a: b: c` % @ {{ }}\n"
    report = looked("README.md", page)
    assert not accused(report)
    assert not report.unread
    assert found(looked("README.md", page.replace("mit", "!!python/object/apply:os.system [x]")))


def test_what_is_no_yaml_is_said_in_one_line_with_the_line_it_means() -> None:
    (unread,) = looked("x.yaml", "a: 1\nb: [").unread
    assert unread.why.startswith("it is not YAML to its end: ")
    assert "byte string" not in unread.why
    assert re.search(r" in line [23]$", unread.why)  # libyaml's line, or PyYAML's own
