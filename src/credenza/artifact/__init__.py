"""What a model on disk is: its files, the tensors in them, and what would run if it were loaded.

Nothing of it is executed, and no tensor's bytes are read to list it. A new format is a reader
in a file of its own and a line in `credenza.artifact.opening.READERS`. Names are imported when
they are first used: a verifier lists and reads files, and needs neither readers nor numpy.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from credenza.artifact.arrays import array, bits_from_region, decoded, from_region, raw
    from credenza.artifact.folder import SEAL_NAME, Listed, Place, files, open_bytes
    from credenza.artifact.interface import Bytes, Held, Reader, Signs
    from credenza.artifact.model import Artifact, Dtype, File, Program, Region, Tensor
    from credenza.artifact.open_file import OpenFile
    from credenza.artifact.opening import READERS, open, read  # noqa: A004  as `artifact.open`
    from credenza.artifact.paths import check_ignorable, check_path

_MODULES = {
    "arrays": ("array", "bits_from_region", "decoded", "from_region", "raw"),
    "folder": ("SEAL_NAME", "Listed", "Place", "files", "open_bytes"),
    "interface": ("Bytes", "Held", "Reader", "Signs"),
    "model": ("Artifact", "Dtype", "File", "Program", "Region", "Tensor"),
    "open_file": ("OpenFile",),
    "opening": ("READERS", "open", "read"),
    "paths": ("check_ignorable", "check_path"),
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}

__all__ = [
    "READERS",
    "SEAL_NAME",
    "Artifact",
    "Bytes",
    "Dtype",
    "File",
    "Held",
    "Listed",
    "OpenFile",
    "Place",
    "Program",
    "Reader",
    "Region",
    "Signs",
    "Tensor",
    "array",
    "bits_from_region",
    "check_ignorable",
    "check_path",
    "decoded",
    "files",
    "from_region",
    "open",
    "open_bytes",
    "raw",
    "read",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'credenza.artifact' has no attribute {name!r}")
    module = importlib.import_module(f"credenza.artifact.{_MODULE_OF[name]}")
    return getattr(module, name)
