"""Which training samples were altered, given a few hundred that are trusted.

What a user types: docs/audit.md. Needs the extra ``torch``.
"""

from credenza.audit.auditing import Audit, audit
from credenza.audit.interface import Detector, Scores
from credenza.audit.mahalanobis import Mahalanobis
from credenza.audit.trusted_seed import TrustedSeed
from credenza.verbs import callable_room

__all__ = ["Audit", "Detector", "Mahalanobis", "Scores", "TrustedSeed", "audit"]

callable_room(__name__)
