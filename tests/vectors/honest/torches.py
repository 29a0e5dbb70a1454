"""PyTorch, in every format that it writes; safetensors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .interface import Files, Write

DISTRIBUTION = "torch"


def files() -> Files:
    import safetensors.torch
    import torch
    from torch import nn

    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(), nn.Flatten())
    state = net.state_dict()
    optimiser = torch.optim.AdamW(net.parameters())
    net(torch.ones(2, 1, 8, 8)).sum().backward()
    optimiser.step()
    checkpoint = {
        "epoch": 3,
        "model": state,
        "optimizer": optimiser.state_dict(),
        "scheduler": torch.optim.lr_scheduler.StepLR(optimiser, 1).state_dict(),
        "best": float("inf"),
        "args": {"lr": 0.1, "names": ["a"]},
        "rng": torch.get_rng_state(),
    }
    kinds = [torch.float16, torch.bfloat16, torch.int8, torch.complex64, torch.float8_e4m3fn]
    encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16), 1)
    things: dict[str, Any] = {
        "state.pt": state,
        "pytorch_model.bin": state,
        "checkpoint.ckpt": checkpoint,
        "module.pth": net,
        "recurrent.pt": nn.LSTM(3, 4, 2),
        "attention.pt": encoder,
        "parallel.pt": nn.DataParallel(net).state_dict(),
        "types.pt": [torch.zeros(2, dtype=kind) for kind in kinds],
        "sparse.pt": torch.eye(3).to_sparse(),
        "parameter.pt": nn.Parameter(torch.ones(2)),
        "views.pt": [torch.arange(6).view(2, 3), torch.arange(6).view(2, 3).t()],
        "numbers.pt": {
            "shape": torch.Size([1, 2]),
            "device": torch.device("cpu"),
            "t": torch.int64,
        },
        "losses.pt": nn.CrossEntropyLoss(torch.ones(3)),
    }
    found: Files = {name: _saved(thing) for name, thing in things.items()}
    found |= {
        "state-legacy.pt": _saved(state, zipped=False),
        "module-legacy.pth": _saved(net, zipped=False),
        "scripted.pt": lambda path: torch.jit.script(net.eval()).save(str(path)),
        "traced.pt": lambda path: torch.jit.trace(net.eval(), torch.ones(1, 1, 8, 8)).save(
            str(path)
        ),
        "exported.pt2": _exported,
        "package.pt": _package,
        "model.safetensors": lambda path: safetensors.torch.save_file(state, path),
        "noted.safetensors": lambda path: safetensors.torch.save_file(
            state, path, {"format": "pt"}
        ),
        "dynamo.onnx": _dynamo,
    }
    return found


def _saved(thing: Any, *, zipped: bool = True) -> Write:
    import torch

    def write(path: Path) -> None:
        torch.save(thing, path, _use_new_zipfile_serialization=zipped)

    return write


def _exported(path: Path) -> None:
    import torch

    net = torch.nn.Linear(3, 2).eval()
    torch.export.save(torch.export.export(net, (torch.ones(1, 3),)), path)


def _package(path: Path) -> None:
    import torch
    from torch.package import PackageExporter

    with PackageExporter(path) as exporter:
        exporter.extern(["torch.**", "numpy.**"])
        exporter.save_source_string("model", "def scale(x):\n    return 2 * x\n")
        exporter.save_pickle("weights", "w.pkl", {"a": torch.ones(2)})


def _dynamo(path: Path) -> None:
    import torch

    net = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.GELU()).eval()
    torch.onnx.export(net, (torch.ones(1, 3),), path, dynamo=True, external_data=False)
