"""Make the vectors of trust documents: ``python -m tests.vectors.make_trust``.

``trust/bank.trust`` is a chain of three versions, ``trust/statements.jsonl`` an approval and a
release under it. ``trust/refused/`` holds files that are refused:
the name is what each probes, ``trust/refused.json`` says with which error, and what it has to say.
All of them are signed as they should be, but for those whose name says otherwise.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from credenza.attest import Envelope, PrivateKey, Subject, sign
from credenza.attest import approval as approvals
from credenza.attest import release as releases
from credenza.attest.approval import Approval
from credenza.attest.predicate import TrustVersion
from credenza.attest.release import Release
from credenza.attest.roles import Role
from credenza.attest.trust_document import TRUST_TYPE
from tests.attest.people import (
    ADA,
    ADA2,
    BOB,
    CAROL,
    LATER,
    NOW,
    RHEA,
    TINA,
    document,
    line,
    revoked,
    with_role,
)

HERE = Path(__file__).parent / "trust"
Change = Callable[[Any], object]

SUBJECT = Subject("reader", "credenza-blake3", "5e" * 32)
V1 = document(1)
V2 = document(2, revoked_keys=revoked(ADA2.public.id))
V3 = document(
    3,
    revoked_keys=revoked(ADA2.public.id),
    revoked_roots=revoked("5e" * 32),
    roles=with_role(Role("root", ("bob", "carol"), 2)),
)
CHAIN = [line(V1, ADA), line(V2, BOB), line(V3, BOB, CAROL)]


def _role(wire: Any, name: str) -> Any:
    [role] = [r for r in wire["roles"] if r["name"] == name]
    return role


def _drop_role(wire: Any, name: str) -> object:
    return wire.update(roles=[r for r in wire["roles"] if r["name"] != name])


CHANGED: dict[str, tuple[Change, str]] = {
    "member_unknown": (lambda w: w.update(more=1), "unknown field"),
    "member_missing": (lambda w: w.pop("separate"), "missing required field"),
    "name_empty": (lambda w: w.update(name=""), "1 to 64 printable"),
    "name_of_65": (lambda w: w.update(name="n" * 65), "1 to 64 printable"),
    "name_with_control_character": (lambda w: w.update(name="a\x07"), "1 to 64 printable"),
    "name_not_nfkc": (lambda w: w.update(name="Ｂank"), "NFKC"),
    "version_zero": (lambda w: w.update(version=0), "a version of 1 or more"),
    "version_beyond_json": (lambda w: w.update(version=2**53), "a version of 1 or more"),
    "version_a_fraction": (lambda w: w.update(version=1.5), "not well-formed"),
    "expires_without_zone": (lambda w: w.update(expires="2099-01-01T00:00:00"), "zone"),
    "expires_in_another_zone": (
        lambda w: w.update(expires="2099-01-01T00:00:00+01:00"),
        "one spelling",
    ),
    "expires_with_fraction": (
        lambda w: w.update(expires="2099-01-01T00:00:00.500000Z"),
        "one spelling",
    ),
    "expires_no_time": (lambda w: w.update(expires="never"), "not well-formed"),
    "person_twice": (lambda w: w["people"].insert(0, w["people"][0]), "is there twice"),
    "person_without_keys": (lambda w: w["people"][2].update(keys=[]), "1 to 16 keys"),
    "person_with_a_comma": (lambda w: w["people"][0].update(name="a,b"), "without , = and :"),
    "people_out_of_order": (lambda w: w["people"].reverse(), "one spelling"),
    "people_too_many": (
        lambda w: w["people"].extend({"name": f"z{i}", "keys": []} for i in range(256)),
        "at most 256 people",
    ),
    "key_of_two_people": (
        lambda w: w["people"][2].update(keys=w["people"][1]["keys"]),
        "for bob and carol",
    ),
    "key_twice": (
        lambda w: w["people"][1].update(keys=w["people"][1]["keys"] * 2),
        "for bob and bob",
    ),
    "key_not_base64": (lambda w: w["people"][1].update(keys=["!"]), "base64"),
    "key_no_key": (lambda w: w["people"][1].update(keys=["AAAA"]), "a public key in PEM expected"),
    "key_with_stray_bits": (
        lambda w: w["people"][1].update(keys=[w["people"][1]["keys"][0].replace("=", "")]),
        "base64",
    ),
    "role_twice": (lambda w: w["roles"].insert(0, w["roles"][0]), "is there twice"),
    "role_in_capitals": (lambda w: _role(w, "examiner").update(name="Examiner"), "a-z, 0-9"),
    "role_of_a_stranger": (lambda w: _role(w, "examiner").update(people=["eve"]), "'eve'"),
    "role_names_one_twice": (
        lambda w: _role(w, "approver").update(people=["ada", "ada"]),
        "is there twice",
    ),
    "role_empty": (lambda w: _role(w, "examiner").update(people=[]), "0 can act in it"),
    "roles_out_of_order": (lambda w: w["roles"].reverse(), "one spelling"),
    "threshold_zero": (lambda w: _role(w, "approver").update(threshold=0), "takes 0"),
    "threshold_out_of_reach": (lambda w: _role(w, "approver").update(threshold=4), "3 can act"),
    "threshold_a_word": (lambda w: _role(w, "approver").update(threshold="2"), "not well-formed"),
    "no_root": (lambda w: _drop_role(w, "root"), "a role root expected"),
    "no_trainer": (
        lambda w: (_drop_role(w, "trainer"), w.update(separate=[], require=["approver"])),
        "a role trainer expected",
    ),
    "require_without_trainer": (lambda w: w.update(require=["approver"]), "trainer expected in"),
    "require_what_there_is_not": (
        lambda w: w.update(require=["aprover", "trainer"]),
        "'aprover' found",
    ),
    "require_root": (lambda w: w.update(require=["root", "trainer"]), "'root' found"),
    "separate_what_there_is_not": (lambda w: w.update(separate=[["boss", "trainer"]]), "'boss'"),
    "separate_one": (lambda w: w.update(separate=[["trainer"]]), "2 to 8 separate roles"),
    "separate_root": (lambda w: w.update(separate=[["root", "trainer"]]), "'root' found"),
    "separate_out_of_reach": (
        lambda w: (
            _role(w, "approver").update(people=["bob", "tina"]),
            _role(w, "trainer").update(people=["tina"]),
        ),
        "take 3 people together, and 2 can",
    ),
    "revoked_twice": (
        lambda w: w.update(revokedRoots=[_revoked("5e" * 32)] * 2),
        "is there twice",
    ),
    "revoked_no_id": (lambda w: w.update(revokedRoots=[_revoked("5E" * 32)]), "64 hex digits"),
    "revoked_with_two_lines": (
        lambda w: w.update(revokedRoots=[_revoked("5e" * 32) | {"reason": "a\nb"}]),
        "a reason of one line",
    ),
    "revoked_leaves_too_few": (
        lambda w: w.update(
            revokedKeys=sorted(
                (_revoked(k.public.id) for k in (BOB, TINA)), key=lambda r: str(r["id"])
            )
        ),
        "1 can act in it",
    ),
}


def _revoked(id_: str) -> dict[str, str]:
    return {"id": id_, "at": "2026-11-24T12:00:00Z", "reason": "stolen"}


def changed(change: Change, *signers: PrivateKey) -> bytes:
    """A file of the first version with a change, signed."""
    wire = json.loads(bytes(V1))
    change(wire)
    data = json.dumps(wire, separators=(",", ":"), ensure_ascii=False).encode()
    return _line(data, *signers)


def _line(data: bytes, *signers: PrivateKey, kind: str = TRUST_TYPE) -> bytes:
    unsigned = Envelope(data, kind, ())
    signatures = tuple(s.sign(unsigned.signed_bytes) for s in signers or (ADA,))
    return bytes(Envelope(data, kind, signatures))


def _chained() -> dict[str, tuple[bytes, str, str]]:
    """Chains that do not hold together: the file, the error, and what it says."""
    first, second, third = (bytes(e) for e in CHAIN)
    broken = "TrustChainError"
    two = document(2)
    other = document(2, name="Bench")
    forgetful = document(3)
    return {
        "signed_by_a_stranger": (bytes(line(V1, TINA)), broken, "1 more of its own root"),
        "signed_by_nobody": (
            bytes(Envelope(bytes(V1), TRUST_TYPE, ())),
            broken,
            "1 more of its own root",
        ),
        "signed_twice_by_one_key": (
            bytes(line(V1, ADA, ADA)),
            "InputError",
            "each signature once expected",
        ),
        "signature_of_another": (
            bytes(Envelope(CHAIN[1].payload, TRUST_TYPE, CHAIN[0].signatures)),
            broken,
            "not by key",
        ),
        "rotation_by_the_new_only": (
            first + second + bytes(line(V3, CAROL)),
            broken,
            "what follows 'Bank' version 2",
        ),
        "rotation_by_the_old_only": (first + second + bytes(line(V3, BOB)), broken, "of its own"),
        "rotation_by_one_person_with_two_keys": (
            bytes(line(document(roles=with_role(Role("root", ("ada", "bob"), 2))), ADA, ADA2)),
            broken,
            "1 more of its own root",
        ),
        "rotation_by_a_revoked_key": (
            first + second + bytes(line(document(3, revoked_keys=V2.roles.revoked_keys), ADA2)),
            broken,
            "what follows 'Bank' version 2",
        ),
        "version_left_out": (first + third, broken, "'Bank' version 2 expected"),
        "version_back": (first + second + bytes(line(V1, BOB)), broken, "version 3 expected"),
        "another_name": (first + bytes(line(other)), broken, "'Bank' version 2 expected"),
        "revocation_dropped": (
            first + second + bytes(line(forgetful, BOB)),
            broken,
            "no longer revokes key",
        ),
        "line_twice": (first + first, "InputError", "a line comes twice"),
        "line_without_end": (first[:-1], "InputError", "whole lines"),
        "line_that_is_no_envelope": (first + b"{}\n", "InputError", "line 2"),
        "empty_line": (first + b"\n", "InputError", "line 2"),
        "another_payload_type": (
            _line(bytes(V1), kind="application/vnd.in-toto+json"),
            "InputError",
            "trust+json expected",
        ),
        "signed_spaces": (_line(bytes(two).replace(b",", b", ", 1)), "InputError", "one spelling"),
        "signed_member_twice": (
            _line(bytes(V1).replace(b'"version":1', b'"version":2,"version":1')),
            "InputError",
            "one spelling",
        ),
        "signed_nesting": (_line(b"[" * 100_000), "InputError", "not well-formed"),
    }


def statements() -> list[Envelope]:
    """An approval by bob and a release by rhea, in their one spelling."""
    seen = TrustVersion("Bank", 3)
    approval = Approval(SUBJECT, "approver", NOW, seen)
    release = Release(SUBJECT, "reader", 7, NOW, LATER, seen)
    return [
        sign(approvals.to_statement(approval), [BOB]),
        sign(releases.to_statement(release), [RHEA]),
    ]


def main() -> None:
    shutil.rmtree(HERE, ignore_errors=True)
    (HERE / "refused").mkdir(parents=True)
    (HERE / "bank.trust").write_bytes(b"".join(map(bytes, CHAIN)))
    (HERE / "statements.jsonl").write_bytes(b"".join(map(bytes, statements())))
    told = {}
    for name, (change, message) in CHANGED.items():
        (HERE / "refused" / f"{name}.trust").write_bytes(changed(change))
        told[name] = ["InputError", message]
    for name, (data, error, message) in _chained().items():
        (HERE / "refused" / f"{name}.trust").write_bytes(data)
        told[name] = [error, message]
    (HERE / "refused.json").write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
