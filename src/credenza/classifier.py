"""A classifier, as those see it who attack, examine and guard one: numbers in, numbers out.

Needs the extra ``torch``.
"""

from __future__ import annotations

from dataclasses import dataclass

from credenza.dataset import FloatArray, IntArray
from credenza.errors import InputError, MissingExtraError

try:
    import torch
    from torch import nn
except ImportError as e:
    raise MissingExtraError("looking at a torch model", "torch") from e


@dataclass(frozen=True, slots=True)
class Classifier:
    """A torch module that maps inputs (n, …) to logits (n, classes), with its last layer known.

    The last `torch.nn.Linear` of ``module`` is its head; what goes into the head are its
    features. The module is used in evaluation mode and is never changed.
    """

    module: nn.Module
    batch: int = 1024

    @property
    def head_name(self) -> str:
        """The dotted name of the head: its parameters are ``NAME.weight`` and ``NAME.bias``.

        Raises `InputError` if the module has no linear layer.
        """
        names = [n for n, m in self.module.named_modules() if isinstance(m, nn.Linear)]
        if not names:
            raise InputError("classifier: a module with a linear layer expected, none found")
        return str(names[-1])

    @property
    def head(self) -> nn.Linear:
        """The last linear layer."""
        layer = self.module.get_submodule(self.head_name)
        assert isinstance(layer, nn.Linear)  # noqa: S101  head_name chose it by its type
        return layer

    def logits(self, inputs: FloatArray) -> FloatArray:
        """Logits (n, classes), float32; a module without a linear layer gives them as well."""
        return self._run(inputs)

    def predict(self, inputs: FloatArray) -> IntArray:
        """The class of the largest logit, (n,) int64."""
        classes: IntArray = self.logits(inputs).argmax(axis=1)
        return classes

    def features(self, inputs: FloatArray) -> FloatArray:
        """What goes into the head, (n, head.in_features), float32."""
        kept: list[torch.Tensor] = []

        def keep(_: nn.Module, args: tuple[torch.Tensor, ...]) -> None:
            kept.append(args[0].detach())

        handle = self.head.register_forward_pre_hook(keep)
        try:
            self._run(inputs)
        finally:
            handle.remove()
        return torch.cat(kept).numpy()

    def _run(self, inputs: FloatArray) -> FloatArray:
        training = self.module.training
        self.module.eval()
        try:
            with torch.inference_mode():
                batches = torch.split(torch.from_numpy(inputs), self.batch)
                logits: FloatArray = torch.cat([self.module(b) for b in batches]).numpy()
        finally:
            self.module.train(training)
        return logits
