"""The single-leaf proofs of a bundle (C2SP tlog-proof): made for other tools, checked like everything else. PURE."""

from __future__ import annotations

from cloud.billing.bundle import Bundle, Hidden, LineProof
from cloud.billing.verify_logs import Finding
from wire.log import ProofError, leaf_hash, verify_inclusion
from wire.proof import parse
from wire.seal import Checkpoint, SealError, split_note


def check_proofs(bundle: Bundle) -> list[Finding]:
    """One proof for every leaf of every line, each leading to the log's checkpoint at the range's end."""
    due = [(line.no, leaf.log, leaf.index) for line in bundle.statement.lines for leaf in line.leaves]
    shown = [(one.line, one.log, one.index) for one in bundle.proofs]
    if due != shown:
        return [Finding(0, "proofs", "the single-leaf proofs are not those of the lines' leaves")]
    findings = []
    opened: dict[int, Checkpoint] = {}
    for one in bundle.proofs:
        try:
            if one.log not in opened:
                opened[one.log] = _checkpoint(bundle, one.log)
            _check(bundle, one, opened[one.log])
        except (ValueError, SealError, ProofError, LookupError) as error:
            findings.append(Finding(one.line, f"proof of leaf {one.index}", str(error)))
    return findings


def _checkpoint(bundle: Bundle, log: int) -> Checkpoint:
    """What the range's end says; its signatures are checked with the log, all proofs carry the same note."""
    if not 0 <= log < len(bundle.logs):
        raise ValueError("there is no such log")
    shown = bundle.logs[log]
    return Checkpoint.parse(split_note(shown.notes[-1])[0])


def _check(bundle: Bundle, one: LineProof, checkpoint: Checkpoint) -> None:
    start, shown = bundle.statement.head.logs[one.log].from_, bundle.logs[one.log]
    proof = parse(one.proof)
    if proof.index != one.index or proof.note != shown.notes[-1]:
        raise ValueError("the proof is of another leaf or checkpoint")
    before = (outside.leaf for outside in shown.outside if outside.index == one.index)
    leaf = shown.leaves[one.index - start] if one.index >= start else next(before, None)
    if leaf is None or isinstance(leaf, Hidden):
        raise ValueError("a line's leaf is hidden")
    verify_inclusion(one.index, checkpoint.size, leaf_hash(leaf.encode()), proof.path, checkpoint.root)
