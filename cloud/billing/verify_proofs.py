"""The single-leaf proofs of a bundle (C2SP tlog-proof): made for other tools, checked like everything else. PURE."""

from __future__ import annotations

from cloud.billing.bundle import Bundle, Hidden
from cloud.billing.verify_logs import Finding
from wire.log import ProofError, leaf_hash
from wire.proof import check, parse
from wire.seal import SealError, verifier


def check_proofs(bundle: Bundle) -> list[Finding]:
    """One proof for every leaf of every line, each leading to the log's checkpoint at the range's end."""
    due = [(line.no, leaf.log, leaf.index) for line in bundle.statement.lines for leaf in line.leaves]
    shown = [(one.line, one.log, one.index) for one in bundle.proofs]
    if due != shown:
        return [Finding(0, "proofs", "the single-leaf proofs are not those of the lines' leaves")]
    findings = []
    for one in bundle.proofs:
        try:
            _check(bundle, one.log, one.index, one.proof)
        except (ValueError, SealError, ProofError, LookupError) as error:
            findings.append(Finding(one.line, f"proof of leaf {one.index}", str(error)))
    return findings


def _check(bundle: Bundle, log: int, index: int, text: str) -> None:
    if not 0 <= log < len(bundle.logs):
        raise ValueError("there is no such log")
    stated, shown = bundle.statement.head.logs[log], bundle.logs[log]
    proof = parse(text)
    if proof.index != index or proof.note != shown.notes[-1]:
        raise ValueError("the proof is of another leaf or checkpoint")
    before: dict[int, str | Hidden] = {one.index: one.leaf for one in shown.outside}
    leaf = shown.leaves[index - stated.from_] if index >= stated.from_ else before.get(index)
    if leaf is None or isinstance(leaf, Hidden):
        raise ValueError("a line's leaf is hidden")
    check(text, leaf_hash(leaf.encode()), verifier(shown.vkey))
