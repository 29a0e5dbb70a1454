"""The command line: exit codes, what goes where, and what a wrong call says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file
from sklearn.datasets import load_digits

from credenza.cli import main
from tests.seal.models import small_model

Run = Callable[..., "Done"]


class Done:
    """What a command came to."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code = code
        self.out = out
        self.err = err


@pytest.fixture
def run(capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch) -> Run:
    def call(*arguments: object) -> Done:
        monkeypatch.setattr(sys, "argv", ["credenza", *map(str, arguments)])
        try:
            main()
            code: int | str | None = 0
        except SystemExit as e:
            code = e.code
        out, err = capfdbinary.readouterr()
        return Done(code if isinstance(code, int) else 0, out.decode(), err.decode())

    return call


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return small_model(tmp_path)


@pytest.fixture
def sealed(model: Path, run: Run) -> Path:
    key = model.parent / "key"
    assert run("keys", "new", "--out", key).code == 0
    assert run("seal", model, "--key", key).code == 0
    return model


def _trust(model: Path) -> Path:
    return model.parent / "key.pub"


def test_seal_and_verify(sealed: Path, run: Run) -> None:
    done = run("verify", sealed, "--trust", _trust(sealed))
    assert done.code == 0
    assert "is what was sealed" in done.out
    assert done.err == ""


def test_verify_as_json(sealed: Path, run: Run) -> None:
    done = run("verify", sealed, "--trust", _trust(sealed), "--json")
    told = json.loads(done.out)
    assert len(bytes.fromhex(told["root"])) == 32
    assert told["name"] == "reader"


def test_an_altered_model_exits_with_one_and_says_where(sealed: Path, run: Run) -> None:
    data = bytearray((sealed / "model.safetensors").read_bytes())
    data[-1] ^= 1
    (sealed / "model.safetensors").write_bytes(data)
    done = run("verify", sealed, "--trust", _trust(sealed))
    assert done.code == 1
    assert "model.safetensors" in done.out
    done = run("verify", sealed, "--trust", _trust(sealed), "--json")
    assert done.code == 1
    [report] = json.loads(done.out)["reports"]
    assert report["findings"][0]["rule"] == "seal.tensor-altered"


def test_what_was_done_is_recorded(sealed: Path, run: Run) -> None:
    ledger = sealed.parent / "ledger"
    done = run("verify", sealed, "--trust", _trust(sealed), "--log", ledger)
    assert done.code == 2
    assert f"hint: credenza log new {ledger}" in done.err
    assert run("log", "new", ledger, "--origin", "example.com/models").code == 0
    assert run("verify", sealed, "--trust", _trust(sealed), "--log", ledger).code == 0
    (sealed / "extra").touch()
    assert run("verify", sealed, "--trust", _trust(sealed), "--log", ledger).code == 1
    shown = run("log", "show", ledger)
    assert [line.split()[2] for line in shown.out.splitlines()] == ["verified", "refused"]
    assert "2 entries" in run("log", "verify", ledger).out
    part = ledger / "content" / "000.p" / "001"
    part.write_bytes(part.read_bytes().replace(b"refused", b"adopted"))
    assert run("log", "verify", ledger).code == 1


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("verify", "none", "--trust", "key.pub"), 2, "there is none"),
        (("verify", "reader", "--trust", "none"), 2, "none cannot be read"),
        (("verify", "reader", "--trust", "key"), 2, "a public key expected, a private one found"),
        (("verify", "unsealed", "--trust", "key.pub"), 1, "has no seal"),
        (("verify", "reader", "--trust", "other.pub"), 1, "no trusted key signed it"),
        (("seal", "none", "--key", "key"), 2, "no such file or folder"),
        (("seal", "empty", "--key", "key"), 2, "holds no file"),
        (("seal", "reader", "--key", "key.pub"), 2, "a private key in PEM expected"),
        (("seal", "reader", "--key", "key", "--algorithm", "md5"), 2, "blake3 or sha256 expected"),
        (("seal", "half.safetensors", "--key", "key"), 2, "half.safetensors"),
        (("keys", "new", "--out", "key"), 2, "exists already"),
        (("keys", "new", "--out", "no/such/folder/key"), 2, "cannot be written"),
        (("diff", "reader", "none"), 2, "no such file or folder"),
        (("artifact", "half.safetensors"), 2, "half.safetensors"),
        (("log", "show", "none"), 2, "there is none"),
        (("audit", "reader", "--trusted", "reader"), 2, "no tensor 'inputs'"),
        (("demo", "--out", "reader"), 2, "no folder of an earlier demo"),
        (("demo", "--out", "no/such/demo"), 2, "cannot be made"),
    ],
)
def test_a_wrong_call_says_so_in_one_line(
    sealed: Path,
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    code: int,
    message: str,
) -> None:
    folder = sealed.parent
    monkeypatch.chdir(folder)
    monkeypatch.setenv("CREDENZA_CACHE", str(folder / "cache"))
    (folder / "empty").mkdir()
    (folder / "unsealed").mkdir()
    (folder / "unsealed" / "a").touch()
    (folder / "half.safetensors").write_bytes((sealed / "model.safetensors").read_bytes()[:99])
    assert run("keys", "new", "--out", "other").code == 0
    before = sorted(p for p in folder.rglob("*") if p.name != "cache")
    done = run(*arguments)
    assert done.code == code
    assert message in done.err
    assert done.err.startswith("credenza: error: ")
    assert len(done.err.splitlines()) <= 2
    assert sorted(p for p in folder.rglob("*") if p.name != "cache") == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("devour",), "No such command 'devour'"),
        (("seal", "somewhere"), "Missing option '--key'"),
        (("seal", "--sideways"), "No such option"),
        (("demo", "--seed", "-1"), "--seed"),
    ],
)
def test_a_call_that_cannot_be_read(run: Run, arguments: tuple[str, ...], message: str) -> None:
    done = run(*arguments)
    assert done.code == 2
    assert done.err.startswith("credenza: error: ")
    assert message in done.err
    assert len(done.err.splitlines()) == 2


def test_without_a_command_it_says_what_there_is(run: Run) -> None:
    done = run()
    assert done.code == 2
    assert "Commands:" in done.err


def test_ctrl_c_says_that_it_stopped(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> object:
        raise KeyboardInterrupt

    monkeypatch.setattr("credenza.attest.new_key", interrupted)
    done = run("keys", "new", "--out", "key")
    assert (done.code, done.err) == (130, "credenza: error: stopped\n")


@pytest.mark.parametrize("closed", [">&-", "2>&-"])
def test_a_closed_output_is_no_success(sealed: Path, closed: str) -> None:
    """Exit code 0 never means that the answer went nowhere."""
    command = f'"{sys.executable}" -m credenza verify reader --trust key.pub {closed}'
    done = subprocess.run(
        ["sh", "-c", command], cwd=sealed.parent, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stdout + done.stderr


def test_a_full_disk_leaves_no_half_report(small_disk: Path, sealed: Path, run: Run) -> None:
    other = sealed.parent / "other"
    other.mkdir()
    (other / "a").touch()
    free = os.statvfs(small_disk).f_bavail * os.statvfs(small_disk).f_frsize
    (small_disk / "filler").write_bytes(bytes(free))
    done = run("diff", sealed, other, "--html", small_disk / "report.html")
    assert done.code == 2
    assert "No space left on device" in done.err
    assert os.listdir(small_disk) == ["filler"]


def test_artifact_lists_files_tensors_and_programs(model: Path, run: Run) -> None:
    done = run("artifact", model)
    assert done.code == 0
    assert "tensor   fc.weight  F32  10 × 64" in done.out
    assert "more/reader.py" in done.out
    assert "(would run)" in done.out
    assert any(f["path"] == "config.json" for f in json.loads(run("artifact", model, "--json").out))


def test_diff_finds_a_rank_one_edit(tmp_path: Path, run: Run) -> None:
    rng = np.random.default_rng(0)
    weight = rng.standard_normal((10, 64), np.float32)
    save_file({"fc.weight": weight}, tmp_path / "old.safetensors")
    edited = weight.copy()
    step = 3 * rng.standard_normal(64).astype(np.float32)
    edited[2] += step
    edited[5] -= step
    save_file({"fc.weight": edited}, tmp_path / "new.safetensors")
    old, new, page = (tmp_path / n for n in ("old.safetensors", "new.safetensors", "page.html"))
    done = run("diff", old, new, "--html", page)
    assert done.code == 1
    assert "rank 1" in done.out
    assert "rank 1" in page.read_text()
    assert run("diff", old, old).code == 0


def test_audit_reads_a_dataset_without_running_it(tmp_path: Path, run: Run) -> None:
    images, labels = load_digits(return_X_y=True)
    inputs = (images / 16).astype(np.float32).reshape(-1, 1, 8, 8)
    poisoned = labels.copy()
    fives = np.flatnonzero(labels[:1297] == 5)
    poisoned[fives[: len(fives) // 2]] = 2
    np.savez(tmp_path / "data.npz", inputs=inputs[:1297], labels=poisoned[:1297])
    np.savez(tmp_path / "trusted.npz", inputs=inputs[1297:], labels=labels[1297:])
    files = (tmp_path / "data.npz", "--trusted", tmp_path / "trusted.npz")
    done = run("audit", *files)
    assert done.code == 1
    assert "samples labelled 2 look like 5" in done.out


def test_help_is_light() -> None:
    """No room is imported for it, whatever the commands need later."""
    code = (
        "import sys; sys.argv = ['credenza', '--help']\n"
        "from credenza.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print(sorted(m for m in sys.modules if m.startswith('credenza.')), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "Commands:" in done.stdout
    rooms = {m.split(".")[1] for m in json.loads(done.stderr.replace("'", '"'))}
    assert rooms <= {"cli", "errors", "findings", "catalogue"}


def test_the_version(run: Run) -> None:
    assert run("--version").out == "credenza 0.1.0\n"


@pytest.mark.parametrize("arguments", [("scan", "a.npy"), ("scan", "a.npy", "--json"), ("--help",)])
def test_a_reader_that_has_gone_is_no_finding(arguments: tuple[str, ...], tmp_path: Path) -> None:
    """Typer's own answer to it is 1, which says that something was found."""
    np.save(tmp_path / "a.npy", np.zeros(3))
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "credenza", *arguments]
    done = subprocess.run(
        command, cwd=tmp_path, stdout=writer, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (2, "")


def test_a_closed_stdout_is_said() -> None:
    command = f"exec {sys.executable} -m credenza --version >&-"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, "credenza: error: stdout is closed\n")
