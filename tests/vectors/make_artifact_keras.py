"""Writes the vectors of `artifact` for Keras and flax, with the libraries themselves.

    pip install keras torch jax flax
    python tests/vectors/make_artifact_keras.py

Run in an environment of its own: neither library is needed to run the tests. Beside each model
lies an .npz of its weights, as the library gives them, by their names in the file. Made with
Keras 3.15.1 on torch 2.13.0, and flax 0.12.8 on jax 0.10.2.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = Path(__file__).parent / "artifact"


def keras_models() -> None:
    """A functional model, one with lambdas and a model in the model, one with custom layers."""
    os.environ["KERAS_BACKEND"] = "torch"
    import keras
    from keras import layers

    folder = FOLDER / "keras"
    folder.mkdir(parents=True, exist_ok=True)
    keras.utils.set_random_seed(1)
    inputs = keras.Input((6, 6, 1))
    x = layers.Conv2D(2, 3, activation="relu", name="conv")(inputs)
    x = keras.ops.relu(layers.Flatten(name="flatten")(x)) + 1.0
    outputs = layers.Dense(3, kernel_regularizer="l2", name="dense")(x)
    plain = keras.Model(inputs, outputs)
    plain.compile(optimizer="sgd", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    saved(plain, folder / "plain")
    plain.save_weights(folder / "plain.weights.h5")
    inner = keras.Sequential([layers.Dense(2), layers.Lambda(function("lambda t: t * 2"))])
    saved(keras.Sequential([keras.Input((4,)), layers.Dense(3), inner]), folder / "lambda")

    @keras.saving.register_keras_serializable(package="Mine")
    class Doubled(layers.Layer):  # type: ignore[misc]  # Keras is not typed
        def call(self, inputs):  # type: ignore[no-untyped-def]  # Keras is not typed
            return inputs * 2

    custom = [keras.Input((4,)), Doubled(), layers.Dense(2, activation=function("lambda t: t"))]
    saved(keras.Sequential(custom), folder / "custom")
    half = keras.Sequential([keras.Input((4,)), layers.Dense(3, dtype="bfloat16")])
    half.save_weights(folder / "bfloat16.weights.h5")
    values = [np.asarray(w.value.detach().float()) for w in half.weights]
    np.savez(folder / "bfloat16.npz", **dict[str, Any]({str(i): v for i, v in enumerate(values)}))


def function(source: str) -> Callable[..., object]:
    """A lambda whose bytecode holds no path of this machine."""
    made: Callable[..., object] = eval(compile(source, "model.py", "eval"))  # noqa: S307
    return made


def saved(model, path: Path) -> None:  # type: ignore[no-untyped-def]  # Keras is not typed
    """A model in both of Keras' formats, and its weights."""
    model.save(path.with_suffix(".keras"))
    model.save(path.with_suffix(".h5"))
    values: dict[str, Any] = {
        str(i): np.asarray(w.value.detach()) for i, w in enumerate(model.weights)
    }
    np.savez(path.with_suffix(".npz"), **values)


def flax_states() -> None:
    """A state with every kind of leaf, and one whose array is in chunks."""
    import jax.numpy as jnp
    from flax import serialization

    folder = FOLDER / "flax"
    folder.mkdir(parents=True, exist_ok=True)
    kernel = np.arange(6, dtype="<f4").reshape(2, 3)
    bias = jnp.arange(3, dtype="bfloat16")
    state = {
        "params": {"dense": {"kernel": kernel, "bias": bias}},
        "step": np.int32(3),
        "mask": np.array([True, False]),
        "empty": np.zeros((0, 3)),
        "phase": 1 + 2j,
        "others": [1, 2.5, None, True, "text", -5, 2**40, "long " * 80, b"bytes"],
    }
    (folder / "state.msgpack").write_bytes(serialization.to_bytes(state))
    np.savez(
        folder / "state.npz",
        **dict[str, Any](
            {
                "params.dense.kernel": kernel,
                "params.dense.bias": np.asarray(bias.astype("float32")),
                "step": np.int32(3),
                "mask": np.array([True, False]),
                "empty": np.zeros((0, 3)),
            }
        ),
    )
    serialization.MAX_CHUNK_SIZE = 64
    whole = np.arange(40, dtype="<f4").reshape(4, 10)
    (folder / "chunked.msgpack").write_bytes(serialization.to_bytes({"w": whole}))
    np.savez(folder / "chunked.npz", w=whole)


if __name__ == "__main__":
    keras_models()
    flax_states()
