"""Their side of each comparison, run in their environment, which has no credenza.

``python -m benchmarks.custody.theirs NAME ARGUMENTS``. "Fastest" is found by trying: of the
configurations that a user could choose, the one whose best of three is the least is measured.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks.custody.worker import Prepare, every_page_read, serve

Work = Callable[[], object]
_WORKERS: Final = (None, 1, 2)


@dataclass(frozen=True, slots=True)
class _Chosen:
    """A piece of work, and which of several configurations it is."""

    work: Work
    note: str

    def __call__(self) -> object:
        return self.work()


def _fastest(candidates: Mapping[str, Work]) -> _Chosen:
    times = {note: min(_time(work) for _ in range(3)) for note, work in candidates.items()}
    best = min(times, key=lambda note: times[note])
    return _Chosen(candidates[best], best)


def _time(work: Work) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _hashing(algorithm: Any, workers: int | None) -> Any:
    from model_signing import hashing

    return hashing.Config().use_file_serialization(hashing_algorithm=algorithm, max_workers=workers)


def _verifiers(model: str, private: str, public: str, scratch: str) -> Iterator[tuple[str, Work]]:
    """Verifying with each configuration of the API, over a signature that was made with it."""
    from model_signing import signing, verifying

    for algorithm in ("blake3", "sha256"):
        for workers in _WORKERS:
            name = f"{algorithm}, max_workers={workers}"
            signature = Path(scratch) / f"{Path(model).name}-{algorithm}-{workers}.sig"
            config = _hashing(algorithm, workers)
            signer = signing.Config().use_elliptic_key_signer(private_key=Path(private))
            signer.set_hashing_config(config).sign(Path(model), signature)
            verifier = verifying.Config().use_elliptic_key_verifier(public_key=Path(public))
            verifier.set_hashing_config(config)
            yield name, _bound(verifier.verify, Path(model), signature)


def _bound(call: Callable[..., object], *arguments: object) -> Work:
    return lambda: call(*arguments)


def _verify(algorithm: str, **where: str) -> _Chosen:
    """Verifying by the API: with its fastest number of workers, and hash, unless one is named."""
    return _fastest({n: w for n, w in _verifiers(**where) if n.startswith(algorithm)})


def _verify_and_load(backend: str, algorithm: str, **where: str) -> Work:
    """Verifying, then what a user does with a verified model: loading it by safetensors."""
    from safetensors.torch import load_file

    verify = _verify(algorithm, **where)
    files = sorted(Path(where["model"]).glob("*.safetensors"))

    def work() -> object:
        verify()
        loaded = {}
        for file in files:
            loaded.update(load_file(file, backend=backend))
        return every_page_read(loaded) if backend == "mmap" else loaded

    return _Chosen(work, verify.note)


def _decrypt(model: str, encrypted: str) -> _Chosen:
    """Loading by tensorizer, which decrypts."""
    from safetensors.torch import load_file
    from tensorizer import (
        DecryptionParams,
        EncryptionParams,
        TensorDeserializer,
        TensorSerializer,
    )

    path, key = Path(encrypted), Path(encrypted + ".key")
    if not key.exists():
        params = EncryptionParams.random()
        tensors = {}
        for file in sorted(Path(model).glob("*.safetensors")):
            tensors.update(load_file(file))
        serializer = TensorSerializer(str(path), encryption=params)
        serializer.write_state_dict(tensors)
        serializer.close()
        key.write_bytes(params.key)
    decryption = DecryptionParams.from_key(key.read_bytes())

    def reader(readers: int | None) -> Work:
        def work() -> object:
            with contextlib.closing(
                TensorDeserializer(
                    str(path), device="cpu", encryption=decryption, num_readers=readers
                )
            ) as tensors:
                return dict(tensors.items())

        return work

    return _fastest({f"num_readers={n}": reader(n) for n in (None, 1, 2, 4)})


WORKS: Final[dict[str, Prepare]] = {
    "verify": _verify,
    "verify-and-load": _verify_and_load,
    "decrypt": _decrypt,
}

if __name__ == "__main__":
    serve(WORKS)
