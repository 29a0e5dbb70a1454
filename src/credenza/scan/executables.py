"""Whether bytes are an executable: its header is read, since two letters alone are anything.

ELF: System V ABI, chapter 4; PE: Microsoft's PE format; Mach-O: ``mach-o/loader.h``; Java: JVMS
§4.1; WebAssembly core §5.5; DEX: source.android.com/docs/core/runtime/dex-format.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import Final

HEAD: Final = 1024
"""How many bytes of a header are looked at."""

_ELF_MACHINES: Final = frozenset(
    (
        *(2, 3, 7, 8, 15, 18, 20, 21, 22, 40, 42, 43, 50, 62, 83, 93, 94, 164, 183, 189, 190, 224),
        *(243, 247, 252, 258, 0x9026),
    )
)
_PE_MACHINES: Final = frozenset(
    (
        *(0x14C, 0x162, 0x166, 0x1A2, 0x1A6, 0x1C0, 0x1C2, 0x1C4, 0x1F0, 0x200, 0xEBC, 0x8664),
        *(0xAA64, 0x5032, 0x5064, 0x6232, 0x6264, 0xA641),
    )
)
_MACH_CPUS: Final = frozenset({7, 12, 18, 0x01000007, 0x0100000C, 0x01000012, 0x0200000C})


def kind(head: bytes, size: int) -> str | None:
    """What the bytes are that begin with ``head``, of a file of ``size`` bytes from there on.

    None for what is no executable. The answer is a word that a person knows: ELF, PE, Mach-O,
    APE, Java class, WebAssembly, DEX, Windows shortcut.
    """
    check = next((c for magic, c in _MAGICS.items() if head.startswith(magic)), None)
    return None if check is None else check(head, size)


def inside(data: bytes, at: int, size: int) -> Iterator[tuple[int, str]]:
    """Executables that begin within ``data``, which is at byte ``at`` of ``size``.

    Of the kinds whose headers hold enough to tell them from what looks like them by chance.
    """
    for magic in _STRONG:
        found = data.find(magic)
        while found >= 0:
            name = kind(data[found : found + HEAD], size - at - found)
            if name is not None:
                yield at + found, name
            found = data.find(magic, found + 1)


def _elf(head: bytes, size: int) -> str | None:
    if len(head) < 64 or head[4] not in (1, 2) or head[5] not in (1, 2) or head[6] != 1:
        return None
    order, wide = "<" if head[5] == 1 else ">", head[4] == 2
    layout = "HHIQQQIHHH" if wide else "HHIIIIIHHH"
    type_, machine, version, _, programs, sections, _, length, entry, count = struct.unpack_from(
        order + layout, head, 16
    )
    right = type_ in (1, 2, 3, 4) and machine in _ELF_MACHINES and version == 1
    right = right and length == (64 if wide else 52)
    within = not count or programs + entry * count <= size
    return "ELF" if right and within and (programs or sections) else None


def _pe(head: bytes, size: int) -> str | None:
    if head.startswith((b"MZqFpD='", b"MZqFpD=\n")):
        return "APE"  # github.com/jart/cosmopolitan: one that every system runs
    if len(head) < 64:
        return None
    (at,) = struct.unpack_from("<I", head, 60)
    if not 4 <= at <= size - 24:
        return None
    if at + 24 > len(head):  # a header that far away is not read
        return None
    (machine,) = struct.unpack_from("<H", head, at + 4)
    return "PE" if head[at : at + 4] == b"PE\0\0" and machine in _PE_MACHINES else None


def _mach(head: bytes, size: int) -> str | None:
    if len(head) < 28:
        return None
    order = ">" if head[0] == 0xFE else "<"
    cpu, _, type_, commands, length, _ = struct.unpack_from(f"{order}6I", head, 4)
    right = cpu in _MACH_CPUS and 1 <= type_ <= 14 and 0 < commands < 10_000
    return "Mach-O" if right and 8 * commands <= length <= size else None


def _cafebabe(head: bytes, size: int) -> str | None:
    if len(head) < 16:
        return None
    minor, major, pool = struct.unpack_from(">3H", head, 4)
    if 45 <= major <= 99 and minor in (0, 3, 0xFFFF) and pool > 1:
        return "Java class"
    count, cpu = struct.unpack_from(">2I", head, 4)
    return "Mach-O" if 0 < count < 45 and cpu in _MACH_CPUS and size > 28 else None


def _ape(head: bytes, size: int) -> str | None:  # noqa: ARG001  a check like the others
    return "APE"


def _wasm(head: bytes, size: int) -> str | None:  # noqa: ARG001
    return "WebAssembly" if head[4:8] in (b"\1\0\0\0", b"\x0d\0\1\0") else None


def _dex(head: bytes, size: int) -> str | None:  # noqa: ARG001
    return "DEX" if head[4:7].isdigit() and head[7:8] == b"\0" else None


def _shortcut(head: bytes, size: int) -> str | None:  # noqa: ARG001
    return "Windows shortcut" if head[4:12] == b"\x01\x14\x02\0\0\0\0\0" else None


_MAGICS: Final[dict[bytes, Callable[[bytes, int], str | None]]] = {
    b"\x7fELF": _elf,
    b"MZ": _pe,
    b"jartsr='": _ape,
    b"\xfe\xed\xfa\xce": _mach,
    b"\xfe\xed\xfa\xcf": _mach,
    b"\xce\xfa\xed\xfe": _mach,
    b"\xcf\xfa\xed\xfe": _mach,
    b"\xca\xfe\xba\xbe": _cafebabe,
    b"\0asm": _wasm,
    b"dex\n": _dex,
    b"L\0\0\0": _shortcut,
}
_STRONG: Final = (
    *(b"\x7fELF", b"MZ", b"\xfe\xed\xfa\xce", b"\xfe\xed\xfa\xcf"),
    *(b"\xce\xfa\xed\xfe", b"\xcf\xfa\xed\xfe"),
)
