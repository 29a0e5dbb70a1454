"""HDF5: what h5py and Keras write is passed, what leads out of a file or hides it is found."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from credenza.artifact import hdf5
from credenza.scan.rules import hdf5 as rule
from tests.scan.graphs import HONEST, accused, of, scanned, worst

LAMBDA = '{"class_name": "Lambda", "config": {"function_type": "lambda"}}'


def written(fill: Any, **options: Any) -> bytes:
    out = io.BytesIO()
    with h5py.File(out, "w", **options) as file:
        fill(file)
    return out.getvalue()


def outside(file: Any) -> None:
    file["w"] = h5py.ExternalLink("/etc/other.h5", "/x")


def stored_outside(file: Any) -> None:
    file.create_dataset("w", (4,), "f4", external=[("/etc/passwd", 0, 16)])


def virtual(file: Any) -> None:
    layout = h5py.VirtualLayout((4,), "f4")
    layout[:] = h5py.VirtualSource("/etc/other.h5", "x", (4,))
    file.create_virtual_dataset("w", layout)


def test_the_rule_and_the_reader_mean_one_format() -> None:
    assert (rule.SIGNATURE, rule.SUFFIXES) == (hdf5.SIGNATURE, hdf5.SUFFIXES)


@pytest.mark.parametrize("path", sorted(HONEST.glob("*.h5")), ids=lambda p: p.name)
def test_what_keras_saves_is_passed(path: Path) -> None:
    report = scanned(path)
    assert (accused(report), report.unread) == ([], ())


@pytest.mark.parametrize("libver", ["earliest", "latest"])
def test_what_h5py_writes_is_passed(libver: str) -> None:
    def fill(file: Any) -> None:
        file["group/a"] = np.arange(6.0)
        file["again"] = file["group"]
        file["soft"] = h5py.SoftLink("/group/a")
        file.create_dataset("packed", data=np.zeros(100), chunks=(10,), compression="gzip")
        file["words"] = ["two", "five"]
        file.attrs["layer_names"] = ["a", "b"]

    report = of("a.h5", written(fill, libver=libver))
    assert (accused(report), report.unread) == ([], ())


@pytest.mark.parametrize("fill", [outside, stored_outside, virtual])
def test_what_leads_out_is_found(fill: Any) -> None:
    """CVE-2026-1669."""
    assert worst(of("a.h5", written(fill)))[:2] == ("high", "artifact.hdf5-external")


def test_what_leads_out_hides_nothing_behind_it() -> None:
    def fill(file: Any) -> None:
        outside(file)
        stored_outside(file.create_group("more"))
        file.create_group("zz").attrs["model_config"] = LAMBDA

    found = sorted({f.rule for f in of("a.h5", written(fill)).findings})
    assert found == ["artifact.hdf5-external", "scan.keras-code"]


def test_a_file_behind_a_user_block_is_read() -> None:
    """A polyglot: libhdf5 looks for its signature at 0, 512, 1024 and so on."""

    def fill(file: Any) -> None:
        file.attrs["model_config"] = LAMBDA
        file["w"] = np.zeros(4)

    data = bytearray(written(fill, userblock_size=1024))
    assert [f.rule for f in of("a.bin", bytes(data)).findings] == ["scan.keras-code"]
    data[:4] = b"\x7fELF"
    rules = {f.rule for f in of("a.bin", bytes(data)).findings}
    assert rules >= {"scan.keras-code", "scan.hdf5-front"}


def test_a_file_of_matlab_is_not_accused() -> None:
    data = bytearray(written(lambda f: f.create_dataset("w", data=np.zeros(4)), userblock_size=512))
    data[:19] = b"MATLAB 7.3 MAT-file"
    assert accused(of("a.mat", bytes(data))) == []


def test_what_follows_the_end_is_found_and_a_cut_file_is_unread() -> None:
    data = written(lambda f: f.create_dataset("w", data=np.zeros(4)))
    assert worst(of("a.h5", data + b"#!/bin/sh"))[1] == "artifact.hdf5-size"
    cut = of("a.h5", data[:-8])
    assert cut.findings == ()
    assert cut.unread


def test_a_configuration_that_is_no_text_is_unread() -> None:
    def fill(file: Any) -> None:
        file.attrs["model_config"] = np.zeros(4)

    assert len(of("a.h5", written(fill)).unread) == 1
