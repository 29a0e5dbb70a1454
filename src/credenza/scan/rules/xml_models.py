"""XML: PMML, OpenVINO and whatever else. Entities, references to elsewhere, scripts.

Expat reads it as a stream, resolves nothing, and stops at the first entity that is declared.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, final
from xml.parsers import expat

from credenza.findings import Finding, Severity, Unread, Where
from credenza.scan.interface import Piece, Said, Seen
from credenza.scan.kept import Kept

_CHUNK: Final = 1 << 16
_DEEPEST: Final = 512
_MOST_SEEN: Final = 100
_BEGINS: Final = re.compile(
    rb"(\xef\xbb\xbf|\xff\xfe|\xfe\xff)?\s*(<\0?\?\0?x|<PMML|<net |<!DOCTYPE (?!html))"
)
_XINCLUDE: Final = "http://www.w3.org/2001/XInclude"
_SCRIPTS: Final = frozenset(("script", "javascript", "python", "java", "code", "exec", "eval"))
_KNOWN_TYPES: Final = ("-//W3C//", "-//OASIS//", "http://www.w3.org/", "http://www.dmg.org/")


@final
@dataclass(frozen=True, slots=True)
class XmlModels:
    """Looks at each declaration and element of an XML file."""

    name: str = "xml"

    def claims(self, piece: Piece) -> bool:
        if piece.said == Said.DATA:
            return False
        return _is_named(piece) or _BEGINS.match(piece.head(256)) is not None

    def examine(self, piece: Piece) -> Iterator[Seen]:
        reading = _Reading()
        why = reading.read(piece)
        yield from reading.kept.seen
        if why:
            yield Unread(where=Where(), why=why)


def _is_named(piece: Piece) -> bool:
    return piece.path.lower().endswith((".pmml", ".xml"))


class _StopError(Exception):
    """Nothing behind this is read."""


class _Reading:
    def __init__(self) -> None:
        self.kept = Kept(_MOST_SEEN)
        self.depth = 0
        self.extension = 0
        self.root = ""
        self.parser = parser = expat.ParserCreate(namespace_separator=" ")
        parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = self.doctype
        parser.EntityDeclHandler = self.entity
        parser.ProcessingInstructionHandler = self.instruction
        parser.StartElementHandler = self.start
        parser.EndElementHandler = self.end

    def read(self, piece: Piece) -> str:
        """Look at all of it; why that did not reach the end, or nothing."""
        try:
            for at in range(0, piece.size, _CHUNK):
                self.parser.Parse(piece.pread(at, min(_CHUNK, piece.size - at)), False)
            self.parser.Parse(b"", True)
        except _StopError as e:
            return str(e)
        except (expat.ExpatError, ValueError, LookupError) as e:
            return f"it is not XML to its end: {e}"[:200]
        return ""

    def say(self, rule: str, severity: Severity, what: str, found: str) -> None:
        where = Where(start=max(0, self.parser.CurrentByteIndex))
        shown = ascii(found)[1:120].rstrip("'")
        self.kept.add(Finding(rule=rule, severity=severity, what=what, where=where, found=shown))

    def doctype(self, name: str, system: str | None, public: str | None, _: bool) -> None:
        if system is None or name.lower() == "html":
            return
        known = (public or system).startswith(_KNOWN_TYPES)
        remote = "://" in system or system.startswith(("//", "\\\\", "/"))
        severity = Severity.NOTE if known else Severity.HIGH if remote else Severity.LOW
        self.say("scan.xml-outside", severity, "its document type lies elsewhere", system)

    def entity(
        self,
        name: str,
        parameter: bool,
        value: str | None,
        _: str | None,
        system: str | None,
        public: str | None,
        __: str | None,
    ) -> None:
        if value is None:
            what = "it declares an entity that stands for a file or an address"
            self.say("scan.xml-entity", Severity.CRITICAL, what, system or public or name)
        elif parameter or "&" in value or "%" in value:
            what = "it declares an entity that is made of others"
            self.say("scan.xml-entity", Severity.CRITICAL, what, name)
        else:
            what = "it declares an entity, which no model needs"
            self.say("scan.xml-entity", Severity.HIGH, what, name)
        raise _StopError("what follows an entity's declaration is not read")

    def instruction(self, target: str, data: str) -> None:
        if target.lower() == "xml-stylesheet":
            remote = "://" in data
            severity = Severity.HIGH if remote else Severity.LOW
            self.say("scan.xml-outside", severity, "it names a style sheet", data)
        elif target.lower() in ("php", "python", "import"):
            self.say("scan.xml-script", Severity.HIGH, "it holds a script", target)

    def start(self, name: str, attributes: dict[str, str]) -> None:
        space, _, local = name.rpartition(" ")
        self.depth += 1
        if self.depth > _DEEPEST:
            self.say("scan.config-nested", Severity.MEDIUM, "elements nest too deep", local)
            raise _StopError(f"elements nest more than {_DEEPEST} deep")
        self.root = self.root or local
        if space == _XINCLUDE:
            what = "it includes another file"
            self.say("scan.xml-outside", Severity.HIGH, what, attributes.get("href", local))
        lower = local.lower()
        if lower == "script" or (self.extension and lower in _SCRIPTS):
            self.say("scan.xml-script", Severity.HIGH, "it holds a script", local)
        if lower == "extension":
            self.extension += 1
            self._extension(attributes)
        if lower == "apply":
            self._function(attributes.get("function", ""))
        if self.root == "net" and lower == "layer":
            self._layer(attributes)

    def end(self, name: str) -> None:
        self.depth -= 1
        if name.rpartition(" ")[2].lower() == "extension":
            self.extension -= 1

    def _extension(self, attributes: dict[str, str]) -> None:
        """PMML's ``<Extension>`` holds whatever a vendor likes; some hold programs."""
        name = attributes.get("name", "").lower()
        value = attributes.get("value", "")
        if name in _SCRIPTS or re.search(
            r"<script|javascript:|Runtime\.|__import__|\bexec\(", value
        ):
            self.say("scan.xml-script", Severity.HIGH, "an extension holds a script", name or value)

    def _function(self, name: str) -> None:
        """PMML's own functions have no dots; JPMML takes a dotted one for a class of Java."""
        if re.fullmatch(r"[A-Za-z_$][\w$]*(\.[A-Za-z_$][\w$]*)+", name):
            own = name.startswith(("java.", "javax.", "jdk.", "sun.", "com.sun."))
            severity = Severity.HIGH if own else Severity.MEDIUM
            self.say("scan.xml-script", severity, "it calls a class of Java by its name", name)

    def _layer(self, attributes: dict[str, str]) -> None:
        version = attributes.get("version", "")
        if version and not re.fullmatch(r"opset\d+|experimental", version):
            type_ = attributes.get("type", "")
            what = "a layer comes from an extension of OpenVINO"
            self.say("scan.xml-layer", Severity.LOW, what, f"{version} {type_}")
