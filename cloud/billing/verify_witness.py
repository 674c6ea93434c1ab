"""What outside witnesses cosigned: are these really the logs of the statement, and is everybody there who must be?

A witness need not have seen the very checkpoint at the range's end: it cosigned that one or a later one, and a
consistency proof shows that the range's tree is the beginning of what it saw. PURE.
"""

from __future__ import annotations

from collections.abc import Sequence

from cloud.agreements.witness_terms import WitnessTerms
from cloud.billing.bundle import Bundle, Witnessed
from cloud.billing.facts import LogRange
from cloud.billing.verify_keys import gateway_keys
from cloud.billing.verify_logs import Finding
from wire.hand_over import Ended, signer_of
from wire.log import ProofError, verify_consistency
from wire.seal import COSIGNATURE, SealError, Verifier, split_note, verifier


def check_witnesses(
    bundle: Bundle, required: Sequence[str], cloud: Sequence[Ended], agreed: WitnessTerms | None = None
) -> list[Finding]:
    """Everything that is wrong with the witnesses' notes; ``required``: keys that must have cosigned every log;
    ``agreed``: what the agreement demands.
    """
    findings = []
    keys = [verifier(vkey) for vkey in required]
    named = [verifier(vkey) for vkey in agreed.keys] if agreed else []
    for stated, shown in zip(bundle.statement.head.logs, bundle.logs):  # noqa: B905 -- compared by the check of the logs
        seen: set[str] = set()
        for one in shown.witnessed:
            try:
                seen |= _cosigners(stated, gateway_keys(shown, cloud), one, [*keys, *named])
            except (SealError, ProofError, ValueError) as error:
                findings.append(Finding(0, f"log {stated.origin}", f"a witness's checkpoint: {error}"))
        if stated.to:
            missing = [key.name for key in keys if key.vkey not in seen]
            findings += [
                Finding(0, f"log {stated.origin}", f"the witness {name} has not cosigned it up to size {stated.to}")
                for name in missing
            ]
            there = sum(key.vkey in seen for key in named)
            if agreed and there < agreed.at_least:
                due = f"{agreed.at_least} of the agreed witnesses must have cosigned it up to size {stated.to}"
                findings.append(Finding(0, f"log {stated.origin}", f"{due}, {there} have"))
    return findings


def _cosigners(stated: LogRange, gateway: Sequence[Ended], one: Witnessed, keys: Sequence[Verifier]) -> set[str]:
    """Which of these keys cosigned a checkpoint that continues the statement's range."""
    checkpoint = signer_of(one.note, gateway).open(one.note)
    path = [bytes.fromhex(node) for node in one.path]
    if stated.to:
        verify_consistency(stated.to, checkpoint.size, path, bytes.fromhex(stated.root), checkpoint.root)
    lines = {(line.name, line.key_hash) for line in split_note(one.note)[1]}
    found = set()
    for key in keys:
        if key.algorithm != COSIGNATURE:
            raise SealError("bad_key", f"{key.name} is no cosigner's key")
        if (key.name, key.key_hash) in lines:
            key.cosigned_at(one.note)
            found.add(key.vkey)
    return found
