"""ONNX's message types: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto of IR version 13.

Messages that hold no tensor and call no operator are left out: their bytes are not looked into.
"""

from __future__ import annotations

from typing import Final

from credenza.artifact.protobuf import Schema

MODEL: Final = Schema.of(
    "model",
    ir_version=(1, "int"),
    producer_name=(2, "bytes"),
    producer_version=(3, "bytes"),
    domain=(4, "bytes"),
    model_version=(5, "int"),
    doc_string=(6, "bytes"),
    graph=(7, "bytes"),
    opset_import=(8, "bytes*"),
    metadata_props=(14, "bytes*"),
    training_info=(20, "bytes*"),
    functions=(25, "bytes*"),
    configuration=(26, "bytes*"),
)
GRAPH: Final = Schema.of(
    "graph",
    node=(1, "bytes*"),
    name=(2, "bytes"),
    initializer=(5, "bytes*"),
    doc_string=(10, "bytes"),
    input=(11, "bytes*"),
    output=(12, "bytes*"),
    value_info=(13, "bytes*"),
    quantization_annotation=(14, "bytes*"),
    sparse_initializer=(15, "bytes*"),
    metadata_props=(16, "bytes*"),
)
NODE: Final = Schema.of(
    "node",
    input=(1, "bytes*"),
    output=(2, "bytes*"),
    name=(3, "bytes"),
    op_type=(4, "bytes"),
    attribute=(5, "bytes*"),
    doc_string=(6, "bytes"),
    domain=(7, "bytes"),
    overload=(8, "bytes"),
    metadata_props=(9, "bytes*"),
    device_configurations=(10, "bytes*"),
)
ATTRIBUTE: Final = Schema.of(
    "attribute",
    name=(1, "bytes"),
    f=(2, "fixed32"),
    i=(3, "int"),
    s=(4, "bytes"),
    t=(5, "bytes"),
    g=(6, "bytes"),
    floats=(7, "fixed32*"),
    ints=(8, "int*"),
    strings=(9, "bytes*"),
    tensors=(10, "bytes*"),
    graphs=(11, "bytes*"),
    doc_string=(13, "bytes"),
    tp=(14, "bytes"),
    type_protos=(15, "bytes*"),
    type=(20, "int"),
    ref_attr_name=(21, "bytes"),
    sparse_tensor=(22, "bytes"),
    sparse_tensors=(23, "bytes*"),
)
FUNCTION: Final = Schema.of(
    "function",
    name=(1, "bytes"),
    since_version=(2, "int"),
    status=(3, "int"),
    input=(4, "bytes*"),
    output=(5, "bytes*"),
    attribute=(6, "bytes*"),
    node=(7, "bytes*"),
    doc_string=(8, "bytes"),
    opset_import=(9, "bytes*"),
    domain=(10, "bytes"),
    attribute_proto=(11, "bytes*"),
    value_info=(12, "bytes*"),
    overload=(13, "bytes"),
    metadata_props=(14, "bytes*"),
)
TRAINING: Final = Schema.of(
    "training step",
    initialization=(1, "bytes"),
    algorithm=(2, "bytes"),
    initialization_binding=(3, "bytes*"),
    update_binding=(4, "bytes*"),
)
SPARSE: Final = Schema.of(
    "sparse tensor", values=(1, "bytes"), indices=(2, "bytes"), dims=(3, "int*")
)
OPSET: Final = Schema.of("operator set", domain=(1, "bytes"), version=(2, "int"))
TENSOR: Final = Schema.of(
    "tensor",
    dims=(1, "int*"),
    data_type=(2, "int"),
    segment=(3, "bytes"),
    float_data=(4, "fixed32*"),
    int32_data=(5, "int*"),
    string_data=(6, "bytes*"),
    int64_data=(7, "int*"),
    name=(8, "bytes"),
    raw_data=(9, "bytes"),
    double_data=(10, "fixed64*"),
    uint64_data=(11, "int*"),
    doc_string=(12, "bytes"),
    external_data=(13, "bytes*"),
    data_location=(14, "int"),
    metadata_props=(16, "bytes*"),
)
PAIR: Final = Schema.of("pair", key=(1, "bytes"), value=(2, "bytes"))
