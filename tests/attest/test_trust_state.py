"""What a verifier has seen does not come back as something older, or as something else."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import pytest

from credenza.attest import Subject, Trust
from credenza.attest.release import Release
from credenza.attest.roles import Role
from credenza.attest.trust_chain import Chain
from credenza.attest.trust_state import State
from credenza.errors import (
    CredenzaError,
    ExpiredTrustError,
    ForkError,
    InputError,
    ReleaseRollbackError,
    TrustChainError,
    TrustRollbackError,
)
from tests.attest.people import BOB, CAROL, NOW, PAST, chain, document, line, with_role


@pytest.fixture
def state(tmp_path: Path) -> State:
    return State(tmp_path / "more" / "bank.state")


def released(version: int, *, name: str = "reader", root: str = "5e" * 32) -> Release:
    return Release(Subject("reader", "credenza-blake3", root), name, version, NOW)


def test_it_moves_forward_and_not_back(state: State) -> None:
    one, two = chain(document(1)), chain(document(1), document(2))
    state.advance(one)
    state.advance(two)
    with pytest.raises(TrustRollbackError, match="version 2 of 'Bank' was seen, version 1 given"):
        state.advance(one)
    state.check(two)


def test_it_is_held_against_what_was_seen_when_it_is_read(tmp_path: Path, state: State) -> None:
    new, old = tmp_path / "new", tmp_path / "old"
    new.write_bytes(bytes(chain(document(1), document(2))))
    old.write_bytes(bytes(chain(document(1))))
    assert Trust.read(new, state=state).version == 2
    with pytest.raises(TrustRollbackError):
        Trust.read(old, state=state)
    assert Trust.read(old).version == 1


def test_another_document_of_one_version_is_a_fork(state: State) -> None:
    state.advance(chain(document(1)))
    with pytest.raises(ForkError, match="two documents are 'Bank' version 1"):
        state.advance(chain(document(1, require=("trainer",))))
    with pytest.raises(ForkError):
        state.advance(chain(document(1, require=("trainer",)), document(2)))


def test_the_same_document_with_another_signature_is_no_fork(state: State) -> None:
    state.advance(chain(document(1)))
    state.advance(Chain.of([line(document(1), BOB)]))


def test_a_chain_that_begins_with_the_next_version_goes_on(state: State) -> None:
    state.advance(chain(document(1)))
    state.advance(chain(document(2)))
    with pytest.raises(TrustChainError, match="'Bank' version 3 expected, 'Bank' version 4"):
        state.advance(chain(document(4)))


def test_a_takeover_is_not_followed(state: State) -> None:
    """Whole in itself, and signed by nobody who could follow what was seen."""
    state.advance(chain(document(1)))
    usurped = document(2, roles=with_role(Role("root", ("carol",), 1)))
    with pytest.raises(TrustChainError, match="what follows 'Bank' version 1"):
        state.advance(Chain.of([line(usurped, CAROL)]))


def test_another_name_is_refused(state: State) -> None:
    state.advance(chain(document(1)))
    with pytest.raises(TrustChainError, match="'Bank' was seen here before, 'Bench' was given"):
        state.advance(chain(document(1, name="Bench")))


def test_an_expired_document_is_not_remembered(tmp_path: Path, state: State) -> None:
    (tmp_path / "t").write_bytes(bytes(chain(document(expires=PAST))))
    with pytest.raises(ExpiredTrustError):
        Trust.read(tmp_path / "t", state=state)
    assert not state.path.exists()


@pytest.mark.parametrize("version", [6, 7, 8])
def test_a_release_from_both_sides(state: State, version: int) -> None:
    state.advance(chain(), [released(7)])
    if version < 7:
        with pytest.raises(ReleaseRollbackError, match="released as version 7 before"):
            state.advance(chain(), [released(version)])
    else:
        state.advance(chain(), [released(version)])
        state.check(chain(), [released(version), released(1, name="other")])


def test_two_models_under_one_release_are_a_fork(state: State) -> None:
    state.advance(chain(), [released(7)])
    with pytest.raises(ForkError, match="two models were released as 'reader' version 7"):
        state.advance(chain(), [released(7, root="00" * 32)])
    state.advance(chain(), [released(8, root="00" * 32)])


def test_a_refusal_changes_nothing(state: State) -> None:
    state.advance(chain(document(1), document(2)), [released(7)])
    before = state.path.read_bytes()
    for bad in ([released(8), released(6)], [released(9, name="x"), released(7, root="00" * 32)]):
        with pytest.raises(CredenzaError):
            state.advance(chain(document(1), document(2)), bad)
    assert state.path.read_bytes() == before


def test_where_nothing_is_new_nothing_is_written(state: State) -> None:
    state.advance(chain(), [released(7)])
    before = state.path.stat()
    state.advance(chain(), [released(7)])
    after = state.path.stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    assert before.st_mode & 0o777 == 0o600


def test_a_damaged_state_is_refused_and_kept(state: State) -> None:
    state.advance(chain(), [released(7)])
    good = state.path.read_bytes()
    for place in range(0, len(good), 3):
        changed = bytearray(good)
        changed[place] ^= 1 << place % 8
        state.path.write_bytes(changed)
        with pytest.raises(InputError, match="not a trust state as it was written"):
            state.advance(chain(document(1), document(2)))
        assert state.path.read_bytes() == changed
    for cut in (0, 1, len(good) - 1):
        state.path.write_bytes(good[:cut])
        with pytest.raises(InputError):
            state.advance(chain())


def test_what_cannot_be_read_or_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError):
        State(tmp_path / "file" / "state").advance(chain())
    with pytest.raises(InputError):
        State(tmp_path).advance(chain())
    (tmp_path / "nowhere").symlink_to(tmp_path / "none")
    with pytest.raises(InputError):
        State(tmp_path / "nowhere").advance(chain())


def test_bare_keys_have_no_state(state: State) -> None:
    with pytest.raises(InputError, match="only what a trust document says has a state"):
        Trust((BOB.public,), state=state)


def _advance(path: Path, worker: int) -> None:
    for version in range(1, 15):
        try:
            State(path).advance(chain(), [released(version * 4 + worker, name=f"n{worker % 2}")])
        except ReleaseRollbackError:
            continue


def test_two_processes_lose_nothing(state: State) -> None:
    fork = multiprocessing.get_context("fork")
    workers = [fork.Process(target=_advance, args=(state.path, i)) for i in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
        assert worker.exitcode == 0
    for name, highest in (("n0", 58), ("n1", 59)):
        state.check(chain(), [released(highest, name=name)])
        with pytest.raises(ReleaseRollbackError, match=f"version {highest} before"):
            state.check(chain(), [released(highest - 1, name=name)])
