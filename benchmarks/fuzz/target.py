"""Fuzz one parser: ``python -m benchmarks.fuzz.target NAME [libFuzzer's options…]``.

Run in the environment of ``requirements.txt``. It ends with another code than 0 where the parser
raised an exception that is not ours, took over 5 seconds (an option of libFuzzer's), or held more
memory than 4 times the input and 64 MB.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Final

import atheris

with atheris.instrument_imports(include=["credenza"]):
    from benchmarks.fuzz.targets import TARGETS, UnfitError
    from credenza.errors import CredenzaError

_SPARE: Final = 64 * 2**20
_FACTOR: Final = 4
_FORGET: Final = -1
"""Tells libFuzzer not to add the input to its corpus."""


class TooMuchMemoryError(Exception):
    """The parser held more memory than its input may cost."""


def main() -> None:
    name = sys.argv.pop(1)
    atheris.Setup(sys.argv, _checked(TARGETS[name].parse))
    atheris.Fuzz()


def _checked(parse: Callable[[bytes], object]) -> Callable[[bytes], int]:
    marks = os.open("/proc/self/clear_refs", os.O_WRONLY)
    status = os.open("/proc/self/status", os.O_RDONLY)

    def check(data: bytes) -> int:
        os.write(marks, b"5")  # proc(5): the most that was held is what is held now
        before = _held(status)
        try:
            parse(data)
        except CredenzaError:
            pass
        except UnfitError:
            return _FORGET
        grown = _held(status) - before
        if grown > _FACTOR * len(data) + _SPARE:
            raise TooMuchMemoryError(f"{grown} bytes for an input of {len(data)}")
        return 0

    return check


def _held(status: int) -> int:
    """The most that the process held since it was last told to forget, in bytes."""
    text = os.pread(status, 4096, 0)
    at = text.index(b"VmHWM:") + 6
    return int(text[at : text.index(b"kB", at)]) * 1024


if __name__ == "__main__":
    main()
