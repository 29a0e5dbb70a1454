"""The hook, the action and the page on CI name commands, options and files that there are."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from credenza.cli import VERBS, application

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "scan-in-ci.md").read_text("utf-8")
ACTION: Any = yaml.safe_load((ROOT / "action.yml").read_text("utf-8"))
(HOOK,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text("utf-8"))
STEPS = ACTION["runs"]["steps"]
SUFFIXES = (
    "bin ckpt gguf h5 hdf5 joblib keras mar msgpack nemo npy npz onnx pb pickle pkl pt pt2 pth "
    "safetensors skops tar tflite tgz zip"
)


def options(verb: str) -> set[str]:
    """What the command line takes after a verb."""
    from typer.main import get_command

    command: Any = get_command(application([verb]))
    return {name for p in command.commands[verb].params for name in p.opts} | {"--help"}


def commands() -> list[list[str]]:
    """Every call of credenza scan in the page, the hook and the action, as words."""
    texts = [PAGE, HOOK["entry"], *(step.get("run", "") for step in STEPS)]
    lines = [line for text in texts for line in text.splitlines()]
    calls = [re.search(r"credenza\"? (scan .*)", line) for line in lines]
    words = [shlex.split(call[1].strip("'"), comments=True) for call in calls if call]
    docker = re.search(r"ENTRYPOINT (\[.*\])", PAGE)
    assert docker is not None
    return [*words, yaml.safe_load(docker[1])[1:]]


def test_each_command_has_that_verb_and_those_options() -> None:
    known = options("scan")
    assert len(commands()) >= 7
    for words in commands():
        assert words[0] in VERBS
        assert {w for w in words if re.fullmatch("--[a-z-]+", w)} <= known, words
    used = set(re.findall(r"--[a-z-]{3,}", "\n".join(s.get("run", "") for s in STEPS)))
    assert used - {"--quiet"} <= known


@pytest.mark.parametrize("args", re.findall(r"args: (\[--.*\])", PAGE))
def test_arguments_of_the_hook_are_options(args: str) -> None:
    assert {a for a in yaml.safe_load(args) if a.startswith("--")} <= options("scan")


@pytest.mark.parametrize("suffix", SUFFIXES.split())
def test_the_hook_looks_at_files_of_models(suffix: str) -> None:
    assert re.search(HOOK["files"], f"models/a b/reader.{suffix}")
    assert re.search(HOOK["files"], f"READER.{suffix.upper()}")
    assert not re.search(HOOK["files"], f"reader.{suffix}.md")
    assert not re.search(HOOK["files"], f"reader{suffix}")


def test_other_actions_are_pinned_to_a_commit() -> None:
    used = [step["uses"] for step in STEPS if "uses" in step]
    used += re.findall(r"uses: (actions/\S+)", PAGE)
    assert len(used) == 3
    assert all(re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", name) for name in used)


def test_inputs_reach_a_shell_through_its_environment_only() -> None:
    for step in STEPS:
        assert "${{" not in step.get("run", "")
    used = set(re.findall(r"inputs\.([\w-]+)", (ROOT / "action.yml").read_text("utf-8")))
    assert used == ACTION["inputs"].keys()


@pytest.mark.parametrize("step", [s for s in STEPS if "run" in s], ids=lambda s: s["name"])
def test_each_step_is_a_script(step: Any) -> None:
    done = subprocess.run(["bash", "-n"], input=step["run"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_scan_of_the_action_hands_on_odd_paths_whole(tmp_path: Path) -> None:
    """Its script, with a program in credenza's place that prints what it was given."""
    (step,) = [s for s in STEPS if s.get("id") == "scan"]
    program = tmp_path / "credenza" / "bin" / "credenza"
    program.parent.mkdir(parents=True)
    program.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\ntouch "$5"\nexit 1\n')
    program.chmod(0o755)
    environment = {
        "PATH": "/usr/bin:/bin",
        "RUNNER_TEMP": str(tmp_path),
        "GITHUB_OUTPUT": str(tmp_path / "out"),
        "PATHS": "models/a b\n\n$(touch pwned)\n--strict\n",
        "FAIL_ON": "medium",
        "STRICT": "false",
        "ALLOW": "a.toml",
        "BASELINE": "",
    }
    done = subprocess.run(
        ["bash", "-e", "-c", step["run"]],
        env=environment,
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert done.returncode == 1
    words = ["scan", "--fail-on", "medium", "--sarif", f"{tmp_path}/credenza.sarif"]
    paths = ["--", "models/a b", "$(touch pwned)", "--strict"]
    assert done.stdout.splitlines() == [*words, "--allow", "a.toml", *paths]
    assert not (tmp_path / "pwned").exists()
    assert (tmp_path / "out").read_text() == f"sarif={tmp_path}/credenza.sarif\n"
