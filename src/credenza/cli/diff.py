"""``credenza diff``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from credenza.cli.console import AsJson, Html, conclude


def diff(
    old: Annotated[Path, typer.Argument(metavar="OLD", help="The model that is trusted.")],
    new: Annotated[Path, typer.Argument(metavar="NEW", help="The model to compare with it.")],
    as_json: AsJson = False,
    html: Html = None,
) -> None:
    """Say what changed between two models, and how."""
    from credenza import artifact
    from credenza.diff import diff

    conclude([diff(artifact.open(old), artifact.open(new))], as_json=as_json, html=html)
