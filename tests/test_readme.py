"""The README shows what the command really prints."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

README = (Path(__file__).parent.parent / "README.md").read_text("utf-8")


def test_help_is_the_real_one() -> None:
    shown = README.split("$ credenza --help\n", 1)[1].split("\n```", 1)[0]
    command = [sys.executable, "-c", "from credenza.cli import main; main()", "--help"]
    environment = os.environ | {"COLUMNS": "80", "TERMINAL_WIDTH": "80"}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    real = done.stdout.replace("Usage: -c ", "Usage: credenza ").strip()
    assert shown.strip() == real
