"""The command line of trust: from a key to a model that two people approved, and back again."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from credenza.cli import main
from tests.seal.models import small_model

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def bank(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path


@pytest.fixture
def run(capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch) -> Run:
    def call(line: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["credenza", *line.split()])
        try:
            main()
            code: int | str | None = 0
        except SystemExit as e:
            code = e.code
        out, err = capfdbinary.readouterr()
        return code if isinstance(code, int) else 0, out.decode(), err.decode()

    return call


@pytest.fixture
def do(run: Run) -> Callable[[str], str]:
    def call(line: str) -> str:
        code, out, err = run(line)
        assert (code, err) == (0, ""), err
        return out

    return call


@pytest.fixture
def refuse(run: Run) -> Callable[[str], str]:
    """Exits with 1 and says why in one line."""

    def call(line: str) -> str:
        code, _, err = run(line)
        assert code == 1, err
        errors = [part for part in err.splitlines() if "credenza: error:" in part]
        assert len(errors) == 1
        return errors[0]

    return call


NEW = (
    "trust new bank.trust --name Bank --expires 2099-01-01 --key root.key"
    " --person tina=tina.key.pub --person ada=ada.key.pub --person bob=bob.key.pub"
    " --person rhea=rhea.key.pub --role trainer=tina --role approver=ada,bob:2"
    " --role releaser=rhea --separate trainer,approver"
)


@pytest.fixture
def keys(do: Callable[[str], str]) -> None:
    for name in ("root", "tina", "ada", "bob", "rhea", "eve"):
        do(f"keys new --out {name}.key")


@pytest.fixture
def model(bank: Path, keys: None, do: Callable[[str], str]) -> Path:
    """Sealed, approved twice, and released as version 1."""
    made = small_model(bank)
    do(NEW)
    do("seal reader --key tina.key")
    for who in ("ada", "bob"):
        do(f"approve reader --trust bank.trust --key {who}.key")
    do("release reader --trust bank.trust --key rhea.key --version 1 --expires 2098-01-01")
    return made


def test_two_approvers_and_a_release(model: Path, do: Callable[[str], str]) -> None:
    out = do("verify reader --trust bank.trust")
    for told in ("trust     Bank, version 1", "trainer   tina", "approver  ada", "approver  bob"):
        assert told in out
    assert "release   reader 1, until 2098-01-01" in out
    told = json.loads(do("verify reader --trust bank.trust --json"))["standing"]
    assert (told["trust"], told["version"]) == ("Bank", 1)
    assert [v["person"] for v in told["vouches"]] == ["tina", "ada", "bob", "rhea"]
    assert {r["role"]: r["missing"] for r in told["roles"]} == {
        "approver": 0,
        "releaser": 0,
        "trainer": 0,
    }


def test_what_is_missing_is_refused(
    bank: Path, keys: None, do: Callable[[str], str], refuse: Callable[[str], str]
) -> None:
    small_model(bank)
    do(NEW)
    do("seal reader --key tina.key")
    assert "approver: 0 of 2 (nobody)" in refuse("verify reader --trust bank.trust")
    out = do("approve reader --trust bank.trust --key ada.key")
    assert "missing   approver: 1 of 2" in out
    assert "approver: 1 of 2 (ada)" in refuse("verify reader --trust bank.trust")
    assert "eve" not in do("trust show bank.trust")
    assert "no trusted key" in refuse("approve reader --trust bank.trust --key eve.key")
    assert "may not act as 'approver'" in refuse("approve reader --trust bank.trust --key tina.key")


def test_an_older_release_does_not_come_back(
    model: Path, do: Callable[[str], str], refuse: Callable[[str], str]
) -> None:
    do("verify reader --trust bank.trust")
    shutil.copytree(model, "old")
    (model / "config.json").write_text('{"classes": 2}')
    do("seal reader --key tina.key")
    for who in ("ada", "bob"):
        do(f"approve reader --trust bank.trust --key {who}.key")
    do("release reader --trust bank.trust --key rhea.key --version 2")
    do("verify old --trust bank.trust")
    do("verify reader --trust bank.trust")
    assert "was released as version 2 before" in refuse("verify old --trust bank.trust")
    do("verify old --trust bank.trust --state another.state")
    do("verify reader --trust bank.trust --release reader")
    assert "releaser: 0 of 1" in refuse("verify reader --trust bank.trust --release fraud")


def test_two_models_under_one_version(
    model: Path, do: Callable[[str], str], refuse: Callable[[str], str]
) -> None:
    do("verify reader --trust bank.trust")
    (model / "config.json").write_text('{"classes": 2}')
    do("seal reader --key tina.key")
    for who in ("ada", "bob"):
        do(f"approve reader --trust bank.trust --key {who}.key")
    do("release reader --trust bank.trust --key rhea.key --version 1")
    assert "two models were released as 'reader' version 1" in refuse(
        "verify reader --trust bank.trust"
    )


def test_a_stolen_key_is_revoked_and_replaced(
    model: Path, do: Callable[[str], str], refuse: Callable[[str], str]
) -> None:
    stolen = do("keys show ada.key.pub").strip()
    do("keys new --out ada2.key")
    shutil.copy("bank.trust", "old.trust")
    do(
        f"trust revoke bank.trust --key-id {stolen[:16]} --reason stolen"
        " --person ada=ada2.key.pub --key root.key"
    )
    assert f"key {stolen[:16]} was revoked" in refuse("verify reader --trust bank.trust")
    assert "version 2 of 'Bank' was seen, version 1 given" in refuse(
        "verify reader --trust old.trust"
    )
    do("approve reader --trust bank.trust --key ada2.key")
    assert "no word   line 2" in do("verify reader --trust bank.trust")


def test_a_model_is_revoked(
    model: Path, do: Callable[[str], str], refuse: Callable[[str], str]
) -> None:
    root = json.loads(do("verify reader --trust bank.trust --json"))["root"]
    do(f"trust revoke bank.trust --root {root} --reason poisoned --key root.key")
    assert "was revoked" in refuse("verify reader --trust bank.trust")


def test_a_rotation_waits_for_old_and_new(
    model: Path, bank: Path, do: Callable[[str], str], refuse: Callable[[str], str]
) -> None:
    out = do(
        "trust change bank.trust --person eve=eve.key.pub --role root=ada,eve:2 --key root.key"
    )
    assert "written  bank.trust.draft (Bank, version 2)" in out
    assert "missing  2 more of its root people" in out
    before = (bank / "bank.trust").read_bytes()
    assert "to sign" in do("trust show bank.trust.draft")
    assert "must be signed by 2 more" in refuse("verify reader --trust bank.trust.draft")
    do("trust sign bank.trust.draft --key ada.key")
    assert (bank / "bank.trust").read_bytes() == before
    do("trust sign bank.trust.draft --key eve.key")
    assert not (bank / "bank.trust.draft").exists()
    assert (bank / "bank.trust").read_bytes().startswith(before)
    assert "trust     Bank, version 2" in do("verify reader --trust bank.trust")


def test_roots_elsewhere_sign_a_draft(bank: Path, keys: None, do: Callable[[str], str]) -> None:
    line = NEW.replace(" --key root.key", "") + " --role root=ada,bob:2"
    assert "missing  2 more" in do(line)
    assert not (bank / "bank.trust").exists()
    assert "draft     2 more" in do("trust show bank.trust.draft")
    do("trust sign bank.trust.draft --key ada.key")
    do("trust sign bank.trust.draft --key bob.key")
    assert "version 1, expires 2099-01-01" in do("trust show bank.trust")
    assert not (bank / "bank.trust.draft").exists()


def test_the_state_is_where_the_system_keeps_it(
    model: Path, bank: Path, do: Callable[[str], str], monkeypatch: pytest.MonkeyPatch, run: Run
) -> None:
    monkeypatch.setenv("HOME", str(bank / "home"))
    for wrong in ("", "relative/state"):
        monkeypatch.setenv("XDG_STATE_HOME", wrong)
        do("verify reader --trust bank.trust")
    [kept] = (bank / "home" / ".local" / "state" / "credenza").iterdir()
    kept.write_bytes(b"")
    code, _, err = run("verify reader --trust bank.trust")
    assert code == 2
    assert "not a trust state as it was written" in err
    assert kept.read_bytes() == b""


def test_a_renewal(model: Path, do: Callable[[str], str]) -> None:
    do("trust change bank.trust --expires 2100-01-01 --key root.key")
    assert "expires 2100-01-01" in do("trust show bank.trust")
    assert json.loads(do("trust show bank.trust --json"))["version"] == 2


def test_an_expired_document_is_refused(
    model: Path, do: Callable[[str], str], refuse: Callable[[str], str]
) -> None:
    do("trust change bank.trust --expires 2026-01-01 --key root.key")
    assert "version 2 expired on 2026-01-01" in refuse("verify reader --trust bank.trust")


def test_someone_leaves(
    model: Path, do: Callable[[str], str], refuse: Callable[[str], str]
) -> None:
    do(
        "trust change bank.trust --without bob --person eve=eve.key.pub"
        " --role approver=ada,eve:2 --key root.key"
    )
    assert "approver: 1 of 2 (ada)" in refuse("verify reader --trust bank.trust")


def test_several_bare_keys(model: Path, do: Callable[[str], str]) -> None:
    out = do("verify reader --trust eve.key.pub --trust tina.key.pub")
    assert "trainer   key " in out
    assert "no trusted key signed it" in out


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (NEW, "bank.trust exists already"),
        (NEW.replace("bank.trust", "b.trust").replace("2099", "soon"), "--expires: a date"),
        (NEW.replace("bank.trust", "b.trust").replace("ada,bob:2", "ada,bob:3"), "takes 3"),
        (NEW.replace("bank.trust", "b.trust").replace("ada,bob:2", "ada,bob:x"), "--role: ROLE="),
        (NEW.replace("bank.trust", "b.trust").replace("ada=ada", "ada:ada"), "--person: NAME="),
        (NEW.replace("bank.trust", "b.trust").replace("approver=", "boss="), "'approver'"),
        ("trust change bank.trust --without eve --key root.key", "there is no person 'eve'"),
        ("trust change bank.trust --expires 2098-01-01 --key tina.key", "of none of its root"),
        (
            NEW.replace("bank.trust", "b.trust").replace(" --key root.key", ""),
            "--key of a root person",
        ),
        ("trust sign bank.trust --key root.key", "a draft expected"),
        ("trust revoke bank.trust --key root.key", "--key-id"),
        ("trust revoke bank.trust --root 12 --key root.key", "64 hex digits"),
        ("trust show tina.key.pub", "not a DSSE envelope"),
        ("verify reader --trust bank.trust --trust tina.key.pub", "a public key in PEM expected"),
        ("verify reader --trust tina.key.pub --state s", "only what a trust document says"),
        ("verify reader --trust none", "cannot be read"),
    ],
)
def test_a_wrong_call_changes_nothing(
    model: Path, bank: Path, run: Run, line: str, message: str
) -> None:
    before = sorted((p.name, p.stat().st_mtime_ns) for p in bank.iterdir())
    code, out, err = run(line)
    assert (code, out) == (2, "")
    assert err.startswith("credenza: error: ")
    assert message in err
    assert sorted((p.name, p.stat().st_mtime_ns) for p in bank.iterdir()) == before


def test_a_second_draft_is_refused(model: Path, do: Callable[[str], str], run: Run) -> None:
    do("trust change bank.trust --expires 2100-01-01")
    code, _, err = run("trust change bank.trust --expires 2101-01-01")
    assert code == 2
    assert "waits for signatures" in err


def test_a_draft_of_what_is_no_longer_there(
    model: Path, do: Callable[[str], str], run: Run
) -> None:
    do("trust change bank.trust --expires 2100-01-01")
    Path("bank.trust.draft").rename("kept")
    do("trust change bank.trust --expires 2101-01-01 --key root.key")
    Path("kept").rename("bank.trust.draft")
    code, _, err = run("trust sign bank.trust.draft --key root.key")
    assert code == 2
    assert "not what the draft goes on from" in err


def test_approvals_releases_and_refusals_are_recorded(
    model: Path, do: Callable[[str], str], refuse: Callable[[str], str]
) -> None:
    do("log new bank.ledger --origin example.com/models")
    refuse("verify reader --trust eve.key.pub --log bank.ledger")
    assert "why=no trusted key signed it" in do("log show bank.ledger")
    do("release reader --trust bank.trust --key rhea.key --version 2 --log bank.ledger")
    assert "version=2" in do("log show bank.ledger")
