"""Seal a model, load it from the bytes that were verified, and see what a refusal says."""

from pathlib import Path

import numpy as np

import credenza
from credenza.attest import Trust, new_key
from credenza.errors import AlteredError

model = Path("model")
model.mkdir()
np.savez(model / "weights.npz", weight=np.eye(10, 64, dtype=np.float32), bias=np.zeros(10))

key = new_key(Path("release.key"))
trust = Trust((key.public,))
seal = credenza.seal(credenza.open(model), key)
print("sealed", seal.root.hex())

tensors = credenza.load(model, trust)
print("loaded", {name: array.shape for name, array in tensors.items()})

data = bytearray((model / "weights.npz").read_bytes())
data[len(data) // 2] ^= 1
(model / "weights.npz").write_bytes(data)
try:
    credenza.load(model, trust)
except AlteredError as refused:
    print("refused", refused)
