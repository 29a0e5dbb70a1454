"""Tensors whose bytes lie in another file than the one that names them: ONNX's and TFLite's.

A reader gives such a tensor the path of the file that it is in. `bind` makes it a tensor of that
file, so that a seal binds those bytes under the tensor's name.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable
from dataclasses import replace
from typing import Final, NoReturn

from credenza.artifact.model import File, Tensor
from credenza.artifact.paths import check_path
from credenza.errors import InputError, MalformedError
from credenza.findings import Finding, Severity, Where

FORMAT: Final = "tensor data"
"""The format of a file that holds nothing but the tensors that another file names."""


def joined(folder: str, location: str) -> str | None:
    """The path that a file in ``folder`` calls ``location``, or None where it leads out."""
    parts = [part for part in location.split("/") if part != "."]
    if not location or not parts:
        return None
    path = posixpath.join(folder, "/".join(parts))
    try:
        check_path(path)
    except MalformedError:
        return None
    return path


def bind(files: Iterable[File]) -> tuple[File, ...]:
    """The files of a folder, with each tensor in the file that holds its bytes.

    Raises `MalformedError` where that file is missing, has tensors of its own, or is too short, and
    where two tensors share some of their bytes and not all.
    """
    by_path = {file.path: file for file in files}
    held: dict[str, dict[Tensor, str]] = {}
    for file in by_path.values():
        for tensor in file.tensors:
            if tensor.file != file.path:
                held.setdefault(tensor.file, {})[tensor] = file.path
    for path, tensors in held.items():
        target = by_path.get(path)
        if target is None or target.tensors:
            _refuse_target(path, target, *next(iter(tensors.items())))
        by_path[path] = _with(target, tensors)
    return tuple(
        replace(file, tensors=tuple(t for t in file.tensors if t.file == file.path))
        if any(t.file != file.path for t in file.tensors)
        else file
        for file in by_path.values()
    )


def check_alone(file: File) -> None:
    """Refuse a file that is opened by itself, while tensors that it names lie in others.

    Raises `InputError`: it says nothing against the model.
    """
    for tensor in file.tensors:
        if tensor.file != file.path:
            raise InputError(
                f"{file.path}: the bytes of tensor {tensor.name!a} are in {tensor.file}, beside it",
                hint="give the folder that holds both, so that both are examined and sealed",
            )


def _with(target: File, tensors: Iterable[Tensor]) -> File:
    """The file, with tensors that others name in it."""
    ordered = sorted(tensors, key=lambda t: (t.region.start, t.region.stop, t.name))
    before: Tensor | None = None
    for tensor in ordered:
        if tensor.region.stop > target.size:
            found = f"{max(0, target.size - tensor.region.start)}"
            what = "the tensor lies beyond the end of the file"
            _refuse("external-outside", tensor, what, f"{tensor.region.nbytes} bytes", found)
        if not tensor.nbytes:
            continue
        if before and tensor.region != before.region and tensor.region.start < before.region.stop:
            what, found = "two tensors share some bytes", f"{tensor.region.start}"
            wanted = f"a beginning of {before.region.stop}"
            _refuse("external-overlap", tensor, what, wanted, found)
        before = tensor
    return replace(
        target,
        tensors=tuple(ordered),
        format=FORMAT if target.format == "plain" else target.format,
    )


def _refuse_target(path: str, target: File | None, tensor: Tensor, named_in: str) -> NoReturn:
    if target is None:
        what = "the file that holds the tensor's bytes is missing"
        _refuse("external-missing", tensor, what, f"a file {path!a}", "no such file", named_in)
    what = "the file that holds the tensor's bytes has tensors of its own"
    found = f"format {target.format}"
    _refuse("external-format", tensor, what, f"nothing but data in {path!a}", found, named_in)


def _refuse(
    rule: str, tensor: Tensor, what: str, expected: str, found: str, file: str | None = None
) -> NoReturn:
    start = None if file else tensor.region.start
    name = ascii(tensor.name)[1:-1]
    raise MalformedError(
        Finding(
            rule=f"artifact.{rule}",
            severity=Severity.HIGH,
            what=what,
            where=Where(file=file or tensor.file, start=start, tensor=name),
            expected=expected,
            found=found,
        )
    )
