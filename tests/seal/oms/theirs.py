"""The package ``model-signing``, as its users use it."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # what its dependencies have to say of each other
    import model_signing

package: Any = model_signing  # its public functions are not all typed


def command(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Its command line."""
    line = [sys.executable, "-m", "model_signing", *map(str, arguments)]
    full = os.environ | environment
    return subprocess.run(line, capture_output=True, text=True, check=False, env=full)


def hashing(algorithm: str, shard_size: int | None = None) -> Any:
    config = package.hashing.Config()
    if shard_size is None:
        return config.use_file_serialization(hashing_algorithm=algorithm)
    return config.use_shard_serialization(hashing_algorithm=algorithm, shard_size=shard_size)


def sign(
    model: Path,
    key: Path,
    signature: Path,
    how: Any,
    chain: Sequence[Path] = (),
) -> None:
    """Sign by a key, or by a certificate: the first of ``chain``."""
    config = package.signing.Config()
    if chain:
        config.use_certificate_signer(
            private_key=key, signing_certificate=chain[0], certificate_chain=chain[1:]
        )
    else:
        config.use_elliptic_key_signer(private_key=key)
    config.set_hashing_config(how).sign(model, signature)


def accepts(
    model: Path,
    signature: Path,
    *,
    key: Path | None = None,
    issuers: Sequence[Path] = (),
    how: Any = None,
) -> bool:
    """Whether its library verifies the model."""
    config = package.verifying.Config()
    if key is not None:
        config.use_elliptic_key_verifier(public_key=key)
    else:
        config.use_certificate_verifier(certificate_chain=issuers)
    if how is not None:
        config.set_hashing_config(how)
    try:
        config.verify(model, signature)
    except Exception:  # noqa: BLE001  its refusals have no type of their own
        return False
    return True
