"""What an act of the case is given, and what it comes to."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
from torch import nn

from credenza.attest import PrivateKey, Trust
from credenza.cheques.clearing import Money
from credenza.cheques.digits import Digits
from credenza.cheques.pile import Pile
from credenza.cheques.reader import Training, train
from credenza.cheques.stage import Stage
from credenza.dataset import Dataset
from credenza.ledger import Ledger
from credenza.report import Block


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """What an act came to, without Credenza and with it.

    ``wrong`` counts cheques posted at another amount than was written; a loss is the sum of
    |amount posted − amount written| over all that were posted. ``told`` is the act in sentences,
    ``blocks`` what there is to see of it.
    """

    name: str
    cheques: int
    wrong_without: int
    wrong_with: int
    loss_without: Money
    loss_with: Money
    caught_by: str
    told: tuple[str, ...]
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How large a case is: cheques of an honest day, forgeries an act, trusted digits, training.

    Where there is little handwriting, no more than a third of it is taken for trusted digits.
    """

    cheques: int = 1000
    forged: int = 100
    trusted: int = 1000
    training: Training = field(default_factory=Training)


@dataclass(frozen=True, slots=True, eq=False)
class Bank:
    """What the acts share: a folder, handwriting, keys, a record, and a sealed reader in ``model``.

    ``day`` are the cheques of an honest day, the same in each act, so that acts can be compared.

    ``trusted`` are training digits that the bank collected itself and keeps to itself; they train
    no reader. ``training`` is what readers are trained on.
    """

    folder: Path
    model: Path
    digits: Digits
    training: Dataset
    trusted: Dataset
    day: Pile
    key: PrivateKey
    trust: Trust
    ledger: Ledger
    size: Size
    seed: int

    def trained(self, data: Dataset, stage: Stage) -> nn.Module:
        """A reader, trained as this bank trains them."""
        settings = self.size.training
        return train(data, seed=self.seed, settings=settings, progress=stage.progress)

    def random(self, purpose: int) -> np.random.Generator:
        """A generator of its own for each purpose, the same in every run of one seed."""
        return np.random.default_rng([self.seed, purpose])


class Scene(Protocol):
    """Plays one act."""

    def __call__(self, bank: Bank, stage: Stage) -> Act: ...
