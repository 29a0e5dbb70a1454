"""Witnesses: others who remember how long a log was, and cosign only what continues that.

https://c2sp.org/tlog-witness, section add-checkpoint: the request, and a client of it.
"""

from __future__ import annotations

import http.client
import time
from dataclasses import dataclass
from urllib.parse import urlsplit

from credenza.errors import ConflictError, InputError, UntrustedError
from credenza.ledger import refusals
from credenza.ledger.checkpoint import Checkpoint
from credenza.ledger.keys import VerifierKey
from credenza.ledger.log import Ledger
from credenza.ledger.note import LARGEST_NOTE, MOST_SIGNATURES, Note, NoteSignature
from credenza.ledger.spelling import hash_from, number, to_base64

ADD_CHECKPOINT = "/add-checkpoint"
SIZE_TYPE = "text/x.tlog.size"
MOST_HASHES = 63
LARGEST_REQUEST = LARGEST_NOTE + 64 * 64  # a checkpoint, an old size and 63 hashes in base64
_TRIES = 4


@dataclass(frozen=True, slots=True)
class Request:
    """What a witness is asked: to cosign a checkpoint that continues the log of ``old`` entries.

    ``Request.parse(bytes(r)) == r``, and ``parse`` accepts nothing that ``bytes`` would not have
    written.
    """

    old: int
    proof: tuple[bytes, ...]
    checkpoint: Note

    @classmethod
    def parse(cls, data: bytes) -> Request:
        """Read a request's body. Raises `InputError` for anything else."""
        if len(data) > LARGEST_REQUEST:
            raise InputError(f"request: at most {LARGEST_REQUEST} bytes expected, more found")
        head, blank, note = data.partition(b"\n\n")
        try:
            old, *hashes = head.decode().split("\n")
        except UnicodeDecodeError as e:
            raise InputError("request: UTF-8 expected, other bytes found") from e
        if not blank or not old.startswith("old "):
            raise InputError("request: lines of an old size and a proof, and a checkpoint expected")
        if len(hashes) > MOST_HASHES:
            raise InputError(f"request: at most {MOST_HASHES} hashes expected, {len(hashes)} found")
        return cls(
            number(old.removeprefix("old "), "request: old size"),
            tuple(hash_from(line, "request: proof") for line in hashes),
            Note.parse(note),
        )

    def __bytes__(self) -> bytes:
        lines = [f"old {self.old}", *map(to_base64, self.proof)]
        return "\n".join(lines).encode() + b"\n\n" + bytes(self.checkpoint)


@dataclass(frozen=True, slots=True)
class Witness:
    """Where a witness is asked, whose signature it gives, and how many seconds it is waited for."""

    key: VerifierKey
    url: str
    timeout: float = 10.0

    def __post_init__(self) -> None:
        try:
            parts = urlsplit(self.url)
            good = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        except ValueError:
            good = False
        if not good:
            raise InputError(f"witness: an http or https URL expected, {self.url!r} given")

    def cosign(self, ledger: Ledger) -> Note:
        """The log's present checkpoint with this witness's cosignatures, which the log keeps too.

        Raises `AlteredError` with rule ``ledger.rolled-back`` or ``ledger.forked`` where the
        witness has seen more of the log, or another history; `UntrustedError` where it does not
        know the log, or does not sign with its key; `ConflictError` where it is busy with the same
        log; `InputError` where it cannot be reached or answers in another way.
        """
        note = ledger.checkpoint()
        signatures = self._asked(ledger, note)
        cosigned = note.joined(signatures)
        self.key.check(cosigned)
        ledger.cosigned(cosigned)
        return cosigned

    def _asked(self, ledger: Ledger, note: Note) -> tuple[NoteSignature, ...]:
        checkpoint = Checkpoint.parse(note.text)
        old = 0
        for _ in range(_TRIES):
            proof = ledger.prove_consistency(old, note)
            status, body = self._post(bytes(Request(old, proof, note)))
            if status == 200:
                return self._signatures(body)
            if status == 422:
                raise refusals.forked(self.url, checkpoint, f"another history of {old} entries")
            if status != 409:
                raise self._refusal(status, body)
            seen = number(_text(body).removesuffix("\n"), "witness: size")
            if seen > checkpoint.size:
                raise refusals.rolled_back(self.url, _of_size(checkpoint, seen), checkpoint.size)
            if seen == old == checkpoint.size:
                raise refusals.forked(self.url, checkpoint, "another root of this size")
            old = seen
        raise ConflictError(f"{self.url}: the witness moved on {_TRIES} times meanwhile")

    def _signatures(self, body: bytes) -> tuple[NoteSignature, ...]:
        lines = _text(body).split("\n")
        if lines.pop() != "" or not lines or len(lines) > MOST_SIGNATURES:
            raise InputError(f"{self.url}: signature lines expected, another answer came")
        parsed = [NoteSignature.parse(line) for line in lines]
        return tuple(s for s in parsed if (s.name, s.key_id) == (self.key.name, self.key.id))

    def _refusal(self, status: int, body: bytes) -> Exception:
        said = body[:200].decode(errors="replace").strip()
        if status in (403, 404):
            return UntrustedError(f"{self.url}: it does not know this log or its key ({said})")
        return InputError(f"{self.url}: it answered {status} ({said})")

    def _post(self, body: bytes) -> tuple[int, bytes]:
        parts = urlsplit(self.url)
        secure = parts.scheme == "https"
        kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        connection = kind(parts.hostname or "", parts.port, timeout=self.timeout)
        try:
            connection.request("POST", parts.path.rstrip("/") + ADD_CHECKPOINT, body)
            response = connection.getresponse()
            answer = self._body(response)
        except (OSError, http.client.HTTPException, ValueError) as e:
            raise InputError(f"{self.url} cannot be asked: {e or type(e).__name__}") from e
        finally:
            connection.close()
        return response.status, answer

    def _body(self, response: http.client.HTTPResponse) -> bytes:
        end, body = time.monotonic() + self.timeout, b""
        while part := response.read1(LARGEST_NOTE):
            body += part
            if len(body) > LARGEST_NOTE or time.monotonic() > end:
                raise InputError(f"{self.url}: too long an answer, or one that came too slowly")
        return body


def _of_size(checkpoint: Checkpoint, size: int) -> Checkpoint:
    """What a witness that only tells a size has seen: the root is not known."""
    return Checkpoint(checkpoint.origin, size, bytes(32))


def _text(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError as e:
        raise InputError("witness: UTF-8 expected, other bytes came") from e
