"""Each Python block of each page in docs/ runs as it stands, and each link leads somewhere."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from credenza.cli import VERBS

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *ROOT.glob("examples/*.md")])
_BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\((?!https?:|#|mailto:)([^)#]+)")


def _name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def _blocks(page: Path) -> list[str]:
    text = page.read_text("utf-8")
    # The lines keep their numbers, so that an error points into the page.
    return ["\n" * text.count("\n", 0, m.start(1)) + m[1] for m in _BLOCK.finditer(text)]


@pytest.mark.parametrize("page", [p for p in PAGES if _blocks(p)], ids=_name)
def test_examples_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, object] = {"__name__": "__main__"}
    for block in _blocks(page):
        exec(compile(block, str(page), "exec"), namespace)


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_links_lead_somewhere(page: Path) -> None:
    broken = [
        target
        for target in _LINK.findall(page.read_text("utf-8"))
        if not (page.parent / target).exists()
    ]
    assert not broken


def test_every_command_has_a_page() -> None:
    verbs = set(VERBS.values())
    pages = {p.stem for p in (ROOT / "docs").glob("*.md")}
    written_elsewhere = {"keys": "attest", "verify": "seal", "log": "ledger", "demo": "cheques"}
    written_elsewhere |= {"approve": "trust", "release": "trust", "check": "scan"}
    assert {written_elsewhere.get(verb, verb) for verb in verbs} <= pages


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("seal_and_load.py", "refused weights.npz"),
        ("serve_guarded.py", "as sealed: True"),
        ("gate.py", "is not admitted: no finding of high or above: audit found"),
    ],
)
def test_an_example_says_what_it_promises(name: str, told: str, tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "examples" / name)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert told in done.stdout


def test_every_example_is_run() -> None:
    listed = {"seal_and_load.py", "serve_guarded.py", "gate.py"}
    assert {path.name for path in (ROOT / "examples").glob("*.py")} == listed
