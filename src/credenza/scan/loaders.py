"""From which version on a loader is immune to what a file does.

A file stays what it is: the version only says whom it would have hit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Flaw:
    """A flaw of a loader. ``fixed`` is the first version without it, empty where none is known."""

    id: str
    loader: str
    fixed: str
    what: str

    def __str__(self) -> str:
        if not self.fixed:
            return f"no version of {self.loader} is known to be immune ({self.id})"
        return f"{self.loader} is immune from {self.fixed} on ({self.id}: {self.what})"


FLAWS: Final = {
    flaw.id: flaw
    for flaw in (
        Flaw("CVE-2025-32434", "torch", "2.6.0", "code runs in spite of weights_only=True"),
        Flaw("CVE-2026-24747", "torch", "2.10.0", "SETITEM on another type corrupts memory"),
        Flaw("CVE-2025-54412", "skops", "0.12.0", "OperatorFuncNode hides what it calls"),
        Flaw("CVE-2025-54413", "skops", "0.12.0", "MethodNode reaches attributes unseen"),
        Flaw("CVE-2025-54886", "skops", "0.13.0", "Card.get_model falls back to joblib"),
        Flaw("CVE-2024-3660", "keras", "2.13.1", "Lambda layers run code when loaded"),
        Flaw("CVE-2025-1550", "keras", "3.9.0", "a config names any module and function"),
        Flaw("CVE-2025-8747", "keras", "3.11.0", "a config calls get_file and others"),
        Flaw("CVE-2025-9905", "keras", "3.11.3", "safe_mode is ignored for HDF5"),
        Flaw("CVE-2025-9906", "keras", "3.11.0", "a config turns safe_mode off"),
        Flaw("CVE-2025-12058", "keras", "3.12.0", "StringLookup reads any file or URL"),
        Flaw("CVE-2025-12060", "keras", "3.12.0", "get_file unpacks outside of its folder"),
        Flaw("CVE-2025-49655", "keras", "3.11.3", "TorchModuleWrapper unpickles"),
        Flaw("CVE-2026-1462", "keras", "3.13.2", "TFSMLayer loads a SavedModel in safe_mode"),
        Flaw("CVE-2026-1669", "keras", "3.13.2", "HDF5 datasets read other files"),
        Flaw("CVE-2026-0897", "keras", "3.12.1", "a dataset's shape exhausts memory"),
        Flaw("CVE-2024-27318", "onnx", "1.16.0", "external data is read outside of the folder"),
        Flaw("CVE-2025-51480", "onnx", "1.21.0", "external data is written outside of the folder"),
        Flaw("CVE-2026-34445", "onnx", "1.21.0", "external data's keys set any attribute"),
        Flaw("CVE-2026-34447", "onnx", "1.21.0", "external data is read through links"),
        Flaw("CVE-2024-34359", "llama-cpp-python", "0.2.72", "chat templates run code"),
        Flaw("CVE-2025-53630", "llama.cpp", "b5854", "sizes in a header overflow"),
        Flaw("CVE-2026-27940", "llama.cpp", "b8146", "sizes in a header overflow"),
        Flaw("CVE-2026-33298", "llama.cpp", "b7824", "sizes of tensors overflow"),
        Flaw("CVE-2025-23304", "NeMo", "2.3.2", "a .nemo file names what is instantiated"),
        Flaw("CVE-2026-42627", "TensorFlow Lite", "", "indices in a model are not checked"),
    )
}


def immune(*ids: str) -> str:
    """From which versions on loaders are immune, as a sentence for a remedy.

    Raises `KeyError` for a flaw that is not known here.
    """
    return "; ".join(str(FLAWS[id_]) for id_ in ids) + "."
