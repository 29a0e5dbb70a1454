"""A torch module seen as a classifier."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from credenza.classifier import Classifier
from credenza.errors import InputError


def _network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Flatten(), nn.Linear(6, 5), nn.BatchNorm1d(5), nn.ReLU(), nn.Dropout(), nn.Linear(5, 3)
    )


INPUTS = np.random.default_rng(0).random((10, 1, 2, 3), np.float32)


def test_logits_are_head_of_features() -> None:
    classifier = Classifier(_network())
    head = classifier.head
    expected = classifier.features(INPUTS) @ head.weight.detach().numpy().T
    np.testing.assert_allclose(
        classifier.logits(INPUTS), expected + head.bias.detach().numpy(), rtol=1e-5, atol=1e-6
    )
    np.testing.assert_array_equal(classifier.predict(INPUTS), classifier.logits(INPUTS).argmax(1))


def test_batches_change_nothing() -> None:
    network = _network()
    np.testing.assert_allclose(
        Classifier(network, batch=3).logits(INPUTS), Classifier(network).logits(INPUTS), atol=1e-6
    )


def test_the_module_is_used_in_evaluation_and_left_as_it_was() -> None:
    network = _network().train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    first = Classifier(network).logits(INPUTS)
    np.testing.assert_array_equal(first, Classifier(network).logits(INPUTS))
    assert network.training
    assert all(torch.equal(before[n], value) for n, value in network.state_dict().items())
    assert not network[5]._forward_pre_hooks


def test_the_head_is_the_last_linear_layer() -> None:
    assert Classifier(_network()).head_name == "5"
    with pytest.raises(InputError, match="a module with a linear layer expected"):
        _ = Classifier(nn.Sequential(nn.ReLU())).head
