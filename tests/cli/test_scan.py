"""``credenza scan``, with a rule that stands in for the real ones."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from .test_cli import Run
from .words import written


@pytest.mark.parametrize(
    ("options", "content", "code"),
    [
        ([], "nothing", 0),
        ([], "low", 0),
        ([], "medium", 0),
        ([], "high", 1),
        ([], "critical", 1),
        (["--fail-on", "critical"], "high", 0),
        (["--fail-on", "critical"], "critical", 1),
        (["--fail-on", "medium"], "medium", 1),
        (["--fail-on", "low"], "note", 0),
        (["--fail-on", "note"], "note", 1),
        ([], "torn", 2),
        ([], "medium torn", 2),
        ([], "high torn", 1),
        (["--strict"], "low", 0),
        (["--strict"], "medium", 1),
        (["--strict", "--fail-on", "low"], "low", 1),
        (["--strict", "--fail-on", "critical"], "medium", 1),
        (["--strict"], "torn", 2),
    ],
)
def test_exit_codes(options: list[str], content: str, code: int, folder: Path, run: Run) -> None:
    written(folder, a_bin=content)
    assert run("scan", folder, *options).code == code
    assert run("scan", folder, *options, "--json").code == code


def test_a_file_of_no_known_format_fails_when_strict_or_alone(folder: Path, run: Run) -> None:
    written(folder, a_xyz="low", b_bin="nothing")
    assert run("scan", folder).code == 0
    assert run("scan", folder, "--strict").code == 2
    (folder / "b.bin").unlink()
    done = run("scan", folder)
    assert done.code == 2
    assert "Nothing was looked at" in done.out


def test_several_paths_are_a_report_each_and_patterns_are_expanded(folder: Path, run: Run) -> None:
    written(folder, a_bin="high", b_bin="nothing", c_txt="low")
    done = run("scan", "m/*.bin", "m/c.txt", "m/a.bin", "--json")
    assert done.code == 1
    told = json.loads(done.out)["reports"]
    assert [r["subject"] for r in told] == ["m/a.bin", "m/b.bin", "m/c.txt"]
    text = run("scan", "m/*.bin").out
    assert "in all     2 reports, 2 files: 1 finding, worst: high" in text


def test_a_path_is_looked_at_once_however_it_is_spelled(folder: Path, run: Run) -> None:
    written(folder, a_bin="nothing")
    spelled = ["m/a.bin", "./m/a.bin", "m//a.bin", str(folder / "a.bin"), "m/*.bin"]
    told = json.loads(run("scan", *spelled, "--json").out)["reports"]
    assert [r["subject"] for r in told] == ["m/a.bin"]


def test_an_empty_path_is_no_folder(folder: Path, run: Run) -> None:
    written(folder, a_bin="nothing")
    done = run("scan", "m", "")
    assert (done.code, done.out) == (2, "")
    assert "a path is empty" in done.err


@pytest.mark.parametrize("path", ["m/none.bin", "m/*.none", "gopher://m"])
def test_a_path_that_leads_nowhere_is_refused_before_anything_is_read(
    path: str, folder: Path, run: Run
) -> None:
    written(folder, a_bin="high")
    done = run("scan", "m/a.bin", path, "--html", "r.html")
    assert (done.code, done.out) == (2, "")
    assert not Path("r.html").exists()
    assert path in done.err


def test_one_of_several_that_cannot_be_scanned_is_unread(folder: Path, run: Run) -> None:
    written(folder, a_bin="nothing")
    Path("empty").mkdir()
    done = run("scan", "m", "empty")
    assert done.code == 2
    assert "holds no file" in done.out
    assert run("scan", "empty").err == "credenza: error: empty holds no file\n"


def test_every_face_of_one_scan(folder: Path, run: Run) -> None:
    written(folder, a_bin="high", b_xyz="?")
    files = ("--sarif", "r.sarif", "--cyclonedx", "r.cdx", "--html", "r.html", "--output", "r.txt")
    done = run("scan", "m", *files)
    assert (done.code, done.out, done.err) == (1, "", "")
    (result,) = json.loads(Path("r.sarif").read_text())["runs"][0]["results"]
    at = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert at == "m/a.bin"
    (model,) = json.loads(Path("r.cdx").read_text())["components"]
    assert model["components"][0]["hashes"][0]["alg"] == "SHA-256"
    assert "a.bin" in Path("r.html").read_text()
    assert "1 finding, worst: high" in Path("r.txt").read_text()


@pytest.mark.parametrize("option", ["--sarif", "--cyclonedx"])
def test_a_dash_is_stdout_and_takes_one_thing(option: str, folder: Path, run: Run) -> None:
    written(folder, a_bin="nothing")
    assert isinstance(json.loads(run("scan", "m", option, "-").out), dict)
    done = run("scan", "m", option, "-", "--json")
    assert (done.code, done.out) == (2, "")


@pytest.mark.parametrize(
    ("path", "uri"),
    [("../m", "m/a.bin"), (".", "m/a.bin"), ("../x/../m", "m/a.bin"), ("../m/a.bin", "m/a.bin")],
)
def test_a_place_in_sarif_is_relative_to_where_we_are(
    path: str, uri: str, folder: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(folder, a_bin="high")
    (folder.parent / "x").mkdir()
    if path != ".":
        monkeypatch.chdir(folder.parent / "x")
    run("scan", path, "--sarif", "r.sarif")
    (result,) = json.loads(Path("r.sarif").read_text())["runs"][0]["results"]
    location = result["locations"][0]["physicalLocation"]["artifactLocation"]
    assert location == {"uri": uri, "uriBaseId": "SRCROOT"}


def test_only_what_is_new_fails_against_a_baseline(folder: Path, run: Run) -> None:
    written(folder, a_bin="high")
    assert run("scan", "m", "--json", "--output", "before.json").code == 1
    done = run("scan", "m", "--baseline", "before.json")
    assert done.code == 0
    assert "known: it is in the baseline" in done.out
    written(folder, b_bin="high")
    done = run("scan", "m", "--baseline", "before.json", "--sarif", "r.sarif")
    assert done.code == 1
    results = json.loads(Path("r.sarif").read_text())["runs"][0]["results"]
    assert sorted("suppressions" in r for r in results) == [False, True]


def test_an_allow_file_is_suggested_refused_completed_and_used(folder: Path, run: Run) -> None:
    written(folder, a_bin="high", b_bin="critical")
    done = run("scan", "m", "--suggest-allow", "--output", "allow.toml")
    assert done.code == 1
    assert run("scan", "m", "--allow", "allow.toml").code == 2
    text = Path("allow.toml").read_text().replace('reason = ""', 'reason = "read"')
    Path("allow.toml").write_text(text.replace('owner = ""', 'owner = "Ada"'))
    done = run("scan", "m", "--allow", "allow.toml")
    assert (done.code, done.err) == (0, "")
    assert "by Ada: read" in done.out
    assert run("scan", "m/a.bin", "m/b.bin", "--allow", "allow.toml").code == 0  # as a hook does
    written(folder, a_bin="high and more")
    done = run("scan", "m", "--allow", "allow.toml")
    assert done.code == 1
    assert "the file is another one" in done.err


def test_there_is_an_allow_file_or_json_and_one_only_where_there_is_something(
    folder: Path, run: Run
) -> None:
    written(folder, a_bin="nothing")
    done = run("scan", "m", "--suggest-allow", "--json")
    assert (done.code, done.out) == (2, "")
    assert "--suggest-allow prints an allow file" in done.err
    assert "nothing to allow" in run("scan", "m", "--suggest-allow").err


def test_quiet_says_nothing_unless_it_fails(folder: Path, run: Run) -> None:
    written(folder, a_bin="medium")
    done = run("scan", "m", "--quiet")
    assert (done.code, done.out, done.err) == (0, "", "")
    written(folder, a_bin="high")
    assert "a word" in run("scan", "m", "--quiet").out


def test_a_scan_that_is_stopped_leaves_nothing(folder: Path, run: Run) -> None:
    written(folder, a_bin="high", b_bin="interrupt")
    done = run("scan", "m", "--sarif", "r.sarif", "--html", "r.html", "--output", "r.txt")
    assert (done.code, done.out) == (130, "")
    assert sorted(p.name for p in folder.parent.iterdir()) == ["m"]


@pytest.mark.parametrize("linked", [False, True])
def test_a_device_is_written_to_and_stays_one(linked: bool, folder: Path, run: Run) -> None:
    """As root, a rename would put a file in the place of /dev/null for the whole machine."""
    written(folder, a_bin="high")
    pipe, to = Path("pipe"), Path("link" if linked else "pipe")
    os.mkfifo(pipe)
    if linked:
        to.symlink_to(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        assert run("scan", "m", "--sarif", to).code == 1
        assert json.loads(os.read(reader, 1 << 16))["version"] == "2.1.0"
    finally:
        os.close(reader)
    assert pipe.is_fifo()
    assert to.is_symlink() == linked


def test_a_link_to_a_report_stays_one(folder: Path, run: Run) -> None:
    written(folder, a_bin="nothing")
    Path("latest.json").symlink_to("today.json")
    assert run("scan", "m", "--json", "--output", "latest.json").code == 0
    assert Path("latest.json").is_symlink()
    assert json.loads(Path("today.json").read_text())["schema_version"] == 1


def test_two_reports_do_not_fit_in_one_file(folder: Path, run: Run) -> None:
    written(folder, a_bin="nothing")
    done = run("scan", "m", "--json", "--output", "r.json", "--sarif", "./r.json")
    assert done.code == 2
    assert "each report needs a file of its own" in done.err
    assert not Path("r.json").exists()


def test_a_file_that_cannot_be_written_is_said(folder: Path, run: Run) -> None:
    written(folder, a_bin="high")
    done = run("scan", "m", "--sarif", "none/r.sarif")
    assert (done.code, done.out) == (2, "")
    assert "none/r.sarif cannot be written" in done.err


def test_many_files_are_few_lines_and_all_are_in_the_json(folder: Path, run: Run) -> None:
    for i in range(1_000):
        (folder / f"{i}.xyz").touch()
        (folder / f"{i}.bin").write_text("torn" if i % 2 else "low")
    text = run("scan", "m").out
    assert text.count("\n") < 50
    assert "1,000 places, 0.xyz, 1.xyz, 10.xyz, …: no format that is known here" in text
    assert "and 496 places more" in text
    told = json.loads(run("scan", "m", "--json").out)["reports"][0]
    assert len(told["files"]) == 2_000
    assert len(told["unread"]) == 500


def test_names_cannot_steer_a_terminal(folder: Path, run: Run) -> None:
    (folder / "a\x1b[31m\u202e.bin").write_text("high torn")
    done = run("scan", "m")
    assert all(line.isprintable() for line in done.out.split("\n"))
    assert r"a\x1b[31m\u202e.bin" in done.out


def test_no_face_calls_anything_clean_or_safe(folder: Path, run: Run) -> None:
    written(folder, a_bin="nothing")
    for options in ((), ("--json",), ("--sarif", "-"), ("--cyclonedx", "-")):
        said = run("scan", "m", *options).out.lower()
        assert "clean" not in said
        assert "safe" not in said.replace("safetensors", "")


def test_progress_is_on_stderr_of_a_terminal_only(folder: Path) -> None:
    """After a second, between two terminals: a rule that takes its time shows it."""
    written(folder, a_bin="x", b_bin="y")
    code = (
        "import functools, sys, time, credenza.scan\n"
        "from credenza.scan import scan\n"
        "class Slow:\n"
        "    name = 'slow'\n"
        "    def claims(self, piece): time.sleep(0.6); return True\n"
        "    def examine(self, piece): return iter(())\n"
        "credenza.scan.scan = functools.partial(scan, rules=(Slow(),), containers=())\n"
        "from credenza.cli import main\n"
        "sys.argv = ['credenza', 'scan', 'm', '--quiet']\n"
        "main()\n"
    )
    assert "2 files" in _on_a_terminal([sys.executable, "-c", code])
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert (done.stdout, done.stderr) == (b"", b"")


def _on_a_terminal(command: list[str]) -> str:
    ours, theirs = pty.openpty()
    with subprocess.Popen(command, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        said = b""
        while True:
            try:
                block = os.read(ours, 4096)
            except OSError:  # the other end was closed
                break
            if not block:
                break
            said += block
        assert process.wait() == 0
    os.close(ours)
    return said.decode()


def test_a_scan_starts_without_what_it_does_not_need(folder: Path) -> None:
    written(folder, a_bin="x")
    code = (
        "import functools, sys, credenza.scan\n"
        "from credenza.scan import scan\n"
        "class Any:\n"
        "    name = 'any'\n"
        "    def claims(self, piece): return True\n"
        "    def examine(self, piece): return iter(())\n"
        "credenza.scan.scan = functools.partial(scan, rules=(Any(),), containers=())\n"
        "from credenza.cli import main\n"
        "sys.argv = ['credenza', 'scan', 'm']\n"
        "try:\n    main()\nfinally:\n"
        "    heavy = {'rich', 'numpy', 'torch', 'msgspec', 'credenza.report.blocks', 'obstore'}\n"
        "    print(sorted(heavy & sys.modules.keys()), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "[]\n")
