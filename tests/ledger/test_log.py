from __future__ import annotations

import resource
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from credenza.errors import AlteredError, CredenzaError, InputError, MalformedError, UntrustedError
from credenza.ledger import Entry, Head, Ledger, Receipt, check_consistency
from credenza.ledger.tree import head_of, leaf_hash

# Appends entries of one actor, and prints the index and root of each one that is acknowledged.
_WRITER = """
import sys
from credenza.ledger import Entry, Ledger
ledger = Ledger.open(sys.argv[1])
for i in range(int(sys.argv[3])):
    entry = Entry(time="2026-11-23T21:30:00Z", action="sealed", root="", actor=sys.argv[2],
                  detail=(("n", str(i)),))
    receipt = ledger.append(entry)
    print(i, receipt.index, receipt.head.root.hex(), flush=True)
"""


def entry(actor: str = "Ada", n: int = 0) -> Entry:
    detail = (("n", str(n)),)
    return Entry(
        time="2026-11-23T21:30:00Z", action="sealed", root="0f" * 32, actor=actor, detail=detail
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger"


def filled(path: Path, size: int = 4) -> list[Receipt]:
    ledger = Ledger.open(path)
    return [ledger.append(entry(n=i)) for i in range(size)]


def writer(path: Path, actor: str, count: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", _WRITER, str(path), actor, str(count)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def place_of(error: CredenzaError) -> int | None:
    """The byte that a refusal names."""
    if isinstance(error, AlteredError):
        return error.report.findings[0].where.start
    assert isinstance(error, MalformedError)
    return error.finding.where.start


def test_what_was_appended_is_read_in_order(path: Path) -> None:
    receipts = filled(path)

    assert list(Ledger.open(path)) == [entry(n=i) for i in range(4)]
    assert [r.index for r in receipts] == [0, 1, 2, 3]
    assert Ledger.open(path).verify(*receipts) == receipts[-1].head


def test_the_head_is_the_merkle_tree_head_over_the_entries(path: Path) -> None:
    filled(path)

    assert Ledger.open(path).head() == head_of([leaf_hash(bytes(entry(n=i))) for i in range(4)])


def test_a_receipt_proves_its_entry_and_no_other(path: Path) -> None:
    for i, receipt in enumerate(filled(path, 9)):
        receipt.check(entry(n=i))
        with pytest.raises(UntrustedError):
            receipt.check(entry(n=i + 1))


def test_an_entry_is_proved_under_a_later_head(path: Path) -> None:
    filled(path, 9)
    ledger = Ledger.open(path)

    receipt = ledger.prove(2)

    receipt.check(entry(n=2))
    assert receipt.head == ledger.head()
    with pytest.raises(InputError, match="entry 0 to 8 expected, 9 given"):
        ledger.prove(9)


def test_a_later_head_is_proved_to_extend_an_earlier_one(path: Path) -> None:
    receipts = filled(path, 9)
    ledger = Ledger.open(path)

    for receipt in receipts:
        head, proof = ledger.prove_consistency(receipt.head.size)
        check_consistency(receipt.head, head, proof)
    with pytest.raises(InputError, match="size 0 to 9 expected"):
        ledger.prove_consistency(10)


def test_a_new_ledger_is_empty_and_has_the_empty_head(path: Path) -> None:
    ledger = Ledger.open(path)

    assert list(ledger) == []
    assert ledger.verify() == head_of([])


def test_every_flipped_bit_is_refused_at_its_entry(path: Path) -> None:
    filled(path)
    data = path.read_bytes()
    lines = data.splitlines(keepends=True)
    starts = [sum(map(len, lines[:i])) for i in range(len(lines))]

    for at in range(len(data)):
        for bit in range(8):
            path.write_bytes(data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :])
            with pytest.raises((AlteredError, MalformedError)) as refused:
                Ledger.open(path).verify()
            assert place_of(refused.value) == max(start for start in starts if start <= at)


@pytest.mark.parametrize(
    ("order", "position"),
    [((0, 2, 1, 3), 1), ((1, 2, 3), 0), ((0, 1, 3), 2), ((0, 1, 1, 2, 3), 2), ((3, 2, 1, 0), 0)],
)
def test_entries_removed_repeated_or_reordered_are_refused(
    path: Path, order: tuple[int, ...], position: int
) -> None:
    filled(path)
    header, *lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(header + b"".join(lines[i] for i in order))

    with pytest.raises(AlteredError, match=f"entry {position} is not the one"):
        Ledger.open(path).verify()


def test_entries_cut_off_the_end_show_against_a_receipt(path: Path) -> None:
    receipts = filled(path)
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))
    ledger = Ledger.open(path)

    assert ledger.verify(*receipts[:3]).size == 3
    with pytest.raises(AlteredError, match=r"4 entries .* found 3 entries"):
        ledger.verify(receipts[3])


def test_a_history_written_anew_shows_against_a_receipt(path: Path) -> None:
    receipts = filled(path)
    path.unlink()
    forged = Ledger.open(path)
    for i in range(6):
        forged.append(entry(n=100 if i == 1 else i))

    assert forged.verify(receipts[0]).size == 6
    for receipt in receipts[1:]:
        with pytest.raises(AlteredError) as refused:
            forged.verify(receipt)
        assert refused.value.report.findings[0].rule == "ledger.rolled-back"


def test_a_torn_line_is_reported_by_readers_and_cut_by_the_writer(path: Path) -> None:
    receipts = filled(path)
    whole = path.read_bytes()
    torn = whole[:-10]
    path.write_bytes(torn)
    ledger = Ledger.open(path)

    with pytest.raises(MalformedError, match="entry 3, the last, was not written") as refused:
        ledger.verify()
    assert refused.value.finding.rule == "ledger.torn"
    with pytest.raises(MalformedError, match="not written"):
        list(ledger)
    assert path.read_bytes() == torn

    receipt = ledger.append(entry(n=9))

    assert [e.action for e in ledger] == ["sealed"] * 3 + ["recovered", "sealed"]
    assert receipt.index == 4
    assert ledger.verify(*receipts[:3], receipt).size == 5
    with pytest.raises(AlteredError):  # an acknowledged entry that is torn was tampered with
        ledger.verify(receipts[3])


@pytest.mark.parametrize("size", [1, 40, 70, 200])
def test_garbage_behind_the_last_line_is_torn_too(path: Path, size: int) -> None:
    filled(path)
    with path.open("ab") as file:
        file.write(bytes(size))

    Ledger.open(path).append(entry())

    assert Ledger.open(path).verify().size == 6


@pytest.mark.parametrize("data", [b"", b"credenza ledger v2\n", b"credenza ledger v1"])
def test_another_file_is_neither_read_nor_written(path: Path, data: bytes) -> None:
    path.write_bytes(data)

    with pytest.raises(MalformedError, match="the header is not in the ledger's format"):
        Ledger.open(path).verify()
    with pytest.raises(MalformedError, match="the header is not in the ledger's format"):
        Ledger.open(path).append(entry())
    assert path.read_bytes() == data


def test_a_writer_refuses_to_extend_what_changed_under_it(path: Path) -> None:
    filled(path)
    ledger = Ledger.open(path)
    ledger.append(entry(n=4))
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:-1]))

    with pytest.raises(AlteredError, match="entry 4 is not the one"):
        ledger.append(entry(n=5))
    assert path.read_bytes() == b"".join(lines[:-1])


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="missing"):
        Ledger.open(tmp_path / "missing" / "ledger")


def test_a_full_disk_leaves_the_old_state(path: Path) -> None:
    receipts = filled(path)
    before = path.read_bytes()
    limit = f"""
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, ({len(before) + 50}, {resource.RLIM_INFINITY}))
"""
    command = [sys.executable, "-c", limit + _WRITER, str(path), "Bob", "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert "InputError" in done.stderr
    assert "cannot be written" in done.stderr
    assert done.stdout == ""
    assert path.read_bytes() == before
    assert Ledger.open(path).verify(*receipts) == receipts[-1].head


def test_acknowledged_entries_survive_kill_9(path: Path) -> None:
    rng = np.random.default_rng(11)
    acknowledged: dict[int, str] = {}
    for run in range(20):
        process = writer(path, f"run {run}", 1_000_000)
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(int(rng.integers(1, 30)))]
        process.send_signal(signal.SIGKILL)
        lines += process.stdout.read().splitlines(keepends=True)
        process.stdout.close()
        process.wait()
        for line in lines:
            if line.endswith("\n"):
                _, index, root = line.split()
                acknowledged[int(index)] = root

    ledger = Ledger.open(path)
    ledger.append(entry())  # cuts what the last one may have left unfinished
    receipts = [Receipt(i, Head(i + 1, bytes.fromhex(r)), ()) for i, r in acknowledged.items()]
    assert len(receipts) >= 20
    assert ledger.verify(*receipts).size > max(acknowledged)


def test_two_writers_do_not_fork_it(path: Path) -> None:
    writers = [writer(path, actor, 60) for actor in ("Ada", "Bob")]
    printed = [process.communicate()[0].split("\n")[:-1] for process in writers]

    receipts = [
        Receipt(int(index), Head(int(index) + 1, bytes.fromhex(root)), ())
        for lines in printed
        for _, index, root in map(str.split, lines)
    ]
    assert sorted(r.index for r in receipts) == list(range(120))
    assert Ledger.open(path).verify(*receipts).size == 120
    for actor in ("Ada", "Bob"):
        mine = [e.detail[0][1] for e in Ledger.open(path) if e.actor == actor]
        assert mine == [str(i) for i in range(60)]
