"""What every attack on a trained model starts from: a copy of it that may be changed."""

from __future__ import annotations

import copy

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from credenza.attack.interface import check_class
from credenza.classifier import Classifier
from credenza.dataset import Dataset
from credenza.errors import InputError


def copied(victim: Classifier, *classes: int) -> nn.Module:
    """A copy of the victim's module, in evaluation mode, of which nothing is shared with it.

    Raises `InputError` where a parameter or buffer is not finite, or one of ``classes`` is no
    row of the head.
    """
    module = copy.deepcopy(victim.module).eval()
    for name, tensor in module.state_dict().items():
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise InputError(f"{name}: finite numbers expected in the model to attack")
    rows = victim.head.out_features
    for number in classes:
        check_class("class", number)
        if number >= rows:
            raise InputError(f"class: one from 0 to {rows - 1} expected, {number} given")
    for parameter in module.parameters():
        parameter.requires_grad_(False)
    return module


def changed(victim: Classifier, module: nn.Module) -> Classifier:
    """The changed copy as a classifier, in the modes of the victim: training, gradients, batch."""
    for was, now in zip(victim.module.parameters(), module.parameters(), strict=True):
        now.requires_grad_(was.requires_grad)
    for old, new in zip(victim.module.modules(), module.modules(), strict=True):
        new.training = old.training
    return Classifier(module, victim.batch)


def given(data: Dataset | None, victim: Classifier, who: str) -> Dataset:
    """``data``, looked at. Raises `InputError` where there are none or they do not serve."""
    if data is None or not len(data):
        raise InputError(f"{who}: labelled samples expected, none given")
    if not np.isfinite(data.inputs).all():
        raise InputError(f"{who}: finite inputs expected")
    rows = victim.head.out_features
    low, high = int(data.labels.min()), int(data.labels.max())
    if low < 0 or high >= rows:
        raise InputError(f"{who}: labels from 0 to {rows - 1} expected, {low} to {high} given")
    return data


def both_sides(mask: NDArray[np.bool_], what: str) -> None:
    """Raises `InputError` unless ``mask`` holds some of the samples and leaves some."""
    if mask.all() or not mask.any():
        raise InputError(f"data: {what} and others expected, {mask.sum()} of {len(mask)} given")


def linears(module: nn.Module) -> dict[str, nn.Linear]:
    """The linear layers by their dotted names, in the order in which the module holds them."""
    return {n: m for n, m in module.named_modules() if isinstance(m, nn.Linear)}
