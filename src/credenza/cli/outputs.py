"""Where what was found goes: stdout, or files that are written whole, and the exit code."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from credenza.cli.console import colour, width
from credenza.errors import InputError
from credenza.findings import Report, Severity

if TYPE_CHECKING:
    from credenza.report import Gate

FailOn = Annotated[
    Severity, typer.Option("--fail-on", help="The least severity that makes it exit with 1.")
]
Strict = Annotated[
    bool,
    typer.Option("--strict", help="Fail on medium too, and on files of no known format."),
]
Quiet = Annotated[bool, typer.Option("--quiet", help="Print a report only where it fails.")]
Output = Annotated[
    str, typer.Option("--output", metavar="FILE", help="Where the text or JSON goes (-: stdout).")
]
Sarif = Annotated[
    str, typer.Option("--sarif", metavar="FILE", help="Also write SARIF 2.1.0 (-: stdout).")
]
CycloneDx = Annotated[
    str,
    typer.Option(
        "--cyclonedx", metavar="FILE", help="Also write a CycloneDX 1.6 ML-BOM (-: stdout)."
    ),
]

_STDOUT = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """What is written, and where to. Raises `InputError` where two things would go to stdout."""

    as_json: bool = False
    output: str = _STDOUT
    sarif: str = ""
    cyclonedx: str = ""
    html: Path | None = None
    quiet: bool = False

    def __post_init__(self) -> None:
        others = (self.sarif, self.cyclonedx).count(_STDOUT)
        if others + (self.as_json and self.output == _STDOUT) > 1:
            raise InputError("only one of the reports can go to stdout (-)")
        named = (self.output, self.sarif, self.cyclonedx, str(self.html or ""))
        files = Counter(os.path.realpath(name) for name in named if name not in ("", _STDOUT))
        from credenza.files import is_special

        for file, count in files.items():
            if count > 1 and not is_special(Path(file)):
                raise InputError(f"{file}: each report needs a file of its own")

    @property
    def digest(self) -> bool:
        """Whether each file's digest is part of what is written."""
        return bool(self.cyclonedx)

    def conclude(
        self,
        reports: Sequence[Report],
        gate: Gate,
        folders: Sequence[str],
        instead: str = "",
    ) -> NoReturn:
        """Write everything, the files first, and exit with the gate's code.

        ``folders`` are as `credenza.report.sarif` takes them; ``instead`` is printed in the text's
        place, unless it is empty.
        """
        from credenza import report

        code = gate.exit_code(reports)
        if self.html is not None:
            _write(str(self.html), report.html(reports).encode())
        if self.sarif:
            _write(self.sarif, report.sarif(reports, folders=folders))
        if self.cyclonedx:
            _write(self.cyclonedx, _bill(reports))
        if self.as_json:
            _write(self.output, report.json(reports))
        elif self.output != _STDOUT or not self._taken(code):
            coloured = self.output == _STDOUT and colour()
            text = instead or report.text(reports, width=width(), colour=coloured)
            _write(self.output, text.encode())
        raise typer.Exit(code)

    def _taken(self, code: int) -> bool:
        """Whether stdout has something else, or is to have nothing."""
        return _STDOUT in (self.sarif, self.cyclonedx) or (self.quiet and code == 0)


def _bill(reports: Sequence[Report]) -> bytes:
    import datetime as dt
    import uuid

    from credenza.report import cyclonedx

    return cyclonedx(reports, serial=uuid.uuid4(), time=dt.datetime.now(dt.UTC))


def _write(to: str, data: bytes) -> None:
    if to == _STDOUT:
        sys.stdout.buffer.write(data)
        sys.stdout.flush()
        return
    from credenza.files import is_special, write_whole

    path = Path(to)
    if is_special(path):  # /dev/stderr, a named pipe, a shell's >(…)
        try:
            path.write_bytes(data)
        except OSError as e:
            raise InputError(f"{to} cannot be written: {e.strerror}") from e
    else:
        write_whole(Path(os.path.realpath(path)), data)  # through links: /dev/stdout is one
