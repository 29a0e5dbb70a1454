"""What changed against a trusted model, and what kind of change is it?

`diff` compares two artefacts and needs no data. Where there are labelled samples and the models
run, `credenza.diff.behaviour` says which class became which. What a user types: docs/diff.md.
"""

from credenza.diff.change import Change, measure
from credenza.diff.comparing import Comparison, compare, diff
from credenza.diff.kinds import KINDS, Kind
from credenza.diff.matrix import Matrix
from credenza.diff.verdict import Verdict
from credenza.verbs import callable_room

__all__ = [
    "KINDS",
    "Change",
    "Comparison",
    "Kind",
    "Matrix",
    "Verdict",
    "compare",
    "diff",
    "measure",
]

callable_room(__name__)
