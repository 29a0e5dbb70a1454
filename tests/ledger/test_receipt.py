"""What a receipt is worth under a policy."""

from __future__ import annotations

from pathlib import Path

import pytest

from credenza.errors import InputError, UntrustedError
from credenza.ledger import (
    Kind,
    Ledger,
    Note,
    Policy,
    Receipt,
    SigningKey,
    check_receipt,
)
from tests.ledger.logs import act, filled

WITNESSES = [
    SigningKey(f"w{i}", Kind.COSIGNER_ML_DSA if i == 2 else Kind.COSIGNER, bytes([i]) * 32)
    for i in range(4)
]
VKEYS = tuple(witness.verifier for witness in WITNESSES)


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    filled(tmp_path / "ledger", 5)
    return Ledger.open(tmp_path / "ledger")


def cosigned(ledger: Ledger, *witnesses: SigningKey) -> Receipt:
    note = ledger.checkpoint()
    ledger.cosigned(Note(note.text, tuple(w.sign(note.text) for w in witnesses)))
    return ledger.prove(3)


@pytest.mark.parametrize("count", range(4))
def test_the_threshold_from_both_sides(ledger: Ledger, count: int) -> None:
    receipt = cosigned(ledger, *WITNESSES[:count])

    for threshold in range(4):
        policy = Policy(ledger.vkey, VKEYS[:3], threshold)
        if threshold <= count:
            assert check_receipt(receipt, act(3), policy).size == 5
        else:
            with pytest.raises(UntrustedError, match=f"{threshold} of the witnesses w0, w1, w2"):
                check_receipt(receipt, act(3), policy)


def test_all_witnesses_are_needed_where_no_threshold_is_given(ledger: Ledger) -> None:
    receipt = cosigned(ledger, *WITNESSES[:2])

    check_receipt(receipt, act(3), Policy(ledger.vkey, VKEYS[:2]))
    with pytest.raises(UntrustedError, match="3 of the witnesses"):
        check_receipt(receipt, act(3), Policy(ledger.vkey, VKEYS[:3]))


def test_a_witness_that_is_not_asked_for_does_not_count(ledger: Ledger) -> None:
    receipt = cosigned(ledger, WITNESSES[3])
    with pytest.raises(UntrustedError, match="none cosigned"):
        check_receipt(receipt, act(3), Policy(ledger.vkey, VKEYS[:3], 1))


def test_a_wrong_line_by_a_witness_is_refused_whatever_the_threshold(ledger: Ledger) -> None:
    receipt = cosigned(ledger, WITNESSES[0])
    line = WITNESSES[1].sign(receipt.checkpoint.text.replace("5", "6"))
    spoiled = Receipt(3, receipt.proof, receipt.checkpoint.joined((line,)))
    with pytest.raises(UntrustedError, match="is wrong"):
        check_receipt(spoiled, act(3), Policy(ledger.vkey, VKEYS[:2], 1))


def test_the_logs_own_signature_is_always_needed(ledger: Ledger) -> None:
    receipt = cosigned(ledger, *WITNESSES)
    alone = Note(receipt.checkpoint.text, receipt.checkpoint.signatures[1:])
    with pytest.raises(UntrustedError, match=r"no signature by example\.com/log"):
        check_receipt(Receipt(3, receipt.proof, alone), act(3), Policy(ledger.vkey, VKEYS))


def test_of_several_cosignatures_by_one_witness_the_last_is_kept(ledger: Ledger) -> None:
    cosigned(ledger, WITNESSES[0])
    receipt = cosigned(ledger, *WITNESSES[:2])
    assert [s.name for s in receipt.checkpoint.signatures] == ["example.com/log", "w0", "w1"]


def test_a_note_of_an_older_checkpoint_is_not_added(ledger: Ledger) -> None:
    note = ledger.checkpoint()
    ledger.append(act(9))
    assert not ledger.cosigned(Note(note.text, (WITNESSES[0].sign(note.text),)))
    assert len(ledger.checkpoint().signatures) == 1


@pytest.mark.parametrize(
    ("witnesses", "threshold"),
    [
        ((VKEYS[0], VKEYS[0]), 1),
        ((VKEYS[0], SigningKey("w9", Kind.COSIGNER, bytes(32)).verifier), 1),
        ((VKEYS[1], SigningKey("w1", Kind.COSIGNER, bytes([9]) * 32).verifier), 1),
        ((SigningKey("example.com/log", Kind.COSIGNER, bytes([9]) * 32).verifier,), 1),
        ((SigningKey("w9", Kind.LOG, bytes(32)).verifier,), 1),
        (VKEYS, 5),
        (VKEYS, -1),
        ((), 1),
    ],
)
def test_a_policy_that_counts_one_twice_is_refused(
    ledger: Ledger, witnesses: tuple[object, ...], threshold: int
) -> None:
    with pytest.raises(InputError, match="policy"):
        Policy(ledger.vkey, witnesses, threshold)  # type: ignore[arg-type]  # of the right type


def test_every_flipped_bit_of_a_receipt_is_refused(ledger: Ledger) -> None:
    receipt = bytes(cosigned(ledger, *WITNESSES[:2]))
    policy = Policy(ledger.vkey, VKEYS[:2])

    def check(data: bytes) -> None:
        check_receipt(Receipt.parse(data), act(3), policy)

    check(receipt)
    for at in range(len(receipt)):
        for bit in range(8):
            with pytest.raises((InputError, UntrustedError)):
                check(receipt[:at] + bytes([receipt[at] ^ 1 << bit]) + receipt[at + 1 :])
