"""Zips that two readers read differently: torch loads what Python refuses, or never sees."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import Final

from tests.scan.population.archives import EVIL, archive
from tests.scan.population.interface import Malicious
from tests.scan.population.torch_files import state
from tests.scan.population.zips import Entry, forged, zipped

_NAME: Final = "archive/data.pkl"


def _file(**fields: object) -> bytes:
    """A file of torch whose pickle's entry is tampered with."""
    evil = Entry(name=_NAME, data=EVIL, **fields)  # type: ignore[arg-type]  # fields of an entry
    return forged([Entry(name="archive/version", data=b"3\n"), evil])


def vectors() -> Iterator[Malicious]:
    for name, (reference, data) in _tampered().items():
        yield archive(f"tampered, {name}", "model.pt", data, reference)


def _tampered() -> dict[str, tuple[str, bytes]]:
    good = Entry(name=_NAME, data=state())
    names = "CVE-2025-1944"
    flags = "CVE-2025-1945"
    places = "scan.md 2.4, local headers and central directory"
    stub = zipped({_NAME: state()})
    evil_zip = zipped({_NAME: EVIL})
    deflated = zlib.compress(EVIL, 9)[2:-4]
    return {
        "local name": (names, _file(local_name="archive/data.txt")),
        "local name, shorter": (names, _file(local_name="x")),
        "local name with a slash": (names, _file(local_name="archive/../data.pkl")),
        "flag encrypted": (flags, _file(flags=0x1)),
        "flag patched": (flags, _file(flags=0x20)),
        "flag strong encryption": (flags, _file(flags=0x40)),
        "flag encrypted, in the directory only": (flags, _file(flags=0x1, local_flags=0)),
        "flag encrypted, in the header only": (flags, _file(local_flags=0x1)),
        "checksum": ("CVE-2025-10156", _file(crc=1)),
        "checksum, in the directory only": ("CVE-2025-10156", _file(crc=1, local_crc=2)),
        "method of the header": (places, _file(local_method=8)),
        "unknown method": (places, _file(method=97)),
        "deflated against the directory": (
            places,
            forged([Entry(name=_NAME, data=deflated, method=8, local_method=0,
                          size=len(EVIL), crc=zlib.crc32(EVIL))]),
        ),
        "size of the header": (places, _file(local_size=1)),
        "size of the directory": (places, _file(size=1)),
        "not in the directory": (
            places, forged([good, Entry(name="archive/x.pkl", data=EVIL, hidden=True)])
        ),
        "same name, hidden": (places, forged([Entry(name=_NAME, data=EVIL, hidden=True), good])),
        "two of one name": (places, forged([Entry(name=_NAME, data=EVIL), good])),
        "names that differ in case": (
            places, forged([good, Entry(name="archive/DATA.PKL", data=EVIL)])
        ),
        "zip behind a zip": (places, evil_zip + stub),
        "zip before a zip": (places, stub + evil_zip),
        "bytes before it": (places, b"x" * 100 + evil_zip),
        "bytes behind it": (places, evil_zip + b"x" * 100),
        "a zip in the comment": (places, zipped({_NAME: state()}, comment=evil_zip)),
        "count of entries": (
            places, forged([good, Entry(name="archive/y.pkl", data=EVIL)], count=1)
        ),
        "directory cut off": (places, evil_zip[: evil_zip.index(b"PK\1\2")]),
        "end cut off": (places, evil_zip[: evil_zip.index(b"PK\5\6")]),
        "name in its extra field": (
            places,
            _file(extra=struct.pack("<HHBI", 0x7075, 9, 1, zlib.crc32(_NAME.encode())) + b"evil"),
        ),
        "a name with a NUL": (places, forged([good, Entry(name="archive/a.pkl\0.txt", data=EVIL)])),
        "a pickle that is a zip": (places, EVIL + stub),
    }  # fmt: skip
