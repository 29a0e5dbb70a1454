"""``credenza audit``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from credenza.cli.console import AsJson, Html, Seed, conclude


def audit(
    data: Annotated[
        Path, typer.Argument(metavar="DATA", help="Training samples: arrays `inputs`, `labels`.")
    ],
    trusted: Annotated[
        Path, typer.Option("--trusted", metavar="FILE", help="A few hundred that you trust.")
    ],
    seed: Seed = 0,
    as_json: AsJson = False,
    html: Html = None,
) -> None:
    """Say which training samples were altered, by trusted ones."""
    from credenza.audit import TrustedSeed, audit
    from credenza.dataset import Dataset

    audited = audit(Dataset.read(data), Dataset.read(trusted), (TrustedSeed(),), seed=seed)
    conclude([audited.report], as_json=as_json, html=html)
