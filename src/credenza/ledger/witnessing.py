"""A witness's service: what it remembers, and what it answers.

https://c2sp.org/tlog-witness, section add-checkpoint: the server.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import http.server
import os
import re
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import final

from credenza.errors import CredenzaError, InputError, UntrustedError
from credenza.files import read_whole, write_whole
from credenza.ledger.algorithms import Kind
from credenza.ledger.checkpoint import Checkpoint
from credenza.ledger.keys import SigningKey, VerifierKey
from credenza.ledger.note import LARGEST_NOTE, Note
from credenza.ledger.receipt import Policy
from credenza.ledger.tree import EMPTY, Head, check_consistency
from credenza.ledger.witness import ADD_CHECKPOINT, LARGEST_REQUEST, SIZE_TYPE, Request

_PATIENCE = 10.0  # seconds for a whole request
_MOST_AT_ONCE = 64
_LENGTH = re.compile(r"[0-9]{1,9}")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a request is answered."""

    status: HTTPStatus
    body: bytes
    content_type: str = "text/plain; charset=utf-8"


@final
class Memory:
    """What a witness has cosigned: the newest checkpoint of each of the logs that it knows.

    Its state is a folder with a file for each log, replaced atomically and synced before a
    cosignature is given. Raises `InputError` without a log, for one that is named twice, and for a
    key that is not a cosigner's.
    """

    def __init__(self, key: SigningKey, state: Path, logs: Sequence[VerifierKey]) -> None:
        if key.kind is Kind.LOG:
            raise InputError("witness: a cosigner's key expected, a log's given")
        if not logs or len({log.name for log in logs}) < len(logs):
            raise InputError("witness: logs expected, each once")
        self._key = key
        self._state = state
        self._logs = {log.name: Policy(log) for log in logs}
        self._mutex = threading.Lock()
        try:
            state.mkdir(exist_ok=True)
        except OSError as e:
            raise InputError(f"{state} cannot be made: {e.strerror}") from e

    def answer(self, body: bytes) -> Answer:
        """Check, remember and cosign; or say why not, with the status that the page gives for it.

        Raises `CredenzaError` where the state cannot be read or written.
        """
        try:
            request = Request.parse(body)
            checkpoint = Checkpoint.parse(request.checkpoint.text)
        except InputError as e:
            return _no(HTTPStatus.BAD_REQUEST, str(e))
        log = self._logs.get(checkpoint.origin)
        if log is None:
            return _no(HTTPStatus.NOT_FOUND, "no such log is known here")
        try:
            log.check(request.checkpoint)
        except UntrustedError as e:
            return _no(HTTPStatus.FORBIDDEN, str(e))
        if request.old > checkpoint.size:
            return _no(HTTPStatus.BAD_REQUEST, "old size above the checkpoint's")
        with self._alone():
            return self._cosigned(log, request, checkpoint)

    def _cosigned(self, log: Policy, request: Request, checkpoint: Checkpoint) -> Answer:
        seen = self._seen(log)
        differs = request.old == checkpoint.size and seen.root != checkpoint.root
        if request.old != seen.size or differs:
            return Answer(HTTPStatus.CONFLICT, f"{seen.size}\n".encode(), SIZE_TYPE)
        try:
            check_consistency(seen, checkpoint.head, request.proof)
        except UntrustedError as e:
            return _no(HTTPStatus.UNPROCESSABLE_ENTITY, str(e))
        signature = self._key.sign(request.checkpoint.text)
        write_whole(self._file(checkpoint.origin), bytes(request.checkpoint))
        return Answer(HTTPStatus.OK, f"{signature}\n".encode())

    def _seen(self, log: Policy) -> Head:
        """The newest head of that log, whose signature is checked again."""
        path = self._file(log.log.name)
        if not path.exists():
            return EMPTY
        return log.check(Note.parse(read_whole(path, limit=LARGEST_NOTE))).head

    def _file(self, origin: str) -> Path:
        return self._state / hashlib.sha256(origin.encode()).hexdigest()

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """No other thread, and no other process with this state, checks and remembers meanwhile."""
        with self._mutex:
            try:
                handle = os.open(self._state, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            except OSError as e:
                raise InputError(f"{self._state} cannot be opened: {e.strerror}") from e
            try:
                fcntl.flock(handle, fcntl.LOCK_EX)
                yield
            finally:
                os.close(handle)


class Service(http.server.ThreadingHTTPServer):
    """Serves a witness's memory on ``host`` and ``port``, until `shutdown`.

    A request has 10 seconds, and 64 are served at once; put a proxy in front of it where strangers
    reach it. Raises `InputError` where the address cannot be had.
    """

    daemon_threads = True

    def __init__(self, memory: Memory, host: str, port: int) -> None:
        self.memory = memory
        self._free = threading.BoundedSemaphore(_MOST_AT_ONCE)
        try:
            super().__init__((host, port), _Handler)
        except (OSError, OverflowError) as e:
            raise InputError(f"{host}:{port} cannot be listened to: {e}") from e

    @property
    def url(self) -> str:
        """Where it is asked."""
        host, port = self.server_address[:2]
        return f"http://{host!s}:{port}"

    def process_request(self, request: object, client_address: object) -> None:
        if not self._free.acquire(timeout=_PATIENCE):
            assert isinstance(request, socket.socket)  # noqa: S101  what a stream server accepts
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)  # type: ignore[arg-type]  # as above

    def process_request_thread(self, request: object, client_address: object) -> None:
        try:
            super().process_request_thread(request, client_address)  # type: ignore[arg-type]
        finally:
            self._free.release()


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Service
    protocol_version = "HTTP/1.1"  # keeps connections
    timeout = _PATIENCE
    server_version = "credenza"
    sys_version = ""

    def do_POST(self) -> None:
        if self.path != ADD_CHECKPOINT:
            self._send(_no(HTTPStatus.NOT_FOUND, f"POST {ADD_CHECKPOINT} is what there is"))
            return
        length = self.headers.get("Content-Length", "")
        if not _LENGTH.fullmatch(length) or int(length) > LARGEST_REQUEST:
            self.close_connection = True
            too_long = f"a length of at most {LARGEST_REQUEST} bytes expected"
            self._send(_no(HTTPStatus.BAD_REQUEST, too_long))
            return
        body = self._body(int(length))
        if body is None:
            self.close_connection = True
            return
        try:
            answer = self.server.memory.answer(body)
        except (CredenzaError, OSError) as e:
            self.log_error("%s", e)
            answer = _no(HTTPStatus.INTERNAL_SERVER_ERROR, "the state cannot be read or written")
        self._send(answer)

    def _body(self, length: int) -> bytes | None:
        """All of the body, or None where it does not come in time."""
        end, parts = time.monotonic() + _PATIENCE, []
        while length and time.monotonic() < end:
            part = self.rfile.read1(length)
            if not part:
                return None
            length -= len(part)
            parts.append(part)
        return None if length else b"".join(parts)

    def _send(self, answer: Answer) -> None:
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)


def _no(status: HTTPStatus, why: str) -> Answer:
    return Answer(status, f"{why}\n".encode())
