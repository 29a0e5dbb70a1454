"""TFLite: what its converter writes is passed, operators that it does not bring are found."""

from __future__ import annotations

import io
import struct
import zipfile

import pytest

from credenza.findings import Severity
from tests.artifact.tflites import Made, model
from tests.scan.graphs import HONEST, accused, of, scanned, worst

OPERATOR = "scan.tflite-operator"
WEIGHT = Made("w", (2,), 0, bytes(8))
FOLDER = HONEST.parents[2] / "artifact" / "tflite"


@pytest.mark.parametrize("name", ["dense", "flex"])
def test_what_the_converter_writes_is_passed(name: str) -> None:
    report = scanned(HONEST / f"{name}.tflite")
    assert (accused(report), report.unread) == ([], ())
    assert report.files[0].format == "tflite"


@pytest.mark.parametrize(
    ("op", "severity"),
    [
        ("TFLite_Detection_PostProcess", None),
        ("FlexMatrixDeterminant", Severity.LOW),
        ("Vendor", Severity.HIGH),
        ("FlexTextLineDataset", Severity.HIGH),
        ("FlexNoSuchOperation", Severity.HIGH),
        ("FlexWriteFile", Severity.CRITICAL),
        ("FlexPyFunc", Severity.CRITICAL),
    ],
)
def test_a_custom_operator_is_judged_by_its_name(op: str, severity: Severity | None) -> None:
    report = of("a.bin", bytes(model([WEIGHT], custom=(op,))))
    assert report.worst is severity
    assert {f.rule for f in report.findings} <= {OPERATOR}


def test_labels_in_an_archive_at_the_end_are_passed() -> None:
    """The metadata of TFLite are such an archive."""
    archive = io.BytesIO(bytes(model([WEIGHT])))
    with zipfile.ZipFile(archive, "a") as file:
        file.writestr("labels.txt", "two\nfive\n")
    assert accused(of("a.tflite", archive.getvalue())) == []


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("path-absolute", "artifact.external-path"),
        ("path-up", "artifact.external-path"),
        ("buffer-outside", "artifact.flatbuffer-outside"),  # CVE-2026-42627
        ("buffers-overlap", "artifact.tflite-overlap"),
        ("graph-twice", "artifact.flatbuffer-shared"),
        ("shape-that-overflows", "artifact.tflite-shape"),
    ],
)
def test_what_leads_out_or_overlaps_is_found(name: str, rule: str) -> None:
    assert worst(scanned(FOLDER / f"{name}.tflite"))[:2] == ("high", rule)


def test_an_operator_is_found_though_the_rest_is_broken() -> None:
    data = bytearray(bytes(model([WEIGHT], custom=("FlexWriteFile",))))
    at = data.index(struct.pack("<I", 8) + bytes(8))  # the buffer's length
    data[at : at + 4] = struct.pack("<I", 1 << 20)
    report = of("a.tflite", bytes(data))
    assert worst(report) == ("critical", OPERATOR, "WriteFile")
    assert report.unread


def test_a_cut_file_is_unread_and_not_accused() -> None:
    data = (HONEST / "dense.tflite").read_bytes()
    report = of("a.tflite", data[: len(data) // 2])
    assert report.findings == ()
    assert report.unread
