"""Models that only their recipients can read: encrypt, decrypt, load, exchange recipients.

Specification: docs/formats/encrypted.md. What a user types: docs/encrypt.md. Needs the extra
``encrypt``; nothing else in `seal` imports it before an identity is given.
"""

from credenza.seal.encryption.decrypting import decrypt, read
from credenza.seal.encryption.encrypting import encrypt
from credenza.seal.encryption.recipients import Identity, Kem, Recipient, new_identity
from credenza.seal.encryption.refusals import PAYLOAD_NAME
from credenza.seal.encryption.rekeying import rekey

__all__ = [
    "PAYLOAD_NAME",
    "Identity",
    "Kem",
    "Recipient",
    "decrypt",
    "encrypt",
    "new_identity",
    "read",
    "rekey",
]
