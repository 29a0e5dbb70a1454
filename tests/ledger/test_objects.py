"""A log in an object store: one in memory that replaces conditionally, and one that cannot."""

from __future__ import annotations

import threading
from pathlib import Path

import obstore
import pytest
from obstore.store import LocalStore, MemoryStore

from credenza.errors import AlteredError, ConflictError, InputError
from credenza.ledger import Checkpoint, Ledger, Policy, Receipt, check_receipt
from credenza.ledger.objects import Objects
from tests.ledger.logs import KEY, ORIGIN, act


def names(store: MemoryStore) -> set[str]:
    return {meta["path"] for batch in obstore.list(store) for meta in batch}


def test_a_log_in_a_store_is_laid_out_as_in_a_folder(tmp_path: Path) -> None:
    store = MemoryStore()
    receipts: list[Receipt] = []
    for ledger in (
        Ledger.create(Objects(store, "logs/a/"), ORIGIN, KEY),
        Ledger.create(tmp_path / "a", ORIGIN, KEY),
    ):
        receipts = ledger.append_many([act(n) for n in range(300)])
        receipts += [ledger.append(act(n)) for n in range(300, 310)]
        assert ledger.verify(*receipts).kept == 310

    files = {f"logs/a/{p.relative_to(tmp_path / 'a')}" for p in tmp_path.rglob("*") if p.is_file()}
    assert names(store) == files | {"logs/a/committed"}
    for name in files:
        data = (tmp_path / name.removeprefix("logs/")).read_bytes()
        assert bytes(obstore.get(store, name).bytes()) == data
    reader = Ledger.open(Objects(store, "logs/a"), KEY.verifier)
    assert [r.content for r in reader] == [act(n) for n in range(310)]
    check_receipt(reader.prove(7), act(7), Policy(KEY.verifier))
    with pytest.raises(InputError, match="key is needed"):
        reader.append(act())


def test_writers_that_race_do_not_fork_it() -> None:
    store = MemoryStore()
    Ledger.create(Objects(store), ORIGIN, KEY)
    receipts: list[Receipt] = []
    errors: list[ConflictError] = []

    def work(actor: str) -> None:
        ledger = Ledger.open(Objects(store), key=KEY)
        for n in range(12):
            try:
                receipts.append(ledger.append(act(n, actor)))
            except ConflictError as e:
                errors.append(e)

    threads = [threading.Thread(target=work, args=(f"t{i}",)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    ledger = Ledger.open(Objects(store), KEY.verifier)
    checked = ledger.verify(*receipts)
    assert len({r.index for r in receipts}) == len(receipts) == 48 - len(errors)
    assert checked.checkpoint.size >= len(receipts)
    assert checked.not_kept == 0
    assert not [name for name in names(store) if name.startswith("staging")]


def test_what_was_committed_is_finished_by_the_next_writer() -> None:
    """A writer that dies between the two conditional puts has acknowledged nothing, and has won."""
    store = MemoryStore()
    ledger = Ledger.create(Objects(store), ORIGIN, KEY)
    ledger.append(act(0))
    dying = Objects(store)
    finish = dying._finish
    calls = 0

    def dies() -> None:
        nonlocal calls
        calls += 1
        if calls == 2:  # before it writes, it finishes others' work; after it has won, its own
            raise InputError("killed")
        finish()

    dying._finish = dies  # type: ignore[method-assign]  # a store cannot be told to die
    with pytest.raises(InputError, match="killed"):
        Ledger.open(dying, key=KEY).append_many([act(n) for n in range(1, 300)])
    assert ledger.verify().checkpoint.size == 1
    assert any(name.startswith("staging/") for name in names(store))

    ledger.append(act(300))

    assert [r.content for r in ledger] == [act(n) for n in range(301)]
    assert not [name for name in names(store) if name.startswith("staging")]


def test_a_loser_changes_nothing() -> None:
    store = MemoryStore()
    ledger = Ledger.create(Objects(store), ORIGIN, KEY)
    storage = Objects(store)
    before = bytes(ledger.checkpoint())
    ledger.append(act())

    with pytest.raises(ConflictError):
        storage.commit({"tile/0/000.p/1": b"other"}, b"other", replacing=before)
    with pytest.raises(ConflictError):
        storage.commit({}, b"other", replacing=None)
    assert ledger.verify().checkpoint.size == 1


def test_an_altered_object_is_refused() -> None:
    store = MemoryStore()
    ledger = Ledger.create(Objects(store), ORIGIN, KEY)
    ledger.append_many([act(n) for n in range(3)])
    obstore.put(store, "tile/0/000.p/3", bytes(96))

    with pytest.raises(AlteredError, match="not those that were recorded"):
        Ledger.open(Objects(store), KEY.verifier).verify()


def test_a_store_without_conditional_puts_is_refused(tmp_path: Path) -> None:
    store = Objects(LocalStore(tmp_path))
    ledger = Ledger.create(store, ORIGIN, KEY)

    with pytest.raises(InputError, match="the object store says"):
        ledger.append(act())
    assert Checkpoint.parse(ledger.checkpoint().text).size == 0


def test_a_store_needs_a_key_to_check_with() -> None:
    with pytest.raises(InputError, match="a key to check"):
        Ledger.open(Objects(MemoryStore()))
    with pytest.raises(AlteredError, match="missing"):
        Ledger.open(Objects(MemoryStore()), KEY.verifier).verify()
