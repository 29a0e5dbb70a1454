"""What `credenza.scan.weights` says of honest and of edited networks, how fast, in how much memory.

The long form trains every network of `plan`, makes the calibration that is shipped, and measures on
all networks kept for the test. The short form measures the shipped calibration on some of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from benchmarks.results import ROOT, Bar, write
from benchmarks.weights import measuring, networks, packaged, plan, speed
from benchmarks.weights.edits import EDITS
from benchmarks.weights.measuring import Examined
from credenza.rates import interval
from credenza.scan.weights import LARGE, LEVEL, Calibration, shipped

SHIPPED: Final = ROOT / "src" / "credenza" / "scan" / "weights" / "networks.json"
SHORT: Final = 40
_MANY_CLASSES: Final = ("digits", "mnist")


def run(*, full: bool) -> None:
    seeds = list(plan.TEST if full else plan.TEST[:SHORT])
    if full:
        networks.make([*plan.DEVELOPMENT, *plan.CALIBRATION])
        known = measuring.calibration()
        SHIPPED.write_bytes(msgspec.json.format(msgspec.json.encode(known), indent=1) + b"\n")
    else:
        known = shipped()
    networks.make(seeds)
    honest = measuring.honest(seeds, known)
    packages = measuring.honest_in_packages(packaged.TEST, known)
    edited = {name: measuring.edited(name, seeds, known) for name in EDITS}
    bars = [*_alarms(honest, packages), *_found(edited), *speed.bars()]
    write(
        "weights",
        "What `scan --weights` says of honest and of edited networks",
        _text(known, packages),
        bars,
        ["credenza", "numpy", "torch"],
    )


def _alarms(honest: Sequence[Examined], packages: Sequence[Examined]) -> list[Bar]:
    return [
        _share("honest networks with a finding", [e.found for e in honest]),
        _share("… at medium or above", [e.accused for e in honest], target=0.0),
        _share("honest models in packages with a finding", [e.found for e in packages]),
        _share("… odder than the few known of their size, a note", [e.noted for e in packages]),
        _share("… at medium or above", [e.accused for e in packages], target=0.0),
    ]


def _found(edited: dict[str, list[Examined]]) -> list[Bar]:
    bars = []
    for name, networks_ in edited.items():
        bars.append(_share(f"{name}: found", [e.found for e in networks_]))
        many = [e for e in networks_ if plan.recipe(int(e.name)).data in _MANY_CLASSES]
        bars.append(_share("… of networks for 10 classes", [e.found for e in many]))
        bars.append(_share("… and the tensor named", [e.named for e in many]))
    return bars


def _share(name: str, hits: Sequence[bool], target: float | None = None) -> Bar:
    low, high = interval(sum(hits), len(hits))
    name = f"{name} ({sum(hits)} of {len(hits)})"
    value = sum(hits) / len(hits)
    return Bar(bar=name, value=value, unit="", target=target, low=low, high=high)


def _text(known: Calibration, packages: Sequence[Examined]) -> str:
    odd = [f"{e.name} ({', '.join(e.rules)})" for e in packages if e.rules]
    return "\n".join(
        [
            f"The population: {known.population}. Its p-values: a model has findings where its "
            f"p-value over all tests is {LEVEL:g} or less, a level fixed before anything was "
            "measured; they are low, and numbers that are not finite or absurd are higher. "
            f"{len(plan.DEVELOPMENT)} other networks and {len(packaged.DEVELOPMENT)} other "
            f"packages developed the tests and their units; the {len(plan.TEST)} networks and "
            f"{len(packaged.TEST)} packages below were kept for the test, and no choice was made "
            "after seeing what they score. (That a network is held against those of its size was "
            "decided after seeing the packages that calibrate, whose scores were in view, too, "
            "while kernels, matrices and fixed transforms were told apart; none of the test's "
            "were.) "
            "Intervals are exact (Clopper and Pearson). At most "
            f"{known.like(0).false_alarms(LEVEL):.1%} of small honest networks of the population "
            "have findings (upper 95 % bound, from the calibration alone). Models in packages are "
            "not of it: their rate is measured, not proven.",
            "",
            f"Models in packages with findings or notes: {'; '.join(odd) or 'none'}. Large ones "
            f"are held against {len(known.like(LARGE).networks)}, too few for a finding.",
            "",
            "Edits are made to networks kept for the test. Where two classes are exchanged, or a "
            "whole head is scaled, the weights are as honest as before: what is found there are "
            "false alarms. Classes are told apart by four or more. Poison that was trained in "
            "leaves no mark on such statistics; it is `probe` that looks for it, and `diff` that "
            "compares with a version that is trusted.",
            "",
        ]
    )
