"""PKCS #11 URIs: RFC 7512, as far as they name a key to sign with."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote_to_bytes

from credenza.errors import InputError
from credenza.files import read_whole

_TOKEN = ("token", "manufacturer", "serial", "model")
_PATH = (*_TOKEN, "object", "type", "id", "slot-id")
_QUERY = ("module-path", "pin-source", "pin-value")
# RFC 7512, 2.3: pk11-pchar and pk11-qchar; each is a little more than what RFC 3986 leaves alone.
_PATH_VALUE = re.compile(r"(?:[A-Za-z0-9\-._~:\[\]@!$'()*+,=&]|%[0-9A-Fa-f]{2})*")
_QUERY_VALUE = re.compile(r"(?:[A-Za-z0-9\-._~:\[\]@!$'()*+,=/?|]|%[0-9A-Fa-f]{2})*")
_LARGEST_PIN_FILE = 4096


@dataclass(frozen=True, slots=True)
class Pkcs11Uri:
    """Which token and which key on it; what was left out may be anything.

    ``token`` holds pairs of an attribute (``token`` for its label, ``serial``, ``model``,
    ``manufacturer``) and its value.
    """

    module_path: str
    token: tuple[tuple[str, str], ...] = ()
    slot: int | None = None
    label: str | None = None
    id: bytes | None = None
    pin_value: str | None = field(default=None, repr=False)
    pin_source: str | None = None

    @classmethod
    def parse(cls, uri: str) -> Pkcs11Uri:
        """Read a URI.

        Raises `InputError` for an attribute that is unknown, given twice or not well-formed, for
        one that names no private key, and where the module is not named.
        """
        path, _, query = uri.partition(":")[2].partition("?")
        at = _attributes(path, ";", _PATH, _PATH_VALUE) | _attributes(
            query, "&", _QUERY, _QUERY_VALUE
        )
        if "module-path" not in at:
            raise InputError(
                "pkcs11: module-path expected, none found",
                hint="pkcs11:token=…;object=…?module-path=/usr/lib/….so",
            )
        if at.get("type", b"private") != b"private":
            raise InputError(f"pkcs11: type=private expected, {_text(at, 'type')!r} found")
        if "pin-value" in at and "pin-source" in at:
            raise InputError("pkcs11: one of pin-value and pin-source expected, both found")
        slot = at.get("slot-id")
        if slot is not None and not (slot.isdigit() and len(slot) <= 20):
            raise InputError("pkcs11: slot-id: a number expected")
        return cls(
            module_path=_text(at, "module-path") or "",
            token=tuple((name, _text(at, name) or "") for name in _TOKEN if name in at),
            slot=None if slot is None else int(slot),
            label=_text(at, "object"),
            id=at.get("id"),
            pin_value=_text(at, "pin-value"),
            pin_source=_text(at, "pin-source"),
        )

    @property
    def pin(self) -> str | None:
        """The PIN that the URI holds or points to, or none.

        Raises `InputError` where ``pin-source`` is no file that its owner alone can read; a
        command (``|…``) is never run.
        """
        if self.pin_source is None:
            return self.pin_value
        if self.pin_source.startswith("|"):
            raise InputError("pkcs11: pin-source: a file expected, a command found")
        path = Path(self.pin_source.removeprefix("file:").removeprefix("//"))
        data = read_whole(path, limit=_LARGEST_PIN_FILE, owner_only=True)
        try:
            return data.decode().rstrip("\r\n")
        except UnicodeDecodeError as e:
            raise InputError(f"{path}: a PIN in UTF-8 expected") from e


def _attributes(
    part: str, separator: str, known: tuple[str, ...], value: re.Pattern[str]
) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for pair in part.split(separator) if part else ():
        name, equals, text = pair.partition("=")
        if name not in known or not equals:
            raise InputError(f"pkcs11: {', '.join(known)} expected, {name!r} found")
        if name in found:
            raise InputError(f"pkcs11: {name}: one expected, two found")
        if value.fullmatch(text) is None:
            raise InputError(f"pkcs11: {name}: not percent-encoded as RFC 7512 says")
        found[name] = unquote_to_bytes(text)
    return found


def _text(attributes: dict[str, bytes], name: str) -> str | None:
    try:
        return attributes[name].decode() if name in attributes else None
    except UnicodeDecodeError as e:
        raise InputError(f"pkcs11: {name}: UTF-8 expected") from e
