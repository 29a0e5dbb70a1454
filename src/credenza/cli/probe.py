"""``credenza probe``: a model, or ``credenza probe calibrate`` for what its figures mean."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from credenza.cli.console import AsJson, Html, Model, Seed, conclude, trusted

if TYPE_CHECKING:
    from credenza.classifier import Classifier
    from credenza.probe import Detector, Subject

_MODULE = "PACKAGE.MODULE:FUNCTION"
Built = Annotated[
    str,
    typer.Option("--module", metavar=_MODULE, help="Your own code that builds the network; run."),
]


class _ModelOrVerb(TyperGroup):
    """What is no verb of its own is the model: ``credenza probe MODEL``."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        return super().resolve_command(ctx, self._named(args))

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        alone = args and args[0].startswith("-") and args[0] != "--help"
        return super().parse_args(ctx, self._named(args) if alone else args)

    def _named(self, args: list[str]) -> list[str]:
        return args if not args or args[0] in self.commands else ["model", *args]


app = typer.Typer(
    cls=_ModelOrVerb,
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Say whether a model behaves as if it were poisoned.\n\n"
    "credenza probe MODEL [OPTIONS], or one of these:",
)


@app.command()
def model(
    model: Model,
    data: Annotated[
        Path | None,
        typer.Option("--data", metavar="FILE", help="Trusted samples: `inputs`, `labels`."),
    ] = None,
    trust: Annotated[
        Path | None,
        typer.Option("--trust", metavar="FILE.pub", help="The public key of who may seal."),
    ] = None,
    module: Built = "",
    run: Annotated[
        str,
        typer.Option(
            "--run",
            metavar="KIND",
            help="Run the graph that the file holds: onnx, torchscript or export.",
        ),
    ] = "",
    shape: Annotated[
        str, typer.Option("--shape", metavar="1x28x28", help="Of one input, without --data.")
    ] = "",
    calibration: Annotated[
        Path | None,
        typer.Option(
            "--calibration", metavar="FILE", help="Clean twins, of `credenza probe calibrate`."
        ),
    ] = None,
    level: Annotated[
        float, typer.Option("--level", help="The overall false-alarm rate of calibrated tests.")
    ] = 0.01,
    seed: Seed = 0,
    as_json: AsJson = False,
    html: Html = None,
) -> None:
    """Probe a model: its weights alone, or with --module and --data how it behaves.

    A command without a name: `credenza probe MODEL`.
    """
    from credenza.dataset import Dataset
    from credenza.probe import Calibration, probe, shipped

    samples = None if data is None else Dataset.read(data)
    if run:
        subject, detectors = _run(run, model, module, trust, samples, _shape(shape))
    else:
        subject, detectors = _handed_in(model, module, trust, samples, _shape(shape))
    twins = shipped() if calibration is None else Calibration.read(calibration)
    report = probe(subject, detectors, seed=seed, calibration=twins, level=level)
    if trust is None:
        unsealed = "whose parameters these are: no seal was asked for (--trust)"
        report = replace(report, uncovered=(unsealed, *report.uncovered))
    report = replace(report, subject=f"{model.name or model}: {report.subject}")
    conclude([report], as_json=as_json, html=html)


@app.command()
def calibrate(
    module: Built,
    data: Annotated[
        Path, typer.Option("--data", metavar="FILE", help="Clean samples to train twins on.")
    ],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The calibration to write.")],
    trusted_file: Annotated[
        Path | None,
        typer.Option(
            "--trusted", metavar="FILE", help="Trusted samples; without, tests that need none."
        ),
    ] = None,
    twins: Annotated[int, typer.Option("--twins", min=2, help="How many to train.")] = 100,
    recipe: Annotated[
        Path | None,
        typer.Option("--recipe", metavar="FILE.toml", help="Settings of credenza.training.Recipe."),
    ] = None,
    processes: Annotated[int, typer.Option("--processes", min=0, help="0: one a core.")] = 0,
    seed: Seed = 0,
) -> None:
    """Train clean twins of a network and keep their figures: what a probe's are worth.

    A run that was stopped goes on where it ended: what is known lies beside --out meanwhile.
    """
    from credenza.cli.calibrating import run
    from credenza.cli.networks import factory

    run(
        factory=factory(module),
        data=data,
        out=out,
        trusted=trusted_file,
        twins=twins,
        recipe=recipe,
        processes=processes or None,
        seed=seed,
        named=module,
    )


def _handed_in(
    model: Path,
    module: str,
    trust: Path | None,
    samples: Any,
    shape: tuple[int, ...] | None,
) -> tuple[Subject, tuple[Detector, ...]]:
    """The subject, and the detectors for it."""
    if not module:
        return _weights_alone(model, trust, samples)
    from credenza.probe import DETECTORS, WITHOUT_DATA, Subject

    subject = Subject.of(_network(module, model, trust), samples, shape=shape)
    detectors = WITHOUT_DATA if samples is None else DETECTORS
    return subject, detectors


def _weights_alone(
    model: Path, trust: Path | None, samples: Any
) -> tuple[Subject, tuple[Detector, ...]]:
    from credenza.errors import InputError
    from credenza.probe import AmplificationPath, WeightStatistics, from_weights
    from credenza.seal import load

    if samples is not None:
        hint = "--module, or --run, says what reads the samples"
        raise InputError("--data: trusted samples, and nothing to read them with", hint=hint)
    sealed = None if trust is None else load(model, trusted([trust]))
    return from_weights(model, sealed=sealed), (WeightStatistics(), AmplificationPath())


def _run(
    kind: str,
    model: Path,
    module: str,
    trust: Path | None,
    samples: Any,
    shape: tuple[int, ...] | None,
) -> tuple[Subject, tuple[Detector, ...]]:
    """A subject whose graph is run, and what can look at it."""
    from credenza.errors import InputError
    from credenza.probe import DETECTORS, from_export, from_onnx, from_torchscript

    kinds = {"onnx": from_onnx, "torchscript": from_torchscript, "export": from_export}
    if kind not in kinds:
        raise InputError(f"--run: {', '.join(kinds)} expected, {kind!r} given")
    if module or trust:
        raise InputError("--run: neither --module nor --trust beside it: the file is run as it is")
    subject = kinds[kind](model, samples, shape=shape)
    return subject, tuple(d for d in DETECTORS if d.needs <= subject.has)


def _network(module: str, model: Path, trust: Path | None) -> Classifier:
    from credenza import artifact
    from credenza.cli.networks import filled, filled_with
    from credenza.seal import load_torch

    if trust is None:
        return filled(module, artifact.open(model))
    return filled_with(module, load_torch(model, trusted([trust])), model)


def _shape(text: str) -> tuple[int, ...] | None:
    from credenza.errors import InputError

    if not text:
        return None
    parts = text.split("x")
    if not all(p.isascii() and p.isdigit() and 0 < int(p) < 1 << 20 for p in parts):
        raise InputError(f"--shape: sizes as in 1x28x28 expected, {text!r} given")
    return tuple(map(int, parts))
