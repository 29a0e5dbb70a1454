"""Bytes that know which of them were read."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Counted:
    """`Bytes` that record each range that is read."""

    path: str
    data: bytes
    ranges: list[tuple[int, int]] = field(default_factory=list)

    @property
    def size(self) -> int:
        return len(self.data)

    @property
    def bytes_read(self) -> int:
        """How many, those read twice counted twice."""
        return sum(stop - start for start, stop in self.ranges)

    def pread(self, start: int, length: int) -> bytes:
        self.ranges.append((start, start + length))
        return self.data[start : start + length]
