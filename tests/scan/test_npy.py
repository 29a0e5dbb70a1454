"""Arrays whose header or whose objects are hostile."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest

from credenza.findings import Severity
from tests.scan.pickling import EVIL, Seen


def npy(header: bytes, behind: bytes = b"") -> bytes:
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + behind


OBJECTS = b"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }\n"


def test_the_pickle_of_an_array_of_objects_is_looked_at() -> None:
    seen = Seen(npy(OBJECTS, EVIL), "x.npy")
    assert seen.found == {"os.system"}
    assert seen.members == ["objects"]


def test_also_in_a_structure_and_under_any_name() -> None:
    header = OBJECTS.replace(b"'|O'", b"[('a', '<f4'), ('b', [('c', '|O')])]")
    assert Seen(npy(header, EVIL), "weights").found == {"os.system"}


@pytest.mark.parametrize(
    "descr", [b"__import__('os').system('x')", b"(lambda: 1)()", b"open('x').read()"]
)
def test_a_header_that_calls_something(descr: bytes) -> None:
    seen = Seen(npy(OBJECTS.replace(b"'|O'", descr)), "x.npy")
    assert [(f.rule, f.severity) for f in seen.findings] == [("scan.npy-header", Severity.HIGH)]
    assert seen.unread


def test_what_is_behind_a_header_that_is_none_is_looked_at() -> None:
    assert "os.system" in Seen(npy(b"{'descr': ", EVIL), "x.npy").found


@pytest.mark.parametrize("cut", [7, 9, 40])
def test_a_header_that_is_cut_off_is_unread(cut: int) -> None:
    file = io.BytesIO()
    np.save(file, np.eye(2))
    seen = Seen(file.getvalue()[:cut], "x.npy")
    assert (seen.findings, len(seen.unread)) == ([], 1)
