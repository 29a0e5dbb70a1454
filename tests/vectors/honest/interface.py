"""How a library's files are written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

Write: TypeAlias = Callable[[Path], None]
"""Writes one file, or one folder, at the path that it is given."""

Files: TypeAlias = dict[str, Write]
"""By the name of the file or folder."""
