"""What tells that a file is no archive, before a reader of archives is imported for it."""

from __future__ import annotations

from typing import Final, final

from credenza.artifact.interface import Bytes

_FARTHEST: Final = 22 + 0xFFFF
"""How far before a file's end its ZIP end record is looked for."""
_DIGITS: Final = b" 01234567"
_TEXT: Final = 16


@final
class Zip:
    """It begins as a part of an archive, or has the magic of an end record near its end."""

    def on(self, file: Bytes) -> bool:
        if file.size >= 4 and file.pread(0, 2) == b"PK":
            return True
        start = max(0, file.size - _FARTHEST)
        return b"PK\x05\x06" in file.pread(start, file.size - start)


@final
class Tar:
    """A number stands where its first header has the sum of its bytes."""

    def on(self, file: Bytes) -> bool:
        if file.size < 512:
            return False
        field = file.pread(148, 8)
        return field[0] in (0x80, 0xFF) or not field.split(b"\0")[0].strip(_DIGITS)


@final
class Encoded:
    """It begins with text in ASCII."""

    def on(self, file: Bytes) -> bool:
        head = file.pread(0, min(_TEXT, file.size))
        return head.isascii() and b"\0" not in head
