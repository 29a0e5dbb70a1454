"""Writes ``tensorflow_names.toml``: the operations of TensorFlow, by what they may touch.

    python -m venv V && V/bin/pip install tensorflow-cpu==2.21.0
    V/bin/python tests/vectors/make_tensorflow_names.py src/credenza/scan/rules

What runs Python, and what opens a file or a connection, is judged by hand, below; the rest of what
TensorFlow registers computes.
"""

import os
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

RUNS = """PyFunc PyFuncStateless EagerPyFunc"""
OPENS = """ReadFile WriteFile MatchingFiles ImmutableConst WholeFileReader WholeFileReaderV2"""
MAY_OPEN = """
CSVDataset CSVDatasetV2 CacheDataset CacheDatasetV2 CreateSummaryDbWriter
CreateSummaryFileWriter DataServiceDataset DataServiceDatasetV2 DataServiceDatasetV3
DataServiceDatasetV4 DatasetFromGraph DatasetToTFRecord DistributedSave DumpTensor
ExperimentalCSVDataset ExperimentalDatasetToTFRecord ExperimentalLMDBDataset
ExperimentalMatchingFilesDataset ExperimentalSqlDataset FileSystemSetConfiguration
FixedLengthRecordDataset FixedLengthRecordDatasetV2 FixedLengthRecordReader
FixedLengthRecordReaderV2 GenerateVocabRemapping ImportEvent LMDBDataset LMDBReader
ListSnapshotChunksDataset LoadAndRemapMatrix LoadDataset MatchingFilesDataset RecordInput
RegisterDataset RegisterDatasetV2 RemoteCall RpcCall RpcCheckStatus RpcClient RpcGetValue
RpcServer RpcServerRegister RpcServerStart SaveDataset SaveDatasetV2 SnapshotChunkDataset
SnapshotDataset SnapshotDatasetReader SnapshotDatasetV2 SnapshotNestedDatasetReader SqlDataset
TFRecordDataset TFRecordDatasetV2 TFRecordReader TFRecordReaderV2 TextLineDataset TextLineReader
TextLineReaderV2 WriteGraphSummary XlaCustomCall XlaCustomCallV2
"""
COMPUTING = """math nn linalg image signal strings bitwise sets random sparse ragged
__operators__ dtypes quantization"""
"""Modules whose public functions compute."""
NOT_COMPUTING = """py_function numpy_function print import_graph_def load_op_library load_library
function custom_gradient variable_creator_scope register_tensor_conversion_function
RegisterGradient Module configure_and_initialize_global_tpu shutdown_tpu_system get_logger
recompute_grad grad_pass_through delete_rpc_future_resource rpc_call rpc_check_status rpc_client
rpc_get_value rpc_server rpc_server_register rpc_server_start xla_custom_call xla_custom_call_v2
xla_launch xla_launch_v2 check_preemption nondifferentiable_batch_function d_tensor_restore_v2
audio_microfrontend map_fn foldl foldr scan vectorized_map while_loop cond case switch_case
"""
"""Public functions at the top that do more than compute, or call what they are given."""
HEADER = """\
# The operations of TensorFlow {version}, by what they may touch: written by
# tests/vectors/make_tensorflow_names.py from TensorFlow's own registry. An operation that is not
# here is a custom one: code from a library that the model does not bring.
"""


def functions() -> Iterator[str]:
    """What a layer of tf.keras may call by name (``TFOpLambda``)."""
    from tensorflow.python.util import tf_export

    modules = COMPUTING.split()
    for name in tf_export._NAME_TO_SYMBOL_MAPPING:
        module, _, rest = name.partition(".")
        if (rest and module in modules) or (not rest and name not in NOT_COMPUTING.split()):
            yield name


def main(folder: Path) -> None:
    import tensorflow as tf
    from tensorflow.core.framework import op_def_pb2
    from tensorflow.python.client import pywrap_tf_session

    listed = op_def_pb2.OpList()
    listed.ParseFromString(pywrap_tf_session.TF_GetBuffer(pywrap_tf_session.TF_GetAllOpList()))
    every = {op.name for op in listed.op}
    judged = {w for words in (RUNS, OPENS, MAY_OPEN) for w in words.split()}
    assert judged <= every, judged - every
    groups = [
        ("runs", "It calls a Python function.", RUNS.split()),
        ("opens", "It reads or writes the file whose name the model gives.", OPENS.split()),
        ("may open", "It opens files or connections, or runs a graph that it is given as bytes; "
         "no model that serves needs it.", MAY_OPEN.split()),
        ("computes", "It computes, and touches at most the model's own files.", every - judged),
    ]  # fmt: skip
    groups.append(("function", "A public function of TensorFlow that computes.", set(functions())))
    text = HEADER.format(version=tf.__version__)
    for use, reason, names in groups:
        quoted = ", ".join(f'"{n}"' for n in sorted(names)) + ","
        lines = textwrap.fill(quoted, 96, initial_indent="    ", subsequent_indent="    ")
        text += f'\n[[group]]\nuse = "{use}"\nreason = "{reason}"\nnames = [\n{lines}\n]\n'
    (folder / "tensorflow_names.toml").write_text(text)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
