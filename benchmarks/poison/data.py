"""The data sets of the population, and who may see which of their samples.

Nothing that a probe is given was ever trained on: the pool of trusted samples is the same for
every model, and training draws from the rest. What models read is measured on the test set.
"""

from __future__ import annotations

import functools
import gzip
import io
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from credenza.cheques import digits
from credenza.cheques.digits import Archive, UnavailableError
from credenza.dataset import Dataset, IntArray
from credenza.errors import InputError

TRUSTED_POOL: Final = 1000
"""Samples of the training set from which a probe's are drawn, and no training ever draws."""
TRUSTED_A_CLASS: Final = 50
CLASSES: Final = 10

_FASHION_SHA256: Final = "14410854cf7a289477dcfc7df3f8ec24741e281cdcc425ede0d9a748ca630214"
_DEB: Final = "dataset-fashion-mnist=0.0~git20200523.55506a9-1"
_DEB_SHA256: Final = "39e172fe32dd318ebb3e512220c3beea2fa47d7e20bab348fb4e0922d6beefc0"
_OWN_LISTS: Final = (
    'set -e; d=$(mktemp -d); trap "rm -rf $d" EXIT; mkdir -p $d/lists/partial $d/archives/partial; '
    'o="-o Dir::State::Lists=$d/lists -o Dir::Cache=$d -o Debug::NoLocking=1"; '
    f"apt-get $o update; apt-get $o download {_DEB}"
)
"""Where the machine's package lists are missing, or only root may renew them."""


@dataclass(frozen=True, slots=True)
class Split:
    """A data set by what its samples are for. ``trusted`` and ``training`` share none."""

    trusted: Dataset
    training: Dataset
    test: Dataset


@functools.cache
def load(name: str) -> Split:
    """The data set of that name, a key of `SETS`; fetched on the first call of all.

    Raises `UnavailableError` where it cannot be had: no population is made of anything else.
    """
    every = SETS[name]()
    if every.source == digits.SMALL and name != "small":
        raise UnavailableError(f"{name} could not be fetched")
    trusted, training = split(len(every.train))
    return Split(every.train.take(trusted), every.train.take(training), every.test)


def split(samples: int) -> tuple[IntArray, IntArray]:
    """Indices of the trusted pool, and of all other training samples."""
    order = np.random.default_rng(0).permutation(samples)
    return order[:TRUSTED_POOL], order[TRUSTED_POOL:]


def trusted(name: str, seed: int) -> Dataset:
    """What the probe of the model of that seed is given: `TRUSTED_A_CLASS` of each class."""
    pool = load(name).trusted
    rng = np.random.default_rng([seed, 23])
    chosen = [
        rng.choice(np.flatnonzero(pool.labels == label), TRUSTED_A_CLASS, replace=False)
        for label in range(CLASSES)
    ]
    return pool.take(np.concatenate(chosen))


def drawn(data: Dataset, count: int, seed: int, purpose: int) -> Dataset:
    """So many samples without replacement; each ``purpose`` of a seed has a draw of its own."""
    rng = np.random.default_rng([seed, purpose])
    return data.take(rng.choice(len(data), count, replace=False))


def _fashion() -> digits.Digits:
    """Fashion-MNIST (arXiv:1708.07747) out of Debian's package, kept and checked as digits are."""
    archives = [
        Archive(name=f"{_DEB} from Debian", sha256=_DEB_SHA256, command=command, unpack=_unpack_deb)
        for command in (("apt-get", "download", _DEB), ("sh", "-c", _OWN_LISTS))
    ]
    folder = digits.cache_folder() / "fashion"
    return digits.load(folder, archives=archives, sha256=_FASHION_SHA256)


def _unpack_deb(data: bytes) -> bytes:
    """The four IDX files in a package: an ``ar`` archive (deb(5)) that holds a tar archive."""
    name, contents = _last_member(data)
    with tarfile.open(fileobj=io.BytesIO(contents)) as package:
        return b"".join(_idx(package, name, file) for file in _IDX_FILES)


def _idx(package: tarfile.TarFile, name: str, file: str) -> bytes:
    member = package.extractfile(f"./usr/share/datasets/fashion-mnist/{file}.gz")
    if member is None:
        raise InputError(f"{name}: a regular file {file} expected")
    return gzip.decompress(member.read())


def _last_member(data: bytes) -> tuple[str, bytes]:
    """The last member of an ``ar`` archive: of a package, its data.

    A header is 60 bytes: the name in 16, the size in decimals at 48 to 58; members start at even
    places (ar(5)).
    """
    if not data.startswith(b"!<arch>\n"):
        raise InputError("deb: an ar archive expected")
    name, contents, at = "", b"", 8
    while at + 60 <= len(data):
        name = data[at : at + 16].decode("ascii").rstrip(" /")
        size = int(data[at + 48 : at + 58])
        contents = data[at + 60 : at + 60 + size]
        at += 60 + size + size % 2
    return name, contents


_IDX_FILES: Final = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)

SETS: Final[dict[str, Callable[[], digits.Digits]]] = {
    "mnist": digits.load,
    "fashion": _fashion,
    "small": digits.small_digits,
}
"""By name. The small one, which is at hand everywhere, is for tests alone."""
