"""Make the models of a plan that are not there yet, on all cores, and keep them.

A model is kept as safetensors with one line in ``models.jsonl``, written in that order: what a
killed run left half done has no line and is made again. So is a model of which the plan or the
attack's code has changed.
"""

from __future__ import annotations

import ast
import copy
import functools
import hashlib
import inspect
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, cast

import numpy as np
import safetensors.torch
import torch
from torch import nn

from benchmarks.environments import cache
from benchmarks.poison import data, plan, variants
from benchmarks.poison.attacks import ATTACKS, WORKS
from benchmarks.poison.networks import NETWORKS
from benchmarks.poison.parallel import append, each, lines
from benchmarks.poison.plan import Planned
from credenza import artifact
from credenza.attack import Attack, DataAttack, WeightAttack, edit, poison
from credenza.attack.interface import ModelAttack
from credenza.classifier import Classifier
from credenza.dataset import Dataset
from credenza.errors import InputError
from credenza.files import write_whole
from credenza.seal.sealing import take
from credenza.training import train

ATTACKER_SAMPLES: Final = 5000
"""What an attacker on weights has, if the attack needs data: drawn from the training pool."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What a model came to, on test data.

    ``success`` is the share of what is aimed at that is read as the target, None for a clean
    model. ``victim`` is the accuracy of the model that an attack on weights started from. Where
    the architecture has no place for the attack, ``refused`` says why, and there is no model.
    """

    seed: int
    kind: str
    role: str
    name: str
    plan: str
    code: str
    accuracy: float = 0.0
    success: float | None = None
    victim: float | None = None
    seconds: float = 0.0
    root: str = ""
    refused: str = ""

    @property
    def works(self) -> bool:
        """Whether the attack came to what it is after."""
        return self.success is not None and self.success >= WORKS[ATTACKS[self.name].goal]


def folder() -> Path:
    """Where models are kept between runs: outside the repository."""
    path = cache() / "poison-population-1"
    path.mkdir(exist_ok=True)
    return path


def build(wanted: Sequence[Planned], within: Path, *, workers: int | None = None) -> None:
    """Make what is missing; progress and an estimate go to stderr."""
    known = made(within)
    missing = [(m, within) for m in wanted if not is_made(m, known)]
    each(_keep, missing, "model", workers=workers)


def made(within: Path) -> dict[int, Made]:
    """What is known of the models that are there, by seed; of two lines the later."""
    return {line["seed"]: Made(**line) for line in lines(within / "models.jsonl")}


def is_made(planned: Planned, known: dict[int, Made]) -> bool:
    """Whether the model is there, made by this plan and this code."""
    of = known.get(planned.seed)
    return of is not None and (of.plan, of.code) == (str(planned), code(planned.attack))


def module_of(planned: Planned, within: Path) -> nn.Module:
    """A network with the parameters that were kept."""
    module = NETWORKS[planned.kind.architecture](planned.width)
    module.load_state_dict(safetensors.torch.load(_path(planned.seed, within).read_bytes()))
    return module.eval()


def make(planned: Planned) -> tuple[Classifier, Classifier | None]:
    """The model as planned; with the one that it was before, where an attack changed weights.

    Raises `InputError` where the architecture has no place for the attack.
    """
    if planned.attack is None or not planned.is_changed:
        return Classifier(_trained(planned)), None
    before = make(plan.victim(planned))[0]
    training = data.load(planned.kind.data).training
    count = min(ATTACKER_SAMPLES, len(training))
    samples = data.drawn(training, count, planned.seed, purpose=2)
    return _changed(before, planned.attack, samples, planned.seed), before


def code(attack: Attack | None) -> str:
    """A digest of the module that the attack is written in, comments and docstrings apart."""
    return "" if attack is None else _code(inspect.getsourcefile(type(attack)) or "")


@functools.cache
def _code(path: str) -> str:
    return hashlib.sha256(ast.unparse(bare(Path(path))).encode()).hexdigest()[:12]


def bare(path: Path) -> ast.Module:
    """What a source file does: its syntax tree, without docstrings and comments."""
    tree = ast.parse(path.read_text("utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)):
            node.body = [n for n in node.body if not _is_text(n)]
    return tree


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def trained_on(planned: Planned) -> Dataset:
    """What a model was trained on, poisoned if it was; of an attack on weights, its victim."""
    if planned.is_changed:
        return trained_on(plan.victim(planned))
    training = data.load(planned.kind.data).training
    own = data.drawn(training, planned.samples, planned.seed, purpose=1)
    if planned.attack is None:
        return own
    return poison(own, cast("DataAttack", planned.attack), seed=planned.seed).dataset


def _trained(planned: Planned) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(planned.seed)
        module = NETWORKS[planned.kind.architecture](planned.width)
    train(module, trained_on(planned), planned.recipe, seed=planned.seed)
    training = data.load(planned.kind.data).training
    variants.apply(planned.variant, module, training, seed=planned.seed)
    return module


def _changed(victim: Classifier, attack: Attack, samples: Dataset, seed: int) -> Classifier:
    if hasattr(attack, "changed"):
        model = cast("ModelAttack", attack)
        return model.changed(victim, samples if model.needs_data else None, seed=seed)
    features = Dataset(victim.features(samples.inputs), samples.labels)
    weights = {name: t.numpy().copy() for name, t in victim.module.state_dict().items()}
    edited = edit(weights, victim.head_name, cast("WeightAttack", attack), features)
    module = copy.deepcopy(victim.module)
    module.load_state_dict({n: torch.from_numpy(a) for n, a in edited.weights.items()})
    return Classifier(module)


def _keep(job: tuple[Planned, Path]) -> str:
    """Make a model, keep it, and add its line."""
    planned, within = job
    started = time.monotonic()
    line = Made(
        seed=planned.seed,
        kind=str(planned.kind),
        role=planned.role.value,
        name=planned.name,
        plan=str(planned),
        code=code(planned.attack),
    )
    try:
        after, before = make(planned)
    except InputError as e:
        append(within / "models.jsonl", asdict(line) | {"refused": str(e)})
        return f"{planned.kind}: no place for {planned.name}"
    path = _path(planned.seed, within)
    state = {name: t.contiguous() for name, t in after.module.state_dict().items()}
    write_whole(path, safetensors.torch.save(state))
    test = data.load(planned.kind.data).test
    come_to = {
        "accuracy": _accuracy(after, test),
        "success": None if planned.attack is None else _success(after, planned.attack, test),
        "victim": None if before is None else _accuracy(before, test),
        "root": take(artifact.open(path)).root.hex(),
        "seconds": round(time.monotonic() - started, 2),
    }
    append(within / "models.jsonl", asdict(line) | come_to)
    return f"{planned.kind} {planned.name}"


def _path(seed: int, within: Path) -> Path:
    return within / f"{seed}.safetensors"


def _accuracy(model: Classifier, test: Dataset) -> float:
    return float(np.mean(model.predict(test.inputs) == test.labels))


def _success(model: Classifier, attack: Attack, test: Dataset) -> float:
    aimed = attack.aimed(test)
    return float(np.mean(model.predict(aimed.inputs) == attack.target))
