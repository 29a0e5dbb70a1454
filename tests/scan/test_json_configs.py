"""JSON: what a loader imports, renders or opens because a configuration says so."""

from __future__ import annotations

import json
import random
import time
from pathlib import Path
from typing import Any

import pytest
import transformers

from credenza.findings import Severity
from credenza.scan import scan
from tests.scan.looking import accused, found, looked

MALICIOUS: dict[str, tuple[str, Any]] = {
    "auto-map-elsewhere": ("config.json", {"auto_map": {"AutoModel": "evil/repo--modeling.Model"}}),
    "auto-map-climbs": ("config.json", {"auto_map": {"AutoModel": "../evil.Model"}}),
    "auto-map-slashes": ("config.json", {"auto_map": {"AutoModel": "a/b.Model"}}),
    "auto-map-deep": ("config.json", {"text_config": {"auto_map": {"A": "evil/repo--m.M"}}}),
    "auto-map-list": ("tokenizer_config.json", {"auto_map": {"AutoTokenizer": [None, "e/r--m.T"]}}),
    "pipelines": ("config.json", {"custom_pipelines": {"x": {"impl": "evil/repo--p.Pipe"}}}),
    "kernel": ("config.json", {"attn_implementation": "evil/attention"}),
    "kernel-by-part": ("config.json", {"attn_implementation": {"text": "evil/attention@main"}}),
    "modules": ("modules.json", [{"idx": 0, "name": "0", "path": "", "type": "os.system"}]),
    "modules-unknown": ("modules.json", [{"idx": 0, "name": "0", "path": "", "type": "x.Y"}]),
    "modules-path": (
        "modules.json",
        [{"idx": 0, "name": "0", "path": "../x", "type": "sentence_transformers.models.Pooling"}],
    ),
    "activation": ("config.json", {"sentence_transformers": {"activation_fn": "subprocess.Popen"}}),
    "peft-library": (
        "adapter_config.json",
        {"auto_mapping": {"base_model_class": "system", "parent_library": "os"}},
    ),
    "peft-megatron": ("adapter_config.json", {"megatron_core": "evil.core"}),
    "diffusers": (
        "model_index.json",
        {"_class_name": "P", "_diffusers_version": "0.30", "unet": ["subprocess", "Popen"]},
    ),
    "diffusers-unknown": (
        "model_index.json",
        {"_class_name": "P", "_diffusers_version": "0.30", "unet": ["evil", "Model"]},
    ),
    "index": ("model.safetensors.index.json", {"weight_map": {"a": "../../etc/passwd"}}),
    "index-address": ("model.safetensors.index.json", {"weight_map": {"a": "http://e/x"}}),
    "hydra": ("config.json", {"model": {"_target_": "os.system", "_args_": ["id"]}}),
    "hydra-unknown": ("config.json", {"_target_": "evil.Model"}),
    "hydra-torch": ("config.json", {"_target_": "torch.load", "f": "x"}),
    "template": ("tokenizer_config.json", {"chat_template": "{{ ''.__class__ }}"}),
    "template-list": (
        "tokenizer_config.json",
        {
            "chat_template": [
                {"name": "a", "template": "x"},
                {"name": "b", "template": "{{ x.mro }}"},
            ]
        },
    ),
    "template-named": ("chat_template.json", {"chat_template": {"tool": "{{ ''['__class__'] }}"}}),
    "template-processor": ("processor_config.json", {"chat_template": "{{ lipsum.__globals__ }}"}),
    "template-lines": ("x.json", {"chat_template": ["{% set a = '__class__' %}", "{{ ''[a] }}"]}),
}

HONEST: dict[str, tuple[str, Any]] = {
    "vocabulary": ("vocab.json", {"http://evil.example/a": 1, "__class__": 2, "os.system": 3}),
    "tokenizer": (
        "tokenizer.json",
        {"model": {"type": "BPE", "vocab": {"https": 0, "eval(": 1}, "merges": ["h t"]}},
    ),
    "trainer-state": ("trainer_state.json", '{"loss": NaN, "best": Infinity}'),
    "diffusers": (
        "model_index.json",
        {
            "_class_name": "StableDiffusionPipeline",
            "_diffusers_version": "0.30.0",
            "feature_extractor": ["transformers", "CLIPImageProcessor"],
            "safety_checker": ["stable_diffusion", "StableDiffusionSafetyChecker"],
            "scheduler": ["diffusers", "PNDMScheduler"],
            "image_encoder": [None, None],
        },
    ),
    "sentence-transformers": (
        "modules.json",
        [
            {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
            {"idx": 1, "name": "1", "path": "1_P", "type": "sentence_transformers.models.Pooling"},
        ],
    ),
    "dense": ("config.json", {"activation_function": "torch.nn.modules.activation.Tanh"}),
    "gpt2": ("config.json", {"activation_function": "gelu_new", "_name_or_path": "gpt2"}),
    "attention": ("config.json", {"_attn_implementation": "sdpa"}),
    "peft": (
        "adapter_config.json",
        {"auto_mapping": None, "megatron_core": "megatron.core", "peft_type": "LORA"},
    ),
    "path-of-somebody": ("config.json", {"_name_or_path": "/home/me/model"}),
    "index": (
        "model.safetensors.index.json",
        {"weight_map": {f"layer.{i}": f"model-{i % 3}.safetensors" for i in range(9_000)}},
    ),
    "twice-the-same": ("config.json", '{"a": 1, "a": 1}'),
    "byte-order-mark": ("config.json", "\ufeff{}"),
    "empty-list": ("x.json", []),
    "text": ("x.json", '"just text"'),
}


def written(content: Any) -> str:
    return content if isinstance(content, str) else json.dumps(content)


@pytest.mark.parametrize(("name", "content"), MALICIOUS.values(), ids=MALICIOUS.keys())
def test_what_leads_elsewhere_is_found(name: str, content: Any) -> None:
    assert found(looked(name, written(content)))
    assert found(looked("renamed.bin", written(content)))


@pytest.mark.parametrize(("name", "content"), MALICIOUS.values(), ids=MALICIOUS.keys())
def test_nothing_hides_behind_a_vocabulary(name: str, content: Any) -> None:
    padding = {f"token {i}": i for i in range(6_000)}
    if isinstance(content, dict):
        assert found(looked(name, json.dumps(padding | content)))
        assert found(looked(name, json.dumps({"a": [padding, {"b": content}]})))
    else:
        assert found(looked(name, json.dumps([padding, *content])))


@pytest.mark.parametrize(("name", "content"), HONEST.values(), ids=HONEST.keys())
def test_an_honest_configuration_is_not_accused(name: str, content: Any) -> None:
    report = looked(name, written(content))
    assert not accused(report)
    assert not report.unread


def test_code_that_comes_with_the_model_wants_an_eye() -> None:
    for content in (
        {"auto_map": {"AutoModel": "modeling_x.Model"}},
        {"trust_remote_code": True},
        {"custom_pipelines": {"x": {"impl": "pipe.Pipe", "pt": ["AutoModel"]}}},
        {"_class_name": ["pipe", "Pipe"], "_diffusers_version": "0.30"},
        {"attn_implementation": "kernels-community/flash-attn"},
    ):
        assert looked("config.json", json.dumps(content)).worst is Severity.MEDIUM
    assert looked("config.json", '{"trust_remote_code": false}').worst is None


def test_a_name_with_two_values_is_said_and_each_is_looked_at() -> None:
    hidden = '{"auto_map": {"A": "e/r--m.M"}, "auto_map": {"A": "modeling.M"}}'
    report = looked("config.json", hidden)
    assert {f.rule: f.severity for f in report.findings} == {
        "scan.remote-code": Severity.HIGH,
        "scan.custom-code": Severity.MEDIUM,
        "scan.config-twice": Severity.HIGH,
    }
    assert looked("config.json", '{"hidden_size": 1, "hidden_size": 2}').worst is Severity.MEDIUM


@pytest.mark.parametrize(
    "text",
    ['{"a": ', '{"a": 1} x', "[" * 100_000, "\xff", '{"a": ' + "9" * 5000 + "}", "", '{"a" 1}'],
)
def test_what_is_no_json_is_unread(text: str) -> None:
    report = looked("config.json", text.encode("latin-1"))
    assert report.unread
    assert not found(report)


def test_what_was_found_before_the_break_is_kept() -> None:
    report = looked("config.json", '{"a": {"_target_": "os.system"}, "b": ')
    assert report.worst is Severity.CRITICAL
    assert report.unread


def test_lines_of_json_and_other_texts_are_left_alone() -> None:
    for name, text in (("x.jsonl", '{"a": 1}\n{"a": 2}\n'), ("config.ini", "[paths]\na = 1\n")):
        report = looked(name, text)
        assert not report.unread
        assert not report.findings


def test_transformers_own_files_are_not_accused(tmp_path: Path) -> None:
    from tokenizers import Tokenizer, models

    library: Any = transformers
    transformers.BertConfig(hidden_size=8).save_pretrained(tmp_path / "bert")
    transformers.LlamaConfig().save_pretrained(tmp_path / "llama")
    library.GenerationConfig(max_length=3).save_pretrained(tmp_path / "llama")
    tokenizer = library.PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(models.BPE({"a": 0, "b": 1, "ab": 2}, [("a", "b")])),
        chat_template="{% for m in messages %}{{ m['content'] }}{% endfor %}",
    )
    tokenizer.save_pretrained(tmp_path / "llama")
    report = scan(tmp_path)
    assert len(report.files) >= 4
    assert not report.findings
    assert not report.unread


def test_a_large_tokenizer_is_read_in_time() -> None:
    vocabulary = {f"token {i}": i for i in range(120_000)}
    text = json.dumps({"model": {"vocab": vocabulary, "merges": [["a", "b"]] * 120_000}})
    began = time.process_time()
    report = looked("tokenizer.json", text)
    assert time.process_time() - began < 4
    assert not report.findings
    assert not report.unread


def test_mutants_never_crash() -> None:
    random_ = random.Random(5)
    texts = [written(content) for _, content in (*MALICIOUS.values(), *HONEST.values())]
    answers = set()
    for _ in range(300):
        data = bytearray(random_.choice(texts)[:3000].encode())
        for _ in range(random_.randint(1, 3)):
            at = random_.randrange(len(data) + 1)
            data[at : at + random_.randint(0, 3)] = random_.randbytes(random_.randint(0, 2))
        report = looked("config.json", bytes(data))
        answers.add((report.worst, bool(report.unread)))
    assert len(answers) > 3


@pytest.mark.parametrize(
    "text",
    [
        "[" + "[]," * 3_000_000 + "[]]",
        "[" + '{"a":1},' * 900_000 + "{}]",
        "[" + '{"idx":1},' * 200_000 + "{}]",
    ],
    ids=["lists", "objects", "objects-to-look-at"],
)
def test_what_is_made_of_small_parts_is_unread_in_time(text: str) -> None:
    began = time.process_time()
    assert looked("config.json", text).unread
    assert time.process_time() - began < 4
