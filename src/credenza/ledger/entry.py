"""One thing that was done, and its one spelling."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from credenza.errors import InputError

LONGEST = 65_535  # bytes; C2SP tlog-tiles, "Entry bundles", gives a length 16 bits
_TIME = "%Y-%m-%dT%H:%M:%SZ"
_ACTION = re.compile(r"[a-z]+(-[a-z]+)*")
_ROOT = re.compile(r"([0-9a-f]{64})?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What was done: when, what, to which model, by whom.

    ``time`` is RFC 3339 in UTC and whole seconds, ``action`` lower-case words joined by ``-``,
    ``root`` a model root in hex or empty, ``detail`` pairs of a key and a value.
    ``Entry.parse(bytes(e)) == e``, and ``parse`` accepts nothing that ``bytes`` would not have
    written. Raises `InputError` for a member that is not so, and for an entry over 65,535 bytes.
    """

    time: str
    action: str
    root: str
    actor: str
    detail: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        if not _is_time(self.time):
            raise InputError(f"entry: a time as 2026-11-23T21:30:00Z expected, {self.time!r} given")
        if not _ACTION.fullmatch(self.action):
            raise InputError(f"entry: action of lower-case words expected, {self.action!r} given")
        if not _ROOT.fullmatch(self.root):
            raise InputError(f"entry: root of 64 hex digits or none expected, {self.root!r} given")
        try:
            size = len(bytes(self))
        except UnicodeEncodeError as e:
            raise InputError("entry: text expected, a lone surrogate given") from e
        if size > LONGEST:
            raise InputError(f"entry: at most {LONGEST} bytes expected, {size} given")

    @classmethod
    def now(cls, action: str, *, root: str, actor: str, **detail: str) -> Entry:
        """An entry of this moment."""
        time = datetime.now(UTC).strftime(_TIME)
        return cls(time=time, action=action, root=root, actor=actor, detail=tuple(detail.items()))

    @classmethod
    def parse(cls, data: bytes) -> Entry:
        """Read an entry. Raises `InputError` for anything but its one spelling."""
        try:
            entry = msgspec.json.decode(data, type=cls)
        except (ValueError, RecursionError) as e:
            raise InputError(f"entry: not in the form of an entry: {e}") from e
        if bytes(entry) != data:
            raise InputError("entry: not in its one spelling")
        return entry

    def __bytes__(self) -> bytes:
        return msgspec.json.encode(self)


def _is_time(text: str) -> bool:
    try:
        return datetime.strptime(text, _TIME).replace(tzinfo=UTC).strftime(_TIME) == text
    except ValueError:
        return False
