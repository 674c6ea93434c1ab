"""An agreement is signed by both sides: each signs the hash of the whole terms of a version, with a key of its own.

The surprise: the cloud only keeps signatures, it never makes one for a party. The text that is signed is short enough
to be compared by eye; a bill that is checked against a countersigned hash cannot hide other prices or other meters.
"""

from __future__ import annotations

import msgspec

from cloud.agreements import repository
from cloud.agreements.conclude import AgreementUnknown
from cloud.agreements.signatures import AgreementSignature, signed_text
from cloud.database import Tx
from wire.seal import SealError, open_text, verifier


class SignatureRefused(ValueError):
    """The signature does not count; the message says why."""


def sign(tx: Tx, tenant: str, agreement_id: str, told: AgreementSignature, now_ms: int) -> AgreementSignature:
    """Keeps a party's signature under a version; a party signs a version once. Raises AgreementUnknown,
    SignatureRefused.
    """
    agreement = repository.find(tx, tenant, agreement_id, lock=True)
    if agreement is None or not 1 <= told.version <= len(agreement.versions):
        raise AgreementUnknown(f"There is no version {told.version} of an agreement {agreement_id}.")
    terms = agreement.versions[told.version - 1].terms
    if told.party_id not in (terms.supplier_id, terms.customer_id):
        raise SignatureRefused(f"{told.party_id} is not a party of this agreement; its supplier and customer sign.")
    try:
        key = verifier(told.vkey)
        text = open_text(told.note, key)
    except SealError as error:
        raise SignatureRefused(f"The signature is not good: {error.detail}") from error
    if text != signed_text(agreement_id, told.version, terms.hash):
        raise SignatureRefused("Another text was signed than this version's; sign the text that the version shows.")
    made = msgspec.structs.replace(told, vkey=key.vkey, fingerprint=key.fingerprint, signed_ms=now_ms)
    there = repository.signatures(tx, tenant, agreement_id)
    for one in there:
        if (one.version, one.party_id) == (made.version, made.party_id):
            if one.vkey == made.vkey:
                return one
            raise SignatureRefused(f"{made.party_id} has signed this version with another key.")
        if one.version == made.version and one.vkey == made.vkey:
            raise SignatureRefused("Both sides cannot sign with one key.")
    repository.add_signature(tx, tenant, agreement_id, made)
    return made
