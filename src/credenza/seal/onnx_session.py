"""ONNX Runtime sessions over verified bytes."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from pathlib import Path

from credenza.attest import Trust
from credenza.errors import InputError, MissingExtraError
from credenza.seal.contents import VerifiedBytes
from credenza.seal.loading import read

try:
    import onnxruntime
except ImportError as e:
    raise MissingExtraError("loading ONNX models", "onnx") from e


def load_onnx(
    path: Path | str,
    trust: Trust,
    *,
    file: str | None = None,
    options: onnxruntime.SessionOptions | None = None,
    providers: Sequence[str] = ("CPUExecutionProvider",),
) -> onnxruntime.InferenceSession:
    """An ONNX Runtime session on a model, its graph and its external data from verified bytes.

    ``file`` says which file holds the graph, where the model has several; ``options`` gains the
    external data. The runtime opens no file of the model.

    Raises as `credenza.load` does; `InputError` where the model has no such file, or the runtime
    refuses it; `MissingExtraError` without onnxruntime.
    """
    contents = read(path, trust).value
    graph = _graph(contents, file)
    options = options or onnxruntime.SessionOptions()
    folder = posixpath.dirname(graph)
    beside = {
        posixpath.relpath(f.path, folder): contents.file(f.path)
        for f in contents.sealed.seal.files
        if f.path != graph and f.path.startswith(f"{folder}/" if folder else "")
    }
    options.add_external_initializers_from_files_in_memory(
        list(beside), list(beside.values()), [len(data) for data in beside.values()]
    )
    try:
        return onnxruntime.InferenceSession(
            contents.file(graph), sess_options=options, providers=list(providers)
        )
    except Exception as e:  # the runtime raises a dozen types of its own, none of them exported
        raise InputError(f"{path}: onnxruntime refuses {graph}: {e}") from e


def _graph(contents: VerifiedBytes, file: str | None) -> str:
    """The path of the file that holds the graph."""
    graphs = [f.path for f in contents.sealed.seal.files if f.path.lower().endswith(".onnx")]
    if file is None and len(graphs) == 1:
        return graphs[0]
    if file is None:
        found = ", ".join(graphs) or "none"
        raise InputError(
            f"{contents.sealed.path}: one .onnx file expected, {found} found: say which"
        )
    return file
