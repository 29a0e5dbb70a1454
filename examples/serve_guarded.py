"""A torch model serves under a guard; somebody changes a weight; the guard puts it right."""

import threading
from pathlib import Path

import torch
from torch import nn

import credenza
from credenza.attest import Trust, new_key
from credenza.guard import Guard, Pace
from credenza.seal import load_torch

torch.manual_seed(0)
torch.save(nn.Linear(4, 2).state_dict(), "model.pt")
key = new_key(Path("release.key"))
credenza.seal(credenza.open("model.pt"), key)

sealed = load_torch("model.pt", Trust((key.public,)))
model = nn.Linear(4, 2)
model.load_state_dict(sealed)
model.eval()

seen = threading.Event()
with Guard(model, sealed, pace=Pace(period=0.1), notify=lambda _: seen.set()) as guard:
    with torch.no_grad():
        model.weight[1, 2] += 3.0  # what an attacker would do
    seen.wait(timeout=60)

for incident in guard.incidents:
    print(incident.finding, "restored" if incident.restored else "not restored")
print("as sealed:", torch.equal(model.weight, sealed["weight"]))
