"""Does the artefact hide code, or abuse its format?

`scan` looks at every file, at every file inside of one, and says what it found, what it looked
at and what it could not read. Nothing is executed, imported or looked up by a name that a file
gives. What a user types, and what this cannot see: docs/scan.md.
"""

from credenza.scan.containers import CONTAINERS
from credenza.scan.interface import Budget, Container, Limits, OverBudgetError, Piece, Rule
from credenza.scan.rules import RULES
from credenza.scan.scanning import scan
from credenza.verbs import callable_room

__all__ = [
    "CONTAINERS",
    "RULES",
    "Budget",
    "Container",
    "Limits",
    "OverBudgetError",
    "Piece",
    "Rule",
    "scan",
]

callable_room(__name__)
