"""Do the errors of a model whose neurons are disturbed gather in one class?"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, final

import numpy as np
import torch
from torch import nn

from credenza.dataset import Dataset, IntArray
from credenza.errors import InputError
from credenza.findings import Figure, Where
from credenza.probe.subject import Evidence, Measured, Need, Statistic, Subject

_DEFINITION: Final = (
    "−log of the entropy (in bits, 0.01 added) of the classes that misread samples go to, under "
    "the noise; after BAN (Xu et al., NeurIPS 2024), with noise on every layer's output"
)


@final
@dataclass(frozen=True, slots=True)
class NeuronNoise:
    """Scales each neuron or channel within 1 ± ``reach`` so that trusted samples are misread.

    Signed gradient ascent of the cross-entropy over one factor for each output of each layer,
    shared by all samples (Wu and Wang, ANP, NeurIPS 2021, section 3). A model with a backdoor has
    neurons that speak for its target: its errors gather there.
    """

    reach: float = 0.4
    steps: int = 6
    samples: int = 200

    @property
    def needs(self) -> frozenset[Need]:
        return frozenset({Need.GRADIENTS, Need.TRUSTED})

    @property
    def covers(self) -> str:
        return "neurons disturbed to do harm: do the errors gather in one class?"

    @property
    def blind(self) -> tuple[str, ...]:
        return ("backdoors whose neurons are silent on trusted samples",)

    def measure(self, subject: Subject, *, seed: int) -> Measured:
        classifier, trusted = subject.classifier, subject.trusted
        if classifier is None or trusted is None:
            raise InputError("neuron noise: a torch module and trusted samples expected")
        if not _inner(classifier.module):
            return Measured(
                statistics=(), uncovered=(f"{self.covers} (the model has one layer alone)",)
            )
        rows = np.random.default_rng(seed).permutation(len(trusted))[: self.samples]
        read = self._disturbed(classifier.module, trusted.take(rows))
        labels = trusted.labels[rows]
        wrong = np.bincount(read[read != labels], minlength=subject.classes)
        target, errors = int(wrong.argmax()), int(wrong.sum())
        if not errors:
            return Measured(
                statistics=(), uncovered=(f"{self.covers} (no sample was misread under the noise)",)
            )
        shares = wrong[wrong > 0] / errors
        entropy = float(-(shares * np.log2(shares)).sum())
        evidence = Evidence(
            what=f"neurons disturbed to do harm read {wrong[target]} of {errors} misread samples "
            f"as {target}",
            where=Where(classes=(target,)),
            figures=(
                Figure(
                    name="share of the errors that go to the class",
                    value=wrong[target] / errors,
                    definition="misread trusted samples read as it / all misread, under the noise",
                ),
            ),
        )
        value = -math.log(entropy + 0.01)
        return Measured(
            statistics=(
                Statistic(
                    name="noise.concentration",
                    value=value,
                    definition=_DEFINITION,
                    evidence=evidence,
                ),
            )
        )

    def _disturbed(self, module: nn.Module, data: Dataset) -> IntArray:
        """As what each sample is read, under the worst noise that was found."""
        inputs, labels = torch.from_numpy(data.inputs), torch.from_numpy(data.labels)
        with _scaled(module) as factors:
            module(inputs[:1])  # lays the factors out
            for _ in range(self.steps):
                loss = nn.functional.cross_entropy(module(inputs), labels)
                gradients = torch.autograd.grad(loss, factors, allow_unused=True)
                with torch.no_grad():
                    for factor, gradient in zip(factors, gradients, strict=True):
                        if gradient is not None:
                            factor += 2 * self.reach / self.steps * gradient.sign()
                            factor.clamp_(1 - self.reach, 1 + self.reach)
            with torch.no_grad():
                read: IntArray = module(inputs).argmax(dim=1).numpy()
        return read


@contextlib.contextmanager
def _scaled(module: nn.Module) -> Iterator[list[torch.Tensor]]:
    """A factor for each output of each inner layer, filled as the module is first run."""
    layers = _inner(module)
    factors: dict[nn.Module, torch.Tensor] = {}
    listed: list[torch.Tensor] = []

    def scale(layer: nn.Module, _: tuple[torch.Tensor, ...], out: torch.Tensor) -> torch.Tensor:
        if layer not in factors:
            channels = out.shape[1 if isinstance(layer, nn.Conv2d) else -1]
            shape = (channels, 1, 1) if isinstance(layer, nn.Conv2d) else (channels,)
            factors[layer] = torch.ones(shape, requires_grad=True)
            listed.append(factors[layer])
        return out * factors[layer]

    handles = [layer.register_forward_hook(scale) for layer in layers]
    training = module.training
    module.eval()
    try:
        yield listed
    finally:
        for handle in handles:
            handle.remove()
        module.train(training)


def _inner(module: nn.Module) -> list[nn.Module]:
    """The linear and convolutional layers but the last."""
    layers: list[nn.Module] = [m for m in module.modules() if isinstance(m, nn.Linear | nn.Conv2d)]
    return layers[:-1]
