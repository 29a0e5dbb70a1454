"""Who says so: statements about a subject, in signed envelopes, and the keys that sign them.

This room knows nothing of models: bytes and keys in, `Verified` statements out.
"""

from credenza.attest.envelope import Envelope, Signature
from credenza.attest.keys import PrivateKey, PublicKey, new_key
from credenza.attest.kinds import KINDS, kind_named
from credenza.attest.standing import RoleResult, Standing, Uncounted, Vouch
from credenza.attest.statement import IN_TOTO, Statement, Subject, sign
from credenza.attest.trust import Trust, Verified

__all__ = [
    "IN_TOTO",
    "KINDS",
    "Envelope",
    "PrivateKey",
    "PublicKey",
    "RoleResult",
    "Signature",
    "Standing",
    "Statement",
    "Subject",
    "Trust",
    "Uncounted",
    "Verified",
    "Vouch",
    "kind_named",
    "new_key",
    "sign",
]
