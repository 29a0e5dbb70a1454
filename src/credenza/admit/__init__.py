"""May it be served? A policy over what trusted keys have said; nothing is examined here.

What a user types: docs/admit.md.
"""

from credenza.admit.policy import Clause, Policy, Verdict, admit
from credenza.verbs import callable_room

__all__ = ["Clause", "Policy", "Verdict", "admit"]

callable_room(__name__)
