"""A malicious artefact, as a frozen value: what it is, what it goes by, and its bytes.

Every payload is inert: where one ran, it would create an empty file called `MARKER` in the
current directory, or would fail because the host that it asks for does not exist (192.0.2.1 is
for documentation, RFC 5737). Nothing here runs when a vector is built: the bytes are put
together opcode by opcode, field by field.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from credenza.findings import Severity

MARKER: Final = "credenza-was-here"
"""What a payload that ran leaves behind in the current directory."""
COMMAND: Final = f"touch {MARKER}"
"""A payload for a shell."""
SOURCE: Final = f"open({MARKER!r},'w').close()"
"""A payload in Python: an expression, and a statement."""
NOWHERE: Final = "http://192.0.2.1/x"
"""An address that leads to nobody."""


class Form:
    """How the bytes of a vector may be written differently and still do the same."""

    PICKLE = "pickle"
    """A pickle, or several in a row: opcode by opcode."""
    TORCH = "torch"
    """A zip whose first pickle holds the payload; members under torch's names."""
    JSON = "json"
    TEMPLATE = "template"
    """JSON with a Jinja template in it, or the template itself."""
    PYTHON = "python"
    PROTOBUF = "protobuf"
    OPAQUE = "opaque"
    """As it is: only what is around it may change."""
    BOMB = "bomb"
    """It costs seconds to look at: once is enough."""
    NAMED = "named"
    """The name or the place is what is malicious; nothing may change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Malicious:
    """Files that lie in one folder, of which at least one is not to be trusted.

    ``reference`` says who found the class: a CVE, an advisory, an issue, a paper, or a section of
    the research. A scan must find it at ``least`` or above; ``unread_will_do`` where it cannot be
    read by us at all, and saying so is the answer. ``live`` names the loader by which a test
    shows that the payload of the first file really runs.
    """

    name: str
    category: str
    reference: str
    files: tuple[tuple[str, bytes], ...]
    form: str = Form.OPAQUE
    least: Severity = Severity.HIGH
    unread_will_do: bool = False
    live: str = ""

    @property
    def path(self) -> str:
        """The name of the first file, which holds the payload."""
        return self.files[0][0]

    @property
    def data(self) -> bytes:
        """The bytes of the first file."""
        return self.files[0][1]

    def lay(self, folder: Path) -> Path:
        """Write its files below ``folder``, which is made; ``folder``."""
        folder.mkdir(parents=True)
        for path, data in self.files:
            at = folder / path
            at.parent.mkdir(parents=True, exist_ok=True)
            at.write_bytes(data)
        return folder
