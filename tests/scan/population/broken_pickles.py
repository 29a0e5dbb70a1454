"""Pickles that break off behind their payload, which has run by then (nullifAI, ReversingLabs)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

from tests.scan.population import assemble as a
from tests.scan.population.interface import COMMAND, Form, Malicious

_RUN: Final = a.call("os:system", a.text(COMMAND))
_EIGHT: Final = struct.pack("<Q", 1 << 62)

_ENDS: Final = {
    "cut": b"",
    "cut in an opcode": b"X\x10\0\0",
    "no such opcode": b"\xff.",
    "unset memo": b"h\x63.",
    "unset memo by name": b"g99\n.",
    "memo by no number": b"gx\n.",
    "empty stack": b"000000.",
    "no mark": b"t.",
    "no number": b"Ix\n.",
    "no float": b"Fx\n.",
    "a long of no digits": b"Lx\n.",
    "a string without quotes": b"Sx\n.",
    "an escape that is none": b"S'\\x'\n.",
    "text that is not UTF-8": b"X\x01\0\0\0\xff.",
    "a text longer than memory": b"\x8d" + _EIGHT + b".",
    "bytes longer than memory": b"\x8e" + _EIGHT + b".",
    "a bytearray longer than memory": b"\x96" + _EIGHT + b".",
    "a negative length": b"\x8b\xff\xff\xff\xff.",
    "a protocol to come": b"\x80\x06.",
    "a protocol of 255": b"\x80\xff.",
    "a frame longer than memory": b"\x95" + _EIGHT + b".",
    "a name that is none": b"\x8c\x01x\x93.",
    "names that are numbers": b"K\x01K\x02\x93.",
    "call of a number": b"K\x01)R.",
    "class that is none": b"K\x01)\x81.",
    "state of a number": b"K\x01K\x02b.",
    "item of a number": b"K\x01K\x02K\x03s.",
    "an out-of-band buffer": b"\x97.",
    "a buffer made read-only": b"K\x01\x98.",
    "a memo of minus one": b"p-1\n.",
    "nothing on the stack": b"0.",
    "a second mark": b"((.",
}


def vectors() -> Iterator[Malicious]:
    for name, end in _ENDS.items():
        yield Malicious(
            name=f"evasion then {name}",
            category="pickle-evasion",
            reference="nullifAI; scan.md 2.2, parse error swallowed",
            files=(("model.pkl", a.proto(4) + _RUN + end),),
            form=Form.PICKLE,
            live="pickle",
        )
