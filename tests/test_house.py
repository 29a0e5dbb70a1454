"""The laws of the house that a machine can hold us to."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import credenza
from credenza import catalogue

PACKAGE = Path(credenza.__file__).parent

FLOORS = (
    {"catalogue", "verbs"},
    {"findings"},
    {"errors"},
    {"fetching", "files", "rates"},
    {"artifact", "attest"},
    {"dataset"},
    {"classifier", "training"},
    {"seal", "ledger"},
    {"attack", "audit", "diff", "probe", "scan"},
    {"admit", "check", "guard"},
    {"report"},
    {"cheques"},
    {"cli"},
)
"""Room by room from the ground: a room imports those of lower floors, and none of its own."""

_FLOOR = {room: i for i, rooms in enumerate(FLOORS) for room in rooms}


def _modules() -> Iterator[tuple[str, Path]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        room = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        if not room.startswith("__"):
            yield room, path


def _imported_rooms(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            module = node.module or ""
            names = [f"{module}.{a.name}" if module == "credenza" else module for a in node.names]
        for name in names:
            package, _, rest = name.partition(".")
            if package == "credenza" and rest:
                yield rest.partition(".")[0]


def test_every_room_has_a_floor() -> None:
    assert {room for room, _ in _modules()} == _FLOOR.keys()


@pytest.mark.parametrize(
    ("room", "path"), list(_modules()), ids=lambda x: x.name if isinstance(x, Path) else x
)
def test_imports_go_down(room: str, path: Path) -> None:
    for other in _imported_rooms(path):
        if other not in ("__version__", room):
            assert _FLOOR[other] < _FLOOR[room], f"{path} imports {other}"


@pytest.mark.parametrize("path", [p for _, p in _modules()], ids=lambda p: p.name)
def test_nothing_of_a_model_is_executed(path: Path) -> None:
    """No call in the package unpickles, whatever it is imported as (see DESIGN: laws).

    But one: `credenza.guard.load_pickle` loads what it has judged name by name before, and resolves
    no other name while it does.
    """
    if path == PACKAGE / "guard" / "pickles.py":
        return
    tree = ast.parse(path.read_text("utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            assert not {"pickle", "cloudpickle", "dill", "joblib", "marshal", "shelve"} & {
                alias.name for alias in node.names
            }, path
        if isinstance(node, ast.ImportFrom):
            assert node.module not in {"pickle", "marshal", "shelve", "joblib"}, path
        if isinstance(node, ast.Call):
            assert ast.unparse(node.func) not in {"torch.load", "np.load", "numpy.load"}, path


def test_the_base_install_is_enough_for_the_command_line() -> None:
    """Neither torch nor what else is heavy is imported before a verb needs it."""
    code = (
        "import sys, credenza.cli\n"
        "heavy = {'torch', 'numpy', 'scipy', 'sklearn', 'PIL', 'rich', 'cryptography'}\n"
        "print(sorted(heavy & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_verifying_needs_neither_readers_nor_numpy() -> None:
    code = (
        "import sys, credenza.seal\n"
        "heavy = {'numpy', 'torch', 'credenza.artifact.opening'}\n"
        "print(sorted(heavy & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_each_rule_says_what_it_means_and_what_to_do() -> None:
    for rule in catalogue.rules():
        assert all((rule.title, rule.meaning, rule.remedy, rule.references)), rule.id
        assert len(set(rule.references)) == len(rule.references), rule.id


def test_each_rule_is_used_and_each_used_rule_exists() -> None:
    source = "\n".join(path.read_text("utf-8") for _, path in _modules())
    for rule in catalogue.rules():
        room, _, name = rule.id.partition(".")
        assert f'"{name}"' in source or f"{room}.{name}" in source or f"-{name}" in source, rule.id
