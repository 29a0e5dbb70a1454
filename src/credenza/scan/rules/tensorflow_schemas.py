"""TensorFlow's message types, as far as they name what runs and what is read.

tensorflow/core/protobuf/{saved_model,meta_graph,saved_object_graph}.proto and
tensorflow/core/framework/{graph,function,node_def,attr_value,tensor}.proto of TensorFlow 2.21.
Fields that hold messages are repeated here even where they are not there: TensorFlow's own parser
merges one that is given twice, so both are looked into.
"""

from __future__ import annotations

from typing import Final

from credenza.artifact.protobuf import Schema

SAVED_MODEL: Final = Schema.of(
    "saved model", saved_model_schema_version=(1, "int*"), meta_graphs=(2, "bytes*")
)
META_GRAPH: Final = Schema.of(
    "meta graph",
    meta_info_def=(1, "bytes*"),
    graph_def=(2, "bytes*"),
    saver_def=(3, "bytes*"),
    collection_def=(4, "bytes*"),
    signature_def=(5, "bytes*"),
    asset_file_def=(6, "bytes*"),
    object_graph_def=(7, "bytes*"),
)
GRAPH: Final = Schema.of(
    "graph",
    node=(1, "bytes*"),
    library=(2, "bytes*"),
    version=(3, "int*"),
    versions=(4, "bytes*"),
    debug_info=(5, "bytes*"),
)
LIBRARY: Final = Schema.of(
    "function library",
    function=(1, "bytes*"),
    gradient=(2, "bytes*"),
    registered_gradients=(3, "bytes*"),
)
FUNCTION: Final = Schema.of(
    "function", signature=(1, "bytes*"), node_def=(3, "bytes*"), attr=(5, "bytes*")
)
OPERATION: Final = Schema.of("operation", name=(1, "bytes*"))
NODE: Final = Schema.of(
    "node",
    name=(1, "bytes*"),
    op=(2, "bytes*"),
    input=(3, "bytes*"),
    device=(4, "bytes*"),
    attr=(5, "bytes*"),
)
ENTRY: Final = Schema.of("entry", key=(1, "bytes*"), value=(2, "bytes*"))
VALUE: Final = Schema.of("value", s=(2, "bytes*"), list=(1, "bytes*"), tensor=(8, "bytes*"))
LIST: Final = Schema.of("list", s=(2, "bytes*"))
TENSOR: Final = Schema.of("tensor", dtype=(1, "int*"), string_val=(8, "bytes*"))
ASSET: Final = Schema.of("asset", tensor_info=(1, "bytes*"), filename=(2, "bytes*"))
OBJECTS: Final = Schema.of("object graph", nodes=(1, "bytes*"))
OBJECT: Final = Schema.of("object", user_object=(4, "bytes*"))
USER_OBJECT: Final = Schema.of("user object", identifier=(1, "bytes*"), metadata=(3, "bytes*"))
KERAS_METADATA: Final = Schema.of("keras metadata", nodes=(1, "bytes*"))
KERAS_NODE: Final = Schema.of(
    "keras node",
    node_id=(2, "int*"),
    node_path=(3, "bytes*"),
    identifier=(4, "bytes*"),
    metadata=(5, "bytes*"),
    version=(6, "bytes*"),
)
