"""Names that a configuration has a loader call, by keys and ways that a list of names forgets.

Found by Credenza's own red team; all were silent before it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Final

from tests.scan.population import assemble as a
from tests.scan.population.interface import COMMAND, Malicious

_BEHIND: Final = (
    "torch.utils.data.dataloader.os.system",
    "torch.nn.modules.module.functools.partial",
    "transformers.utils.hub.subprocess.run",
    "torch.nn.Module.__init__.__globals__",
    "pytorch_lightning.LightningModule.load_from_checkpoint",
    "transformers.dynamic_module_utils.get_class_from_dynamic_module",
)
_KEYS: Final = {
    "latent diffusion": ("target", "params"),
    "jsonargparse": ("class_path", "init_args"),
    "logging.config": ("()", "x"),
    "MMEngine": ("type", "x"),
}


def vectors() -> Iterator[Malicious]:
    for name in _BEHIND:
        yield _config(f"behind a name: {name}", {"_target_": name, "command": COMMAND})
    for loader, (key, more) in _KEYS.items():
        held = {"model": {key: "subprocess.run", more: {"args": ["touch", "x"]}}}
        yield _config(f"by the key of {loader}", held)
    remote = {"_target_": "transformers.AutoModel.from_pretrained", "trust_remote_code": True}
    yield _config("with the code of a repository", remote)
    yield Malicious(
        name="target: a pickle in an attribute of PyTables",
        category="config",
        reference="tables/attributeset.py; Credenza's red team, November 2026",
        files=(("store.h5", _store()),),
    )


def _config(name: str, value: object) -> Malicious:
    return Malicious(
        name=f"target {name}",
        category="config",
        reference="CVE-2025-23304; Credenza's red team, November 2026",
        files=(("config.yaml", json.dumps(value).encode()),),
    )


def _store() -> bytes:
    """The beginning of a file, as far as anybody looks for pickles: h5py is not needed."""
    run = a.pickled(a.call("os:system", a.text(COMMAND)))
    return b"\x89HDF\r\n\x1a\n" + bytes(88) + b"PYTABLES_FORMAT_VERSION\0" + run + bytes(8)
