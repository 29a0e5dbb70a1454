"""Keras, flax, GGUF, and what transformers' `save_pretrained` and `Trainer` leave in a folder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from .interface import Files, Write

DISTRIBUTION = "transformers"


def files() -> Files:
    return _kerases() | _transformers() | {"llama.gguf": _gguf, "params.msgpack": _flax}


def _kerases() -> Files:
    os.environ.setdefault("KERAS_BACKEND", "torch")  # read when keras is imported
    import keras
    from keras import layers

    dense = keras.Sequential(
        [keras.Input((4,)), layers.Dense(3, "relu"), layers.Dense(2, "softmax")]
    )
    dense.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    image = keras.Input((8, 8, 1))
    x = layers.Conv2D(2, 3, padding="same", kernel_regularizer="l2")(image)
    x = layers.BatchNormalization()(x)
    x = layers.add([x, layers.Activation("gelu")(x)])
    x = layers.GlobalAveragePooling2D()(layers.Dropout(0.1)(x))
    residual = keras.Model(image, layers.Dense(2)(x))
    words = keras.Sequential([keras.Input((6,)), layers.Embedding(9, 4), layers.LSTM(3)])
    found: Files = {}
    for name, model in (("dense", dense), ("residual", residual), ("words", words)):
        found[f"{name}.keras"] = _kept(model)
        found[f"{name}.h5"] = _kept(model)
        found[f"{name}.weights.h5"] = lambda path, model=model: model.save_weights(path)
        found[f"{name}.json"] = lambda path, model=model: path.write_text(model.to_json()) and None
    return found


def _kept(model: Any) -> Write:
    return lambda path: model.save(path)


def _transformers() -> Files:
    import transformers as hf

    small = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "vocab_size": 20}
    bert = hf.BertForSequenceClassification(hf.BertConfig(**small, intermediate_size=8))
    gpt = hf.GPT2LMHeadModel(
        hf.GPT2Config(n_embd=8, n_layer=1, n_head=2, vocab_size=20, n_positions=8)
    )
    t5 = hf.T5ForConditionalGeneration(
        hf.T5Config(d_model=8, d_kv=4, d_ff=8, num_layers=1, num_heads=2, vocab_size=20)
    )
    llama = hf.LlamaForCausalLM(hf.LlamaConfig(**small, intermediate_size=8))
    found: Files = {
        name: _pretrained(model)
        for name, model in (("bert", bert), ("gpt2", gpt), ("t5", t5), ("llama", llama))
    }
    found["tokenizer"] = _tokenizer
    found["training_args.bin"] = _arguments
    return found


def _pretrained(model: Any) -> Write:
    return lambda path: model.save_pretrained(path)


def _tokenizer(folder: Path) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = Tokenizer(models.WordLevel({"[UNK]": 0, "pay": 1, "https://example.com": 2}, "[UNK]"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    fast = PreTrainedTokenizerFast(tokenizer_object=words, unk_token="[UNK]")  # noqa: S106
    fast.chat_template = (
        "{% for message in messages %}"
        "{{ '<|' + message['role'] + '|>' + message['content'] | trim }}"
        "{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
    )
    fast.save_pretrained(folder)


def _arguments(path: Path) -> None:
    import torch
    from transformers import TrainingArguments

    torch.save(TrainingArguments("out", report_to=[]), path)


def _gguf(path: Path) -> None:
    import gguf
    import numpy as np

    writer = gguf.GGUFWriter(path, "llama")
    writer.add_block_count(1)
    writer.add_context_length(8)
    writer.add_tokenizer_model("llama")
    writer.add_token_list(["<s>", "pay"])
    writer.add_chat_template("{% for m in messages %}{{ m['content'] }}{% endfor %}")
    writer.add_tensor("token_embd.weight", np.ones((2, 32), np.float32))
    halves = gguf.quants.quantize(np.ones((2, 32), np.float32), gguf.GGMLQuantizationType.Q8_0)
    writer.add_tensor("output.weight", halves, raw_dtype=gguf.GGMLQuantizationType.Q8_0)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _flax(path: Path) -> None:
    import numpy as np
    from flax import serialization

    weights = {"params": {"Dense_0": {"kernel": np.ones((3, 2), np.float32), "bias": np.zeros(2)}}}
    path.write_bytes(serialization.msgpack_serialize(weights))
