"""PEM (RFC 7468) in its strict form: one block, lines of 64 characters, and nothing else."""

from __future__ import annotations

import base64
import re

_BLOCK = re.compile(rb"-----BEGIN ([A-Z0-9 ]{1,64})-----\n([A-Za-z0-9+/=\n]+)-----END \1-----\n?")


def armour(label: str, der: bytes) -> bytes:
    """``der`` as a PEM file holds it."""
    text = base64.b64encode(der)
    lines = [text[i : i + 64] for i in range(0, len(text), 64)]
    return b"\n".join([b"-----BEGIN %s-----" % label.encode(), *lines, b"-----END %s-----\n"]) % (
        label.encode()
    )


def unarmour(data: bytes) -> tuple[str, bytes]:
    """The label and the bytes of the one block that is all of ``data``.

    Lines may end as they do on Windows, and the last line need not end. Raises `ValueError` for
    anything else: several blocks, text around one, lines of another length, stray bits.
    """
    text = data.replace(b"\r\n", b"\n")
    match = _BLOCK.fullmatch(text)
    if match is None:
        raise ValueError("one PEM block expected, and nothing else in the file")
    label = match[1].decode()
    der = base64.b64decode(match[2].replace(b"\n", b""), validate=True)
    if armour(label, der).rstrip(b"\n") != text.rstrip(b"\n"):
        raise ValueError("a PEM block in lines of 64 characters, without stray bits, expected")
    return label, der
