"""Write tests/vectors/scan/seven: 7z archives as 7-Zip and py7zr write them.

    python tests/vectors/make_scan_seven_zip.py PATH-OF-7ZZ

7-Zip was 26.02 (Debian's package `7zip`), py7zr 1.1.4. The payload is a pickle that would run
``true``; nothing loads it.
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

EVIL: Final = b"cposix\nsystem\n(S'true'\ntR."
CALLS: Final = b"".join(b"\xe8" + (i * 977).to_bytes(3, "little") + b"\0" for i in range(400))
"""Calls as x86 has them, which its filter changes."""
FILES: Final = {
    "m/data.pkl": EVIL,
    "empty.txt": b"",
    "gr\u00fc\u00dfe.txt": b"hello\n" * 200,
    "code.bin": CALLS,
    "last.bin": b"abc",
}
READ: Final = {
    "default": (),
    "ultra-not-solid": ("-mx=9", "-ms=off"),
    "lzma": ("-m0=lzma",),
    "lzma-of-a-gigabyte": ("-m0=lzma:d=1g",),
    "bzip2": ("-m0=bzip2",),
    "deflate": ("-m0=deflate",),
    "copy": ("-mx=0",),
    "delta-lzma2": ("-m0=delta:4", "-m1=lzma2"),
    "bcj-lzma": ("-m0=bcj", "-m1=lzma"),
    "arm-lzma2": ("-m0=arm", "-m1=lzma2"),
    "plain-header": ("-mhc=off",),
    "all-times": ("-mtc=on", "-mta=on"),
}
UNREAD: Final = {
    "ppmd": ("-m0=ppmd",),
    "deflate64": ("-m0=deflate64",),
    "arm64": ("-m0=arm64", "-m1=lzma2"),
    "bcj2": ("-m0=bcj2", "-m1=lzma", "-m2=lzma", "-m3=lzma", "-mb0:1", "-mb0s1:2", "-mb0s2:3"),
    "swap4": ("-m0=swap4", "-m1=lzma2"),
    "encrypted": ("-psecret",),
    "encrypted-names": ("-psecret", "-mhe=on"),
}
OTHERS: Final = ("py7zr-default", "py7zr-bcj-bzip2", "py7zr-delta-lzma", "py7zr-copy")
PLACE: Final = Path(__file__).parent / "scan" / "seven"


def _by_7zip(program: str, folder: Path) -> None:
    for name, options in {**READ, **UNREAD}.items():
        at = PLACE / f"{name}.7z"
        at.unlink(missing_ok=True)
        command = [program, "a", "-bso0", "-bsp0", *options, str(at), "."]
        subprocess.run(command, cwd=folder, check=True)
    (folder / "link").symlink_to("../../etc/passwd")
    at = PLACE / "link.7z"
    at.unlink(missing_ok=True)
    subprocess.run([program, "a", "-bso0", "-bsp0", "-snl", str(at), "link"], cwd=folder)


def _by_py7zr() -> None:
    import py7zr

    filters: dict[str, list[dict[str, Any]] | None] = {
        "default": None,
        "bcj-bzip2": [{"id": py7zr.FILTER_X86}, {"id": py7zr.FILTER_BZIP2}],
        "delta-lzma": [{"id": py7zr.FILTER_DELTA, "dist": 2}, {"id": py7zr.FILTER_LZMA}],
        "copy": [{"id": py7zr.FILTER_COPY}],
    }
    for name, chain in filters.items():
        out = io.BytesIO()
        with py7zr.SevenZipFile(out, "w", filters=chain) as archive:
            for path, data in FILES.items():
                archive.writestr(data, path)
        (PLACE / f"py7zr-{name}.7z").write_bytes(out.getvalue())


def main() -> None:
    PLACE.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        for path, data in FILES.items():
            at = Path(folder) / path
            at.parent.mkdir(exist_ok=True)
            at.write_bytes(data)
            os.utime(at, (1_600_000_000, 1_600_000_000))
        _by_7zip(sys.argv[1], Path(folder))
    _by_py7zr()


if __name__ == "__main__":
    main()
