"""The keys of a bundle: which may sign what, when one followed another, and what was taken back. PURE.

Whoever checks has one key from elsewhere, from a label or an old letter; by the hand-overs, which both keys signed, he
knows the others of its chain. A revocation ends a key; what was signed before stays good.
"""

from __future__ import annotations

from collections.abc import Sequence

from cloud.billing.bundle import Keys, LogEvidence
from wire.hand_over import Ended, chain, cosigner_of, open_hand_over, open_revocation, signer_form
from wire.seal import COSIGNATURE, ED25519, SealError, Verifier, open_text, split_note, verifier


def cosigners(keys: Keys) -> list[Ended]:
    """The cloud's keys in their signing form, oldest first; raises SealError, ValueError."""
    cosigning, signing = verifier(keys.cosigner), verifier(keys.signer)
    if cosigning.algorithm != COSIGNATURE or signing.algorithm != ED25519:
        raise ValueError("the cosigner's or the signer's key is of another kind")
    if cosigner_of(signing.vkey) != cosigning.vkey:
        raise ValueError("statements are signed with another key than checkpoints are cosigned with")
    links = [open_hand_over(note) for note in keys.hand_overs]
    first = links[0].old if links else signing.vkey
    known = [verifier(vkey) for vkey in [first, *(link.new for link in links)]]
    found = chain(first, keys.hand_overs, [open_revocation(note, known) for note in keys.revocations])
    if found[-1].vkey != signing.vkey:
        raise ValueError("the hand-overs do not lead to the cloud's key")
    return found


def gateway_keys(shown: LogEvidence, cloud: Sequence[Ended]) -> list[Ended]:
    """A log's keys, oldest first; revocations are the cloud's. Raises SealError."""
    signers = [verifier(key.vkey) for key in cloud]
    return chain(shown.vkey, shown.hand_overs, [open_revocation(note, signers) for note in shown.revocations])


def among(keys: Sequence[Ended], trusted: Sequence[str]) -> bool:
    """Whether one of the trusted keys (in either form) is in the chain, and was not the thief's to hand over."""
    return any(signer_form(vkey) in [key.vkey for key in keys] for vkey in trusted)


def open_statement(note: str, keys: Sequence[Ended], closed_s: int) -> str:
    """The text of a statement's note, signed by the key that was the cloud's then; raises SealError."""
    lines = split_note(note)[1]
    for key in keys:
        signer: Verifier = verifier(key.vkey)
        if any(one.key_hash == signer.key_hash and one.name == signer.name for one in lines):
            if key.code == "revoked_key" and closed_s > key.seconds:
                raise SealError("revoked_key", f"the key {signer.fingerprint} was revoked before this statement")
            return open_text(note, signer)
    raise SealError("unsigned", "the statement is not signed by the cloud's key")
