"""Witnesses: what they answer, and what a log makes of it."""

from __future__ import annotations

import http.client
import http.server
import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path

import pytest

from credenza.errors import AlteredError, ConflictError, CredenzaError, InputError, UntrustedError
from credenza.ledger import (
    Checkpoint,
    Kind,
    Ledger,
    Note,
    NoteSignature,
    Policy,
    SigningKey,
    check_receipt,
)
from credenza.ledger.witness import LARGEST_REQUEST, SIZE_TYPE, Request, Witness
from credenza.ledger.witnessing import Answer, Memory, Service
from tests.ledger.logs import KEY, ORIGIN, act

# c2sp.org/tlog-witness, add-checkpoint; the keys are not published
REQUEST = """\
old 20852014
PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=
jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=
5+pKlUdi2LeF/BcMHBn+Ku6yhPGNCswZZD1X/6QgPd8=
/6WVhPs2CwSsb5rYBH5cjHV/wSmA79abXAwhXw3Kj/0=

example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

— example.com/behind-the-sofa \
Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
— example.com/behind-the-sofa \
opLqBQsREYCgu6xQkYQwJr9fo45a62DN9EdmHXnZdXNqlcVGlCum2Wks+49/V6267UEjw6QUXTS5Rovnzv++qbSzm9Q=
"""
RESPONSE = """\
— witness.example/w1 CMp+6LWBU0anHGH5aNDTJkH/gj79sG+T6+iP2ThYN5krrDJbR1HDnucjL39QsZTSvVjyQLrdk3DX\
DqI5G2HgLatVs0pWh6Up69HVOw==
— witness.example/w1 I7rEps0pvK2UqkS2gSpVUDhrhVtQV9lgF6pRrWAvjJHjyWpW7VcE3SiOlVlbQNt64vWhO+DlkL0+\
UfzuOBMh9ChdMkP1vi/lCAsmlw==
— witness.example/w2 AWui8Sk55XjYLOijihBjhqEH6nS1ndDymE0a+6idX7pLcnoB+dhnz0854aLZgrrKbYKA7nC3HNJh\
m/kWl7oJlqU3rXXvpysAdyP3wQ==
"""
WITNESS = SigningKey("witness.example/w1", Kind.COSIGNER, bytes(32))


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    ledger = Ledger.create(tmp_path / "ledger", ORIGIN, KEY)
    ledger.append_many([act(n) for n in range(5)])
    return ledger


@pytest.fixture
def memory(tmp_path: Path) -> Memory:
    return Memory(WITNESS, tmp_path / "state", [KEY.verifier])


def signed(checkpoint: Checkpoint, key: SigningKey = KEY) -> Note:
    return Note(str(checkpoint), (key.sign(str(checkpoint)),))


def asked(memory: Memory, ledger: Ledger, old: int, note: Note | None = None) -> Answer:
    note = note or ledger.checkpoint()
    return memory.answer(bytes(Request(old, ledger.prove_consistency(old, note), note)))


@contextmanager
def served(memory: Memory) -> Iterator[str]:
    with Service(memory, "127.0.0.1", 0) as service:
        thread = threading.Thread(target=service.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield service.url
        finally:
            service.shutdown()
            thread.join()


@contextmanager
def answering(*answers: tuple[int, bytes]) -> Iterator[str]:
    """A witness that gives these answers, one after the other, whatever it is asked."""
    left = list(answers)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            status, body = left.pop(0)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def rule(error: AlteredError) -> str:
    return error.report.findings[0].rule


def test_the_examples_of_tlog_witness() -> None:
    request = Request.parse(REQUEST.encode())
    assert bytes(request) == REQUEST.encode()
    assert (request.old, len(request.proof)) == (20852014, 4)
    lines = [NoteSignature.parse(line) for line in RESPONSE.splitlines()]
    assert "".join(f"{line}\n" for line in lines) == RESPONSE
    assert {len(line.signature) for line in lines} == {72}


def test_a_witness_cosigns_what_continues(ledger: Ledger, memory: Memory) -> None:
    for old, more in ((0, 0), (5, 0), (5, 3), (8, 300)):
        ledger.append_many([act(n) for n in range(more)])
        answer = asked(memory, ledger, old)
        assert answer.status == HTTPStatus.OK
        line = NoteSignature.parse(answer.body.decode().removesuffix("\n"))
        note = Note(ledger.checkpoint().text, (line,))
        assert WITNESS.verifier.check(note) > 1_700_000_000


def test_the_status_of_each_refusal(ledger: Ledger, memory: Memory, tmp_path: Path) -> None:
    assert asked(memory, ledger, 0).status == HTTPStatus.OK
    ledger.append_many([act(n) for n in range(3)])
    note, proof = ledger.checkpoint(), ledger.prove_consistency(5)
    size = Checkpoint.parse(note.text)
    unknown = signed(
        Checkpoint("example.com/b", 8, size.root), SigningKey("example.com/b", Kind.LOG, bytes(32))
    )
    forged = Note(note.text, (SigningKey(ORIGIN, Kind.LOG, bytes(32)).sign(note.text),))
    other = signed(Checkpoint(ORIGIN, 8, bytes(32)))

    for status, request in (
        (400, Request(9, (), note)),
        (403, Request(5, proof, forged)),
        (404, Request(5, proof, unknown)),
        (409, Request(0, (), note)),
        (409, Request(4, ledger.prove_consistency(4), note)),
        (422, Request(5, proof[:-1], note)),
        (422, Request(5, (), note)),
        (422, Request(5, proof, other)),
        (200, Request(5, proof, note)),
        (409, Request(8, (), other)),
        (422, Request(8, proof, note)),
        (409, Request(5, proof, note)),
    ):
        answer = memory.answer(bytes(request))
        assert answer.status == status, (status, request)
        if status == 409:
            assert answer.content_type == SIZE_TYPE
            assert answer.body in (b"5\n", b"8\n")
    assert memory.answer(b"old 5\n\nnothing").status == 400


def test_an_empty_log_is_cosigned_if_it_is_empty(tmp_path: Path, memory: Memory) -> None:
    ledger = Ledger.create(tmp_path / "empty", ORIGIN, KEY)
    assert asked(memory, ledger, 0).status == HTTPStatus.OK
    wrong = signed(Checkpoint(ORIGIN, 0, bytes(32)))
    assert memory.answer(bytes(Request(0, (), wrong))).status == HTTPStatus.CONFLICT


def test_a_witness_remembers_before_it_signs(ledger: Ledger, tmp_path: Path) -> None:
    state = tmp_path / "state"
    memory = Memory(WITNESS, state, [KEY.verifier])
    assert asked(memory, ledger, 0).status == HTTPStatus.OK

    again = Memory(WITNESS, state, [KEY.verifier])
    assert asked(again, ledger, 0).body == b"5\n"
    [file] = state.iterdir()
    assert file.read_bytes() == bytes(ledger.checkpoint())


def test_a_state_that_was_altered_is_no_memory(ledger: Ledger, memory: Memory) -> None:
    asked(memory, ledger, 0)
    [file] = memory._state.iterdir()
    file.write_bytes(file.read_bytes().replace(b"\n5\n", b"\n4\n"))

    with pytest.raises(UntrustedError, match="is wrong"):
        asked(memory, ledger, 5)


def test_a_state_that_cannot_be_written_gives_no_signature(ledger: Ledger, memory: Memory) -> None:
    shutil.rmtree(memory._state)
    with pytest.raises(InputError, match="cannot be opened"):
        asked(memory, ledger, 0)


def test_of_two_forks_at_one_time_one_is_cosigned(tmp_path: Path, memory: Memory) -> None:
    """The race of tlog-witness, add-checkpoint, and that of a log that forks on purpose."""
    forks = [Ledger.create(tmp_path / f"f{i}", ORIGIN, KEY) for i in range(8)]
    for i, fork in enumerate(forks):
        fork.append(act(i))
    answers: list[Answer] = []
    go = threading.Barrier(8)

    def ask(fork: Ledger) -> None:
        go.wait()
        answers.append(asked(memory, fork, 0))

    threads = [threading.Thread(target=ask, args=(fork,)) for fork in forks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(a.status for a in answers) == [200] + [409] * 7


@pytest.mark.parametrize("kind", [Kind.COSIGNER, Kind.COSIGNER_ML_DSA])
def test_a_log_asks_a_witness_over_http(ledger: Ledger, tmp_path: Path, kind: Kind) -> None:
    key = SigningKey("w", kind, bytes(32))
    memory = Memory(key, tmp_path / "state", [KEY.verifier])
    with served(memory) as url:
        witness = Witness(key.verifier, url)
        witness.cosign(ledger)
        ledger.append_many([act(n) for n in range(7)])
        cosigned = witness.cosign(ledger)
        assert witness.cosign(ledger).text == cosigned.text

    assert ledger.checkpoint().text == cosigned.text
    policy = Policy(KEY.verifier, (key.verifier,))
    assert check_receipt(ledger.prove(7), act(2), policy).size == 12
    assert ledger.verify().checkpoint.size == 12


def test_a_log_that_was_rolled_back_is_told_by_its_witness(
    ledger: Ledger, memory: Memory, tmp_path: Path
) -> None:
    old = Ledger.create(tmp_path / "old", ORIGIN, KEY)
    old.append_many([act(n) for n in range(3)])
    with served(memory) as url:
        witness = Witness(WITNESS.verifier, url)
        witness.cosign(ledger)
        with pytest.raises(AlteredError, match="5 or more, found 3 entries") as refused:
            witness.cosign(old)
    assert rule(refused.value) == "ledger.rolled-back"


@pytest.mark.parametrize("size", [5, 6, 300])
def test_a_log_that_forked_is_told_by_its_witness(
    ledger: Ledger, memory: Memory, tmp_path: Path, size: int
) -> None:
    fork = Ledger.create(tmp_path / "fork", ORIGIN, KEY)
    fork.append_many([act(n + 1) for n in range(size)])
    with served(memory) as url:
        witness = Witness(WITNESS.verifier, url)
        witness.cosign(ledger)
        with pytest.raises(AlteredError, match="another history") as refused:
            witness.cosign(fork)
    assert rule(refused.value) == "ledger.forked"
    assert len(fork.checkpoint().signatures) == 1


def test_a_witness_that_does_not_know_the_log(ledger: Ledger, tmp_path: Path) -> None:
    for known in ("example.com/other", ORIGIN):
        stranger = SigningKey(known, Kind.LOG, bytes(32)).verifier
        memory = Memory(WITNESS, tmp_path / known[-3:], [stranger])
        refusal = pytest.raises(UntrustedError, match="does not know this log or its key")
        with served(memory) as url, refusal:
            Witness(WITNESS.verifier, url).cosign(ledger)


@pytest.mark.parametrize(
    ("answers", "error"),
    [
        ([(500, b"")], InputError),
        ([(302, b"")], InputError),
        ([(409, b"five\n")], InputError),
        ([(409, b"\xff\n")], InputError),
        ([(409, b"2\n")] * 9, ConflictError),
        ([(200, b"")], InputError),
        ([(200, b"hello\n")], InputError),
        ([(200, f"{WITNESS.sign(str(Checkpoint('a', 1, bytes(32))))}\n".encode())], UntrustedError),
        ([(200, RESPONSE.encode())], UntrustedError),
        ([(200, b"\xff" * 300_000)], InputError),
    ],
)
def test_another_answer_is_refused(
    ledger: Ledger, answers: list[tuple[int, bytes]], error: type[CredenzaError]
) -> None:
    before = ledger.checkpoint()
    with answering(*answers) as url, pytest.raises(error):
        Witness(WITNESS.verifier, url).cosign(ledger)
    assert ledger.checkpoint() == before


def test_a_witness_that_is_not_there_or_silent(ledger: Ledger) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(InputError, match="cannot be asked"):
            Witness(WITNESS.verifier, url, timeout=0.2).cosign(ledger)
    with pytest.raises(InputError, match="cannot be asked"):
        Witness(WITNESS.verifier, url).cosign(ledger)


@pytest.mark.parametrize("url", ["", "w", "ftp://a", "http://", "http://a:x", "http://[", "//a"])
def test_no_url_of_a_witness(url: str) -> None:
    with pytest.raises(InputError, match="an http or https URL"):
        Witness(WITNESS.verifier, url)


@pytest.mark.parametrize(
    ("method", "path", "length", "status"),
    [
        ("POST", "/other", "0", 404),
        ("POST", "/add-checkpoint", "0", 400),
        ("POST", "/add-checkpoint", str(LARGEST_REQUEST + 1), 400),
        ("POST", "/add-checkpoint", "-1", 400),
        ("POST", "/add-checkpoint", "²", 400),
        ("POST", "/add-checkpoint", "9" * 5000, 400),
        ("GET", "/add-checkpoint", "0", 501),
    ],
)
def test_what_is_no_request(
    memory: Memory, method: str, path: str, length: str, status: int
) -> None:
    with served(memory) as url:
        connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=5)
        connection.putrequest(method, path)
        connection.putheader("Content-Length", length.encode())
        connection.endheaders()
        assert connection.getresponse().status == status
        connection.close()


def test_a_service_whose_state_is_gone_says_so(ledger: Ledger, memory: Memory) -> None:
    shutil.rmtree(memory._state)
    with served(memory) as url, pytest.raises(InputError, match="answered 500"):
        Witness(WITNESS.verifier, url).cosign(ledger)


def test_an_address_that_is_taken(memory: Memory) -> None:
    refusal = pytest.raises(InputError, match="cannot be listened to")
    with socket.create_server(("127.0.0.1", 0)) as taken, refusal:
        Service(memory, "127.0.0.1", taken.getsockname()[1])
    with pytest.raises(InputError, match="cannot be listened to"):
        Service(memory, "127.0.0.1", 70_000)


@pytest.mark.parametrize(
    "make",
    [
        lambda state: Memory(KEY, state, [KEY.verifier]),
        lambda state: Memory(WITNESS, state, []),
        lambda state: Memory(WITNESS, state, [KEY.verifier, KEY.verifier]),
        lambda state: Memory(WITNESS, state / "no" / "such", [KEY.verifier]),
    ],
)
def test_a_witness_that_cannot_be(tmp_path: Path, make: Callable[[Path], Memory]) -> None:
    with pytest.raises(InputError):
        make(tmp_path / "state")
