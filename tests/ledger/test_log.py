from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from credenza.errors import (
    AlteredError,
    CredenzaError,
    InputError,
    MalformedError,
    UntrustedError,
)
from credenza.ledger import (
    Checkpoint,
    Ledger,
    Note,
    Policy,
    Receipt,
    SigningKey,
    check_consistency,
    check_receipt,
)
from credenza.ledger.tree import EMPTY
from tests.ledger.logs import KEY, ORIGIN, act, copied, envelope, filled

# Appends acts of one actor, and prints the index of each one that is acknowledged.
_WRITER = """
import sys
from credenza.ledger import Ledger
from tests.ledger.logs import act
ledger = Ledger.open(sys.argv[1])
for i in range(int(sys.argv[3])):
    print(ledger.append(act(i, sys.argv[2])).index, flush=True)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger"


def rule(error: CredenzaError) -> str:
    if isinstance(error, AlteredError):
        return error.report.findings[0].rule
    assert isinstance(error, MalformedError)
    return error.finding.rule


def head(ledger: Ledger) -> Checkpoint:
    return Checkpoint.parse(ledger.checkpoint().text)


def test_what_was_appended_is_read_in_order(path: Path) -> None:
    receipts = filled(path, 9)
    ledger = Ledger.open(path)

    assert [r.content for r in ledger] == [envelope(n) if n % 3 == 2 else act(n) for n in range(9)]
    assert [r.index for r in receipts] == [r.index for r in ledger] == list(range(9))
    assert [r.index for r in ledger.records(3, 6)] == [3, 4, 5]
    assert [r.leaf.kind for r in ledger.records(1, 3)] == ["act", "envelope"]
    checked = ledger.verify(*receipts)
    assert (checked.checkpoint.size, checked.kept, checked.not_kept) == (9, 9, 0)


@pytest.mark.parametrize("size", [255, 256, 257, 513, 600])
def test_logs_of_several_bundles(path: Path, size: int) -> None:
    receipts = filled(path, size)

    checked = Ledger.open(path).verify(*receipts)

    assert (checked.checkpoint.size, checked.kept) == (size, size)
    assert [r.index for r in Ledger.open(path).records(250, 260)] == list(
        range(250, min(260, size))
    )


def test_a_new_ledger_is_empty(path: Path) -> None:
    ledger = Ledger.create(path, ORIGIN)

    assert list(ledger) == []
    assert head(ledger).head == EMPTY
    assert ledger.verify().checkpoint.size == 0
    assert ledger.append_many([]) == []
    with pytest.raises(InputError, match="entry 0 to -1 expected"):
        ledger.prove(0)


def test_a_receipt_proves_its_content_and_no_other(path: Path) -> None:
    receipts = filled(path, 9)
    policy = Policy(Ledger.open(path).vkey)

    for n, receipt in enumerate(receipts):
        content = envelope(n) if n % 3 == 2 else act(n)
        assert check_receipt(receipt, content, policy).size >= n
        for other in (act(n + 1), envelope(n + 1)):
            with pytest.raises(UntrustedError, match="inclusion"):
                check_receipt(receipt, other, policy)


def test_an_entry_is_proved_under_a_later_and_an_earlier_checkpoint(path: Path) -> None:
    receipts = filled(path, 9)
    ledger = Ledger.open(path)

    assert ledger.prove(2).checkpoint == ledger.checkpoint()
    check_receipt(ledger.prove(2), envelope(2), Policy(ledger.vkey))
    assert ledger.prove(2, receipts[2].checkpoint) == receipts[2]
    with pytest.raises(InputError, match="entry 0 to 8 expected, 9 given"):
        ledger.prove(9)
    with pytest.raises(InputError, match="entry 0 to 2 expected, 3 given"):
        ledger.prove(3, receipts[2].checkpoint)


def test_a_later_head_is_proved_to_extend_an_earlier_one(path: Path) -> None:
    receipts = filled(path, 9)
    ledger = Ledger.open(path)

    for receipt in receipts:
        old = Checkpoint.parse(receipt.checkpoint.text)
        proof = ledger.prove_consistency(old.size)
        check_consistency(old.head, head(ledger).head, proof)
    with pytest.raises(InputError, match="size 0 to 9 expected"):
        ledger.prove_consistency(10)


def test_the_checkpoint_is_signed_by_the_key_beside_the_ledger(path: Path) -> None:
    filled(path)
    other = SigningKey.new(ORIGIN)

    with pytest.raises(UntrustedError, match="no signature by"):
        Ledger.open(path, other.verifier).verify()
    path.with_name("ledger.vkey").write_text(f"{other.verifier}\n")
    with pytest.raises(UntrustedError, match="no signature by"):
        Ledger.open(path).verify()
    with pytest.raises(InputError, match="the key of"):
        Ledger.open(path).append(act())


def test_without_the_key_a_ledger_is_read_and_not_written(path: Path) -> None:
    filled(path)
    path.with_name("ledger.key").unlink()
    ledger = Ledger.open(path)

    assert ledger.verify().checkpoint.size == 4
    with pytest.raises(InputError, match="the log's key is needed to append"):
        ledger.append(act())
    assert ledger.verify().checkpoint.size == 4


def test_no_ledger_is_made_over_another(path: Path) -> None:
    filled(path)
    before = path.with_name("ledger.key").read_bytes()

    with pytest.raises(InputError, match="File exists"):
        Ledger.create(path, ORIGIN)
    assert Ledger.open(path).verify().checkpoint.size == 4
    assert path.with_name("ledger.key").read_bytes() == before
    copied(path, "other.folder")
    (path.with_name("key-alone.key")).touch()
    with pytest.raises(InputError, match="exists already"):
        Ledger.create(path.with_name("key-alone"), ORIGIN)
    assert not path.with_name("key-alone").exists()


@pytest.mark.parametrize("origin", ["", "a b", "a+b", "a\nb", "a\u202eb"])
def test_an_origin_that_is_no_keys_name_is_refused(path: Path, origin: str) -> None:
    with pytest.raises(InputError, match="key name"):
        Ledger.create(path, origin)
    assert list(path.parent.iterdir()) == []


def test_a_missing_ledger_is_named_with_what_makes_it(path: Path) -> None:
    with pytest.raises(InputError, match="there is none") as refused:
        Ledger.open(path)
    assert "credenza log new" in refused.value.hint


def test_contents_may_be_deleted_and_nothing_else(path: Path) -> None:
    receipts = filled(path, 300)
    ledger = Ledger.open(path)
    (path / "content/000.p/003").unlink()  # the batch of entries 3 to 5
    checked = ledger.verify(*receipts)

    assert (checked.kept, checked.not_kept) == (297, 3)
    assert [r.index for r in ledger if r.content is None] == [3, 4, 5]
    ledger.append(act(300))
    assert ledger.verify(*receipts).checkpoint.size == 301


def test_partial_tiles_are_deleted_when_the_full_one_is_there(path: Path) -> None:
    filled(path, 255)
    assert (path / "tile/0/000.p").is_dir()

    Ledger.open(path).append(act())

    files = {str(p.relative_to(path)) for p in path.rglob("*") if p.is_file()}
    assert {f for f in files if f.startswith("tile")} == {
        "tile/0/000",
        "tile/1/000.p/1",
        "tile/entries/000",
    }


def test_a_reader_of_an_earlier_checkpoint_goes_on(path: Path) -> None:
    filled(path, 255)
    earlier = (path / "checkpoint").read_bytes()
    Ledger.open(path).append_many([act(n) for n in range(300)])
    (path / "checkpoint").write_bytes(earlier)

    assert Ledger.open(path).verify().checkpoint.size == 255


def test_every_flipped_byte_is_refused_or_does_not_matter(path: Path) -> None:
    receipts = filled(path, 7)
    whole = Ledger.open(path).verify(receipts[-1])
    needed = ("checkpoint", "tile/0/000.p/7", "tile/entries/000.p/7", "content/")
    files = [p for p in sorted(path.rglob("*")) if p.is_file()]

    for file in files:
        name, data = str(file.relative_to(path)), file.read_bytes()
        for at in range(len(data)):
            file.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
            if name.startswith(needed):
                with pytest.raises((AlteredError, MalformedError, UntrustedError)):
                    Ledger.open(path).verify(receipts[-1])
            else:  # a partial tile or bundle of an earlier checkpoint
                assert Ledger.open(path).verify(receipts[-1]) == whole
        file.write_bytes(data)
    assert len(files) > len(needed)


def test_every_flipped_byte_of_full_tiles_and_bundles_is_refused(path: Path) -> None:
    filled(path, 257)
    for name, step in (("tile/0/000", 701), ("tile/entries/000", 997), ("tile/1/000.p/1", 5)):
        data = (path / name).read_bytes()
        for at in range(0, len(data), step):
            (path / name).write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
            with pytest.raises((AlteredError, MalformedError)):
                Ledger.open(path).verify()
        (path / name).write_bytes(data)


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("checkpoint", "ledger.missing"),
        ("tile/0/000.p/4", "ledger.missing"),
        ("tile/entries/000.p/4", "ledger.missing"),
    ],
)
def test_a_missing_file_is_named(path: Path, file: str, expected: str) -> None:
    filled(path)
    (path / file).unlink()

    with pytest.raises(AlteredError, match=file) as refused:
        Ledger.open(path).verify()
    assert rule(refused.value) == expected


@pytest.mark.parametrize(
    ("file", "spoil", "expected"),
    [
        ("tile/0/000.p/4", lambda d: d[:-32], "ledger.tile-altered"),
        ("tile/0/000.p/4", lambda d: d + d[:32], "ledger.tile-altered"),
        ("tile/entries/000.p/4", lambda d: d[:-3], "ledger.malformed"),
        ("tile/entries/000.p/4", lambda d: d + b"\0\0", "ledger.malformed"),
        ("tile/entries/000.p/4", lambda d: d[77:] + d[:77], "ledger.entry-altered"),
        ("content/000.p/000", lambda d: d.replace(b"Ada", b"Eve"), "ledger.content-altered"),
        ("content/000.p/000", lambda d: d + b"\0", "ledger.malformed"),
        ("checkpoint", lambda d: d + b"\n", "ledger.malformed"),
    ],
)
def test_what_is_wrong_is_said(path: Path, file: str, spoil: object, expected: str) -> None:
    filled(path)
    assert callable(spoil)
    (path / file).write_bytes(spoil((path / file).read_bytes()))

    with pytest.raises((AlteredError, MalformedError)) as refused:
        Ledger.open(path).verify()
    assert rule(refused.value) == expected


def test_a_link_is_not_followed(path: Path) -> None:
    filled(path)
    checkpoint = path / "checkpoint"
    checkpoint.rename(path.with_name("elsewhere"))
    checkpoint.symlink_to(path.with_name("elsewhere"))

    with pytest.raises(InputError, match="cannot be read"):
        Ledger.open(path).verify()


def test_a_rollback_shows_against_a_receipt_a_checkpoint_and_the_same_object(path: Path) -> None:
    receipts = filled(path)
    old = copied(path, "old")
    ledger = Ledger.open(path)
    last = ledger.append(act(9))
    for file in (path / "checkpoint", path / "tile", path / "content"):
        subprocess.run(["rm", "-r", file], check=True)
        subprocess.run(["cp", "-r", old / file.name, file], check=True)

    assert Ledger.open(path).verify(*receipts).checkpoint.size == 4
    for check in (
        lambda: Ledger.open(path).verify(last),
        lambda: Ledger.open(path).verify(last.checkpoint),
        ledger.verify,
        lambda: ledger.append(act(10)),
    ):
        with pytest.raises(AlteredError, match="fewer entries") as refused:
            check()
        assert rule(refused.value) == "ledger.rolled-back"


def test_a_history_written_anew_shows_against_receipts_and_the_same_object(path: Path) -> None:
    receipts = filled(path, 6)
    fork = copied(path, "fork")
    seen = Ledger.open(path)
    seen.verify()
    subprocess.run(["rm", "-r", fork], check=True)
    key = SigningKey.read(path.with_name("ledger.key"))
    anew = Ledger.create(fork, ORIGIN, key)
    anew.append_many([act(100 if n == 1 else n) for n in range(8)])

    assert anew.verify(receipts[0]).checkpoint.size == 8
    for receipt in receipts[1:]:
        with pytest.raises(AlteredError, match="another history") as refused:
            anew.verify(receipt)
        assert rule(refused.value) == "ledger.forked"
    for name in ("checkpoint", "tile", "content"):
        subprocess.run(["rm", "-r", path / name], check=True)
        subprocess.run(["cp", "-r", fork / name, path / name], check=True)
    for check in (seen.verify, lambda: seen.append(act())):
        with pytest.raises(AlteredError, match="another history"):
            check()


def test_a_checkpoint_of_another_log_is_no_earlier_one(path: Path) -> None:
    filled(path)
    other = Ledger.create(path.with_name("other"), "example.com/other")

    with pytest.raises(UntrustedError, match="no signature by"):
        Ledger.open(path).verify(other.checkpoint())


def test_a_checkpoint_under_the_logs_key_and_another_origin_is_refused(path: Path) -> None:
    filled(path)
    key = SigningKey.read(path.with_name("ledger.key"))
    text = (path / "checkpoint").read_text().split("\n\n")[0].replace(ORIGIN, "other") + "\n"
    (path / "checkpoint").write_bytes(bytes(Note(text, (key.sign(text),))))

    with pytest.raises(UntrustedError, match=r"of log 'example[.]com/log' expected, 'other' found"):
        Ledger.open(path).verify()


def test_a_writer_refuses_to_extend_what_is_altered(path: Path) -> None:
    filled(path)
    data = (path / "tile/entries/000.p/4").read_bytes()
    (path / "tile/entries/000.p/4").write_bytes(data[:-1] + bytes([data[-1] ^ 1]))

    with pytest.raises((AlteredError, MalformedError)):
        Ledger.open(path).append(act(4))
    assert not (path / "tile/entries/000.p/5").exists()


def test_what_a_killed_writer_left_is_not_seen_and_overwritten(path: Path) -> None:
    filled(path)
    for left in ("tile/0/000.p/5", "tile/entries/000.p/5", "content/000.p/004", "content/001"):
        (path / left).parent.mkdir(exist_ok=True, parents=True)
        (path / left).write_bytes(b"half of a batc")
    ledger = Ledger.open(path)

    assert ledger.verify().checkpoint.size == 4
    receipt = ledger.append(act(4))
    assert ledger.verify(receipt).kept == 5


def test_threads_share_batches(path: Path) -> None:
    ledger = Ledger.create(path, ORIGIN)
    receipts: list[Receipt] = []

    def work(actor: str) -> None:
        receipts.extend(ledger.append(act(n, actor)) for n in range(25))

    threads = [threading.Thread(target=work, args=(f"t{i}",)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(r.index for r in receipts) == list(range(200))
    assert ledger.verify(*receipts).kept == 200
    sizes = {Checkpoint.parse(r.checkpoint.text).size for r in receipts}
    assert len(sizes) < 200  # so some were written together
    contents = [r.content for r in ledger]
    for i in range(8):
        mine = [act(n, f"t{i}") for n in range(25)]
        assert [c for c in contents if c in mine] == mine


def test_an_error_of_a_batch_reaches_each_of_its_threads(path: Path) -> None:
    filled(path)
    ledger = Ledger.open(path)
    (path / "checkpoint").unlink()
    errors: list[CredenzaError] = []

    def work() -> None:
        try:
            ledger.append(act())
        except CredenzaError as e:
            errors.append(e)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [rule(e) for e in errors] == ["ledger.missing"] * 4


def test_two_processes_do_not_fork_it(path: Path) -> None:
    Ledger.create(path, ORIGIN)
    command = [sys.executable, "-c", _WRITER, str(path)]
    writers = [
        subprocess.Popen([*command, actor, "40"], stdout=subprocess.PIPE, text=True)
        for actor in ("Ada", "Bob")
    ]
    printed = [process.communicate()[0].split() for process in writers]

    assert sorted(int(index) for lines in printed for index in lines) == list(range(80))
    ledger = Ledger.open(path)
    assert ledger.verify().kept == 80
    contents = [r.content for r in ledger]
    for actor in ("Ada", "Bob"):
        mine = [act(n, actor) for n in range(40)]
        assert [c for c in contents if c in mine] == mine


def test_a_key_of_another_log_is_refused(path: Path) -> None:
    filled(path)
    with pytest.raises(InputError, match="the key of"):
        Ledger.open(path, key=KEY).append(act())
    with pytest.raises(InputError, match="a key named"):
        Ledger.create(path.with_name("b"), "example.com/b", KEY)
