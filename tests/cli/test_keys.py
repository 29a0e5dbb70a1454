"""``credenza keys``, and signing by URI."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
from pathlib import Path

import pytest

from credenza.attest import KINDS, PrivateKey, PublicKey
from tests.attest.softhsm import PIN, needs_softhsm
from tests.cli.test_cli import Run

kinds = pytest.mark.parametrize("kind", [kind.name for kind in KINDS])


@pytest.fixture(autouse=True)
def _no_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CREDENZA_KEY_PASSWORD", raising=False)


def _password(path: Path, text: str = "secret\n") -> Path:
    path.touch(mode=0o600)
    path.write_text(text)
    return path


@kinds
@pytest.mark.parametrize("encrypted", [False, True])
def test_every_kind_seals_and_verifies(
    kind: str, encrypted: bool, model: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = model.parent / "key"
    if encrypted:
        monkeypatch.setenv("CREDENZA_KEY_PASSWORD", "secret")
    more = ["--encrypt"] if encrypted else []
    made = run("keys", "new", "--out", key, "--kind", kind, *more)
    assert made.code == 0
    assert (b"ENCRYPTED" in key.read_bytes()) is encrypted
    assert run("seal", model, "--key", key).code == 0
    assert run("verify", model, "--trust", f"{key}.pub").code == 0
    shown = {run("keys", "show", half).out for half in (key, f"{key}.pub", f"file:{key}")}
    public = PublicKey.read(Path(f"{key}.pub"))
    assert shown == {f"{public.id}  {kind}\n"}
    assert public.id in made.out
    assert run("keys", "show", key, "--pem").out.encode() == public.pem


def test_the_password_may_lie_in_a_file(model: Path, run: Run) -> None:
    key, password = model.parent / "key", _password(model.parent / "password")
    assert run("keys", "new", "--out", key, "--password-file", password).code == 0
    assert b"ENCRYPTED" in key.read_bytes()
    assert run("seal", model, "--key", key, "--password-file", password).code == 0
    assert run("keys", "show", key, "--password-file", password).code == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("keys", "new", "--out", "new", "--kind", "rsa"),
            "ed25519 or p256 or ml-dsa-65 or hybrid",
        ),
        (("keys", "new", "--out", "new", "--encrypt"), "there is no terminal to ask at"),
        (("keys", "new", "--out", "new", "--password-file", "open"), "its mode is 0644"),
        (("keys", "new", "--out", "new", "--password-file", "empty"), "at least one character"),
        (("keys", "new", "--out", "new", "--password-file", "latin"), "in UTF-8 expected"),
        (("keys", "new", "--out", "new", "--password-file", "none"), "none cannot be read"),
        (("seal", "reader", "--key", "key"), "there is no terminal to ask at"),
        (("seal", "reader", "--key", "key", "--password-file", "wrong"), "the password is wrong"),
        (("seal", "reader", "--key", "shared"), "its mode is 0644"),
        (("seal", "reader", "--key", "pkcs11:token=t"), "module-path expected"),
        (("seal", "reader", "--key", "awskms:k"), "UnsupportedLibraryError"),
        (("keys", "show", "key"), "there is no terminal to ask at"),
        (("keys", "show", "reader/config.json"), "a private key in PEM expected"),
        (("keys", "show", "none"), "none cannot be read"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(
    arguments: tuple[str, ...],
    message: str,
    model: Path,
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(model.parent)
    password = _password(Path("password"))
    assert run("keys", "new", "--out", "key", "--password-file", password).code == 0
    assert run("keys", "new", "--out", "shared").code == 0
    Path("shared").chmod(0o644)
    _password(Path("open")).chmod(0o644)
    _password(Path("empty"), "\n")
    _password(Path("wrong"), "wrong")
    _password(Path("latin")).write_bytes(b"\xe9")
    (model / "config.json").chmod(0o600)
    monkeypatch.setattr(os, "open", _without_terminal(os.open))
    before = sorted(model.parent.rglob("*"))
    done = run(*arguments)
    assert done.code == 2
    assert message in done.err
    assert done.err.startswith("credenza: error: ")
    assert len(done.err.splitlines()) <= 2
    assert sorted(model.parent.rglob("*")) == before


def _without_terminal(real: object) -> object:
    def opened(path: object, *arguments: object, **more: object) -> object:
        if path == "/dev/tty":
            raise OSError(6, "No such device or address")
        return real(path, *arguments, **more)  # type: ignore[operator]  # it is os.open

    return opened


def _at_a_terminal(folder: Path, arguments: list[str], typed: list[bytes]) -> tuple[int, bytes]:
    """Run the command at a terminal, type a line at each question, and return what it showed."""
    command = [sys.executable, "-m", "credenza", *arguments]
    leader, follower = pty.openpty()
    code = (
        "import fcntl, os, signal, sys, termios\n"
        "signal.signal(signal.SIGINT, signal.SIG_DFL)\n"  # a shell's background job ignores it
        "os.setsid()\n"
        "fcntl.ioctl(0, termios.TIOCSCTTY, 0)\n"
        "os.execv(sys.argv[1], sys.argv[1:])"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code, *command],
        cwd=folder,
        stdin=follower,
        stdout=follower,
        stderr=follower,
    )
    os.close(follower)
    shown = line = b""
    silent = 0
    try:
        while True:
            if not select.select([leader], [], [], 2)[0]:
                silent += 1
                assert silent < 30, f"it says nothing more after {shown!r}"
                os.write(leader, line)  # a terminal may drop what comes while it changes its mode
                continue
            shown += os.read(leader, 4096)
            if typed and shown.endswith(b": "):
                line = typed.pop(0) + b"\n"
                os.write(leader, line)
    except OSError:  # the terminal's other end was closed
        pass
    finally:
        os.close(leader)
        if child.poll() is None and silent >= 30:
            child.kill()
    return child.wait(timeout=60), shown


def test_a_new_password_is_asked_for_twice(tmp_path: Path) -> None:
    new = ["keys", "new", "--out", "key", "--encrypt"]
    code, shown = _at_a_terminal(tmp_path, new, [b"secret", b"secret"])
    assert code == 0, shown
    assert b"secret" not in shown
    assert PrivateKey.read(tmp_path / "key", lambda what: "secret").secret
    code, shown = _at_a_terminal(tmp_path, ["keys", "show", "key"], [b"secret"])
    assert (code, b"ed25519" in shown) == (0, True)
    code, shown = _at_a_terminal(tmp_path, ["keys", "show", "key"], [b"guess"])
    assert (code, b"the password is wrong" in shown) == (2, True)


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ([b"secret", b"other"], b"the two passwords differ"),
        ([b"", b""], b"at least one character"),
        ([b"\x04"], b"none was typed"),
        ([b"\x03"], b"stopped"),
    ],
)
def test_a_slip_makes_no_key(tmp_path: Path, typed: list[bytes], message: bytes) -> None:
    new = ["keys", "new", "--out", "key", "--encrypt"]
    code, shown = _at_a_terminal(tmp_path, new, typed)
    assert code == (130 if message == b"stopped" else 2)
    assert message in shown
    assert b"Traceback" not in shown
    assert list(tmp_path.iterdir()) == []


@needs_softhsm
def test_a_token_seals(model: Path, run: Run, tokens: str, tmp_path: Path) -> None:
    pin = _password(tmp_path / "pin", f"{PIN}\n")
    uri = f"pkcs11:token=bank;object=ed25519{tokens}"
    shown = run("keys", "show", uri, "--pem", "--password-file", pin)
    (tmp_path / "token.pub").write_text(shown.out)
    assert run("seal", model, "--key", uri, "--password-file", pin).code == 0
    assert run("verify", model, "--trust", tmp_path / "token.pub").code == 0
