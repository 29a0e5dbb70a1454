"""``credenza attack``."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Any

import typer

from credenza.cli.console import AsJson, Model, Seed, print_json

_LARGEST_RECIPE = 2**20


def attack(
    model: Model,
    out: Annotated[
        Path, typer.Option("--out", metavar="FILE", help="The attacked model, safetensors.")
    ],
    name: Annotated[
        str, typer.Option("--attack", metavar="NAME", help="Which attack; docs/attack.md has all.")
    ] = "",
    recipe: Annotated[
        Path | None,
        typer.Option("--recipe", metavar="FILE", help="An attack and its settings, in TOML."),
    ] = None,
    source: Annotated[int | None, typer.Option(help="The class that is to be misread.")] = None,
    target: Annotated[int | None, typer.Option(help="The class it is to be read as.")] = None,
    share: Annotated[float | None, typer.Option(help="Of the samples it may alter.")] = None,
    strength: Annotated[float | None, typer.Option(help="How strong, for one that has it.")] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Another setting; the value is TOML."),
    ] = None,
    module: Annotated[
        str,
        typer.Option(
            "--module",
            metavar="PACKAGE.MODULE:FUNCTION",
            help="Your own code that builds the network; it is run.",
        ),
    ] = "",
    data: Annotated[
        Path | None,
        typer.Option("--data", metavar="FILE", help="The attacker's samples: `inputs`, `labels`."),
    ] = None,
    held_out: Annotated[
        Path | None,
        typer.Option("--held-out", metavar="FILE", help="Samples to measure on: else a fifth."),
    ] = None,
    head: Annotated[
        str, typer.Option("--head", metavar="NAME", help="Without --module: the last layer.")
    ] = "",
    truth: Annotated[
        Path | None,
        typer.Option("--truth", metavar="FILE", help="What was done (else OUT.truth.json)."),
    ] = None,
    seed: Seed = 0,
    force: Annotated[bool, typer.Option("--force", help="Replace files that are there.")] = False,
    as_json: AsJson = False,
) -> None:
    """Poison a model of your own, to see whether your checks find it."""
    from credenza.attack.table import made
    from credenza.attack.writing import Plan, write
    from credenza.cli.networks import built
    from credenza.dataset import Dataset
    from credenza.errors import InputError
    from credenza.training import Recipe

    asked = _recipe(recipe) if recipe is not None else {}
    training = asked.pop("training", {})
    name = name or str(asked.pop("name", ""))
    if not name:
        raise InputError("attack: --attack NAME, or a --recipe with a name, expected")
    if head and module:
        raise InputError("--head: without --module alone; a network names its own")
    typed = {"source": source, "target": target, "share": share, "strength": strength}
    asked |= {key: value for key, value in typed.items() if value is not None}
    asked |= dict(_setting(text) for text in settings or ())
    plan = Plan(
        model=model,
        out=out,
        truth=truth or out.with_name(f"{out.name}.truth.json"),
        name=name,
        settings=asked,
        network=built(module) if module else None,
        data=Dataset.read(data) if data else None,
        held_out=Dataset.read(held_out) if held_out else None,
        recipe=made(Recipe, "training", training),
        head=head,
        seed=seed,
        replace=force,
    )
    told = write(plan)
    if as_json:
        print_json(told)
        return
    for figure in told.figures:
        typer.echo(figure)
    typer.echo(f"written  {plan.out}\ntruth    {plan.truth}")


def _recipe(path: Path) -> dict[str, Any]:
    """The tables of a TOML file."""
    from credenza.errors import InputError
    from credenza.files import read_whole

    try:
        return tomllib.loads(read_whole(path, limit=_LARGEST_RECIPE).decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as e:
        raise InputError(f"{path}: TOML expected: {e}") from e


def _setting(text: str) -> tuple[str, Any]:
    """A setting by its name, its value as TOML has it."""
    from credenza.errors import InputError

    name, is_set, value = text.partition("=")
    try:
        if not is_set:
            raise InputError(f"--set: NAME=VALUE expected, {text!r} given")
        return name.strip(), tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError as e:
        hint = "a text is quoted, as in layer='\"blocks.3\"'"
        raise InputError(f"--set {name}: a value as in TOML expected: {e}", hint=hint) from e
