"""``credenza artifact``."""

from __future__ import annotations

import typer

from credenza.cli.console import AsJson, Model, print_json
from credenza.findings import plain


def artifact(model: Model, as_json: AsJson = False) -> None:
    """List a model's files, tensors, and what loading it would run."""
    from credenza import artifact

    opened = artifact.open(model)
    if as_json:
        print_json(opened.files)
        return
    for file in opened.files:
        typer.echo(plain(f"{file.path}  {file.format}, {file.size} bytes"))
        for tensor in file.tensors:
            shape = " × ".join(map(str, tensor.shape)) or "scalar"
            typer.echo(plain(f"  tensor   {tensor.name}  {tensor.dtype.label}  {shape}"))
        for program in file.programs:
            allowed = "" if program.allowed else "  (would run)"
            typer.echo(plain(f"  program  {program.name}  {program.kind}{allowed}"))
        for reason in file.unread:
            typer.echo(plain(f"  unread   {reason}"))
