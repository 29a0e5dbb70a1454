"""Writes the graph formats' vectors of `credenza scan`, with TensorFlow and Keras.

    python -m venv V
    V/bin/pip install tensorflow-cpu==2.21.0 keras==3.15.1 tf_keras==2.21.0
    V/bin/python tests/vectors/make_scan_graphs.py tests/vectors/scan/graphs

``honest`` is what the libraries write at their defaults, ``evil`` the same with a payload. It
is inert: where one would do something, it would create a file ``credenza-was-here``.
"""

import json
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import keras
import numpy as np
import tensorflow as tf
import tf_keras

MARKER = "credenza-was-here"


def dense() -> Any:
    inputs = keras.Input((4,), name="pixels")
    x = keras.layers.Dense(3, activation="relu")(inputs)
    outputs = keras.layers.Dense(2, activation="softmax")(x)
    return keras.Model(inputs, outputs)


def nested() -> Any:
    inner = keras.Sequential([keras.layers.Dense(3, activation="gelu"), keras.layers.Dropout(0.1)])
    inputs = keras.Input((4,))
    x = keras.layers.TimeDistributed(inner)(keras.layers.Reshape((1, 4))(inputs))
    x = keras.layers.Bidirectional(keras.layers.LSTM(2))(x)
    model = keras.Model(inputs, keras.ops.sigmoid(x) + 1.0)
    model.compile(optimizer=keras.optimizers.AdamW(1e-3), loss="mse", metrics=["mae"])
    model.fit(np.zeros((4, 4)), np.zeros((4, 4)), verbose=0)
    return model


def words() -> Any:
    layer = keras.layers.TextVectorization(max_tokens=8, output_sequence_length=3)
    layer.adapt(["a cheque of two", "a cheque of five"])
    return keras.Sequential(
        [keras.Input((1,), dtype="string"), layer, keras.layers.Embedding(8, 2)]
    )


def with_lambda(function: Any) -> Any:
    return keras.Sequential([keras.Input((4,)), keras.layers.Lambda(function, output_shape=(4,))])


def payload(x: Any) -> Any:
    import os

    os.system("touch credenza-was-here")  # noqa: S605  it is never called
    return x


def configs(keras: Any = keras) -> Any:
    """Every public class of Keras that can be made without arguments or with a few, as JSON."""
    places = [keras.layers, keras.losses, keras.metrics, keras.optimizers, keras.regularizers,
              keras.initializers, keras.constraints, keras.optimizers.schedules]  # fmt: skip
    if keras is tf_keras:
        places += [keras.optimizers.legacy, keras.mixed_precision]
    tries = [(), (2,), (2, 2), (keras.layers.Dense(2),), ([2],), (0.1, 2), ("cosine_similarity",),
             (keras.layers.LSTMCell(2),), (0.1, 2, 0.5), ((2, 2),), (2, 0.5), (0.5,), ([1], [1, 2]),
             ([0.0, 1.0],), ([0, 1], 2), ("auto", (0.0, 1.0)), (2, 2, 2, 2)]  # fmt: skip
    found = {}
    for place in places:
        for name in sorted(vars(place)):
            cls = getattr(place, name)
            if not isinstance(cls, type) or name == "Lambda":
                continue
            for arguments in tries:
                try:
                    made = keras.saving.serialize_keras_object(cls(*arguments))
                    found[f"{place.__name__}.{name}"] = json.loads(json.dumps(made))
                    break
                except Exception:  # noqa: BLE001, S112  it is not made so
                    continue
    for name in sorted(vars(keras.activations)):
        function = getattr(keras.activations, name)
        if callable(function) and name not in ("get", "serialize", "deserialize"):
            layer = keras.layers.Activation(function)
            found[f"keras.activations.{name}"] = keras.saving.serialize_keras_object(layer)
    for module in (keras.losses, keras.metrics):
        for name in sorted(vars(module)):
            function = getattr(module, name)
            if (
                callable(function)
                and name[0].islower()
                and name not in ("get", "serialize", "deserialize")
            ):
                made = keras.saving.serialize_keras_object(function)
                found[f"{module.__name__}.{name}"] = made
    return found


def keras2() -> Any:
    """With operations of TensorFlow among the layers, which become layers that name them."""
    inputs = tf_keras.Input((4,))
    x = tf_keras.layers.Dense(3, "relu")(inputs)
    x = tf.concat([tf.reshape(x, [-1, 3]) * 2.0, x], 1)
    model = tf_keras.Model(inputs, tf_keras.layers.Dense(2, activation=tf.nn.softmax)(x[:, :4]))
    model.compile("adam", "mse", metrics=["mae"])
    model.fit(np.zeros((4, 4)), np.zeros((4, 2)), verbose=0)
    return model


def keras2_lambda() -> Any:
    function = lambda x: (__import__("os").system("touch credenza-was-here"), x)[1]  # noqa: E731
    layer = tf_keras.layers.Lambda(function, output_shape=(4,))
    return tf_keras.Sequential([tf_keras.Input((4,)), layer])


def saved2(model: Any, out: Any) -> None:
    """What tf.keras 2 saves: a graph, and the configurations beside it."""
    with tempfile.TemporaryDirectory() as folder:
        model.save(folder, save_format="tf")
        out.mkdir(exist_ok=True)
        for name in ("saved_model.pb", "keras_metadata.pb"):
            shutil.copy(f"{folder}/{name}", out)


class Table(tf.Module):  # type: ignore[misc]  # it ships no types
    """What reads its vocabulary from an asset, as older models do."""

    def __init__(self, path: Any) -> None:
        super().__init__()
        initializer = tf.lookup.TextFileInitializer(
            path, tf.string, tf.lookup.TextFileIndex.WHOLE_LINE,
            tf.int64, tf.lookup.TextFileIndex.LINE_NUMBER)  # fmt: skip
        self.table = tf.lookup.StaticHashTable(initializer, -1)

    @tf.function(  # type: ignore[untyped-decorator]
        input_signature=[tf.TensorSpec([None], tf.string)]
    )
    def look(self, words: Any) -> Any:
        return self.table.lookup(words)


def serving(function: Any) -> Any:
    module = tf.Module()
    module.f = tf.function(function, input_signature=[tf.TensorSpec([None], tf.float32)])
    return module


def reads(x: Any) -> Any:
    return x + tf.cast(tf.strings.length(tf.io.read_file("/etc/hostname")), tf.float32)


def writes(x: Any) -> Any:
    tf.io.write_file(MARKER, tf.strings.as_string(x[0]))
    return x


def calls_python(x: Any) -> Any:
    return tf.py_function(payload, [x], tf.float32)


def prints(x: Any) -> Any:
    tf.print(x, output_stream=f"file://{MARKER}")
    return x


def saves(x: Any) -> Any:
    tf.raw_ops.SaveV2(
        prefix=f"/tmp/{MARKER}",  # noqa: S108  it is never run
        tensor_names=["x"],
        shape_and_slices=[""],
        tensors=[x],
    )
    return x


def branches(x: Any) -> Any:
    """Where only a branch of a function of a function writes."""
    return tf.cond(x[0] > 1e9, lambda: writes(x), lambda: x)


def tf1(out: Any) -> None:
    """A frozen graph, and a checkpoint's graph, as TensorFlow 1 wrote them."""
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, [None, 4], name="x")
        w = v1.get_variable("w", [4, 2])
        y = tf.nn.softmax(tf.matmul(x, w), name="y")
        session.run(v1.global_variables_initializer())
        frozen = v1.graph_util.convert_variables_to_constants(
            session, session.graph_def, [y.op.name]
        )
        (out / "frozen.pb").write_bytes(frozen.SerializeToString())
        (out / "graph.pbtxt").write_text(str(frozen))
        saver = v1.train.Saver()
        with tempfile.TemporaryDirectory() as folder:
            saver.save(session, f"{folder}/model.ckpt")
            shutil.copy(f"{folder}/model.ckpt.meta", out / "model.ckpt.meta")


def tflite(out: Any) -> None:
    convert = tf.lite.TFLiteConverter.from_keras_model
    (out / "dense.tflite").write_bytes(convert(dense()).convert())
    module = serving(lambda x: tf.linalg.det(tf.reshape(x, [-1, 1, 1])))
    flex = tf.lite.TFLiteConverter.from_concrete_functions(
        [module.f.get_concrete_function()], module
    )
    flex.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS, tf.lite.OpsSet.SELECT_TF_OPS]
    (out / "flex.tflite").write_bytes(flex.convert())


def saved(module: Any, out: Any) -> None:
    """The graph alone: what a scan reads of the folder's code."""
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(module, folder)
        shutil.copy(f"{folder}/saved_model.pb", out)


def main(out: Any) -> None:
    honest, evil = out / "honest", out / "evil"
    for folder in (honest, evil):
        folder.mkdir(parents=True, exist_ok=True)
    keras.utils.set_random_seed(1)
    for name, make in (("dense", dense), ("nested", nested), ("words", words)):
        make().save(honest / f"{name}.keras")
    for name, make in (("dense", dense), ("nested", nested)):
        make().save(honest / f"{name}.h5")
        make().save_weights(honest / f"{name}.weights.h5")
    (honest / "configs.json").write_text(json.dumps(configs(), indent=0))
    with_lambda(lambda x: x).save(evil / "lambda.keras")
    with_lambda(lambda x: (__import__("os").system("touch credenza-was-here"), x)[1]).save(
        evil / "lambda.h5"
    )
    (honest / "configs-keras2.json").write_text(json.dumps(configs(tf_keras), indent=0))
    keras2().save(honest / "keras2.h5")
    saved2(keras2(), honest / "keras2")
    untraced = keras2_lambda()
    untraced.save(evil / "keras2-lambda.h5")
    with tempfile.TemporaryDirectory() as folder:
        tf_keras.models.Model.save(untraced, folder, save_format="tf")
        shutil.copy(f"{folder}/keras_metadata.pb", evil)
    with tempfile.TemporaryDirectory() as folder:
        dense().export(folder, verbose=False)
        shutil.copytree(folder, honest / "exported", dirs_exist_ok=True)
        vocabulary = Path(folder) / "vocabulary.txt"
        vocabulary.write_text("two\nfive\n")
        tf.saved_model.save(Table(str(vocabulary)), str(honest / "table"))
    saved(nested(), honest / "nested.pb")
    saved(words(), honest / "words.pb")
    for function in (reads, writes, calls_python, prints, saves, branches):
        saved(serving(function), evil / f"{function.__name__}.pb")
    tf1(honest)
    tflite(honest)
    Path(MARKER).unlink(missing_ok=True)  # building the model with a lambda ran it


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
