"""Models to seal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

from credenza.attest import PrivateKey, Trust

KEY = PrivateKey(bytes(range(32)))
OTHER = PrivateKey(bytes(range(1, 33)))
TRUST = Trust((KEY.public,))


def small_model(folder: Path) -> Path:
    """A folder with tensors of several shapes, a configuration, code, and an empty file."""
    rng = np.random.default_rng(0)
    model = folder / "reader"
    (model / "more").mkdir(parents=True)
    tensors: dict[str, NDArray[Any]] = {
        "fc.weight": rng.standard_normal((10, 64), np.float32),
        "fc.bias": rng.standard_normal(10, np.float32),
        "conv.weight": rng.standard_normal((16, 1, 3, 3), np.float32),
        "steps": np.array(7, np.int64),
        "none": np.zeros((0, 3), np.float32),
    }
    save_file(tensors, model / "model.safetensors", metadata={"format": "pt"})
    np.save(model / "more" / "mean.npy", np.arange(12, dtype=">f8").reshape(3, 4).T)
    (model / "config.json").write_text('{"classes": 10}')
    (model / "more" / "reader.py").write_text("print('never run')\n")
    (model / "empty").touch()
    return model
