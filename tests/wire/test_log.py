"""The Merkle tree against the published vectors of RFC 6962/9162."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire import log

VECTORS: dict[str, Any] = json.loads((Path(__file__).parents[1] / "vectors" / "merkle_vectors.json").read_text())
BYTE_LEAVES = [log.leaf_hash(bytes([i])) for i in range(130)]
PUBLISHED = [log.leaf_hash(bytes.fromhex(leaf)) for leaf in VECTORS["published"]["leaves_hex"]]


def test_roots_of_the_published_leaves() -> None:
    roots = [log.root(PUBLISHED[:size]).hex() for size in range(len(PUBLISHED) + 1)]

    assert roots == VECTORS["published"]["roots_by_size"]


def accumulated(name: str) -> str:
    return str(VECTORS["derived"]["accumulators"][name]["sha256"])


def test_every_root_up_to_130() -> None:
    lines = "".join(f"{n} {log.root(BYTE_LEAVES[:n]).hex()}\n" for n in range(131))

    assert sha256(lines.encode()).hexdigest() == accumulated("roots")


def test_every_inclusion_proof_up_to_130() -> None:
    lines = []
    for n in range(131):
        for i in range(n):
            path = log.inclusion_proof(i, BYTE_LEAVES[:n])
            lines.append(f"{i} {n}" + "".join(f" {node.hex()}" for node in path) + "\n")

    assert sha256("".join(lines).encode()).hexdigest() == accumulated("inclusion")


def test_every_consistency_proof_up_to_130() -> None:
    lines = []
    for n in range(131):
        for m in range(1, n):
            path = log.consistency_proof(m, BYTE_LEAVES[:n])
            lines.append(f"{m} {n}" + "".join(f" {node.hex()}" for node in path) + "\n")

    assert sha256("".join(lines).encode()).hexdigest() == accumulated("consistency")


@pytest.mark.parametrize("case", VECTORS["derived"]["must_reject"], ids=lambda case: str(case["why"]))
def test_a_wrong_proof_is_refused(case: dict[str, Any]) -> None:
    proof = [bytes.fromhex(node) for node in case["proof"]]

    with pytest.raises(log.ProofError):
        if case["kind"] == "inclusion":
            root = log.root(PUBLISHED[: case["size"]])
            log.verify_inclusion(case["index"], case["size"], PUBLISHED[case["leaf"]], proof, root)
        else:
            old = bytes.fromhex(case["root_old"]) if "root_old" in case else log.root(PUBLISHED[: case["old"]])
            new = bytes.fromhex(case["root_new"]) if "root_new" in case else log.root(PUBLISHED[: case["new"]])
            log.verify_consistency(case["old"], case["new"], proof, old, new)


@given(st.integers(1, 130), st.data())
def test_proofs_prove_and_any_changed_hash_is_noticed(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    old = data.draw(st.integers(1, size))
    leaves = BYTE_LEAVES[:size]
    inclusion, consistency = log.inclusion_proof(index, leaves), log.consistency_proof(old, leaves)

    log.verify_inclusion(index, size, leaves[index], inclusion, log.root(leaves))
    log.verify_consistency(old, size, consistency, log.root(leaves[:old]), log.root(leaves))

    for at in range(len(inclusion)):
        bad = [*inclusion[:at], bytes(32), *inclusion[at + 1 :]]
        with pytest.raises(log.ProofError):
            log.verify_inclusion(index, size, leaves[index], bad, log.root(leaves))
    for at in range(len(consistency)):
        bad = [*consistency[:at], bytes(32), *consistency[at + 1 :]]
        with pytest.raises(log.ProofError):
            log.verify_consistency(old, size, bad, log.root(leaves[:old]), log.root(leaves))


@given(st.lists(st.integers(0, 20), max_size=8))
def test_a_frontier_grown_in_pieces_has_the_root_of_the_whole(pieces: list[int]) -> None:
    frontier, at = log.Frontier(), 0

    for piece in pieces:
        leaves = [log.leaf_hash(b"%d" % (at + i)) for i in range(piece)]
        frontier = log.Frontier.from_bytes(frontier.size, frontier.to_bytes()).extend(leaves)
        at += piece

    assert frontier.root() == log.root([log.leaf_hash(b"%d" % i) for i in range(at)])


def test_a_frontier_of_the_wrong_length_is_refused() -> None:
    with pytest.raises(ValueError, match="2 hashes"):
        log.Frontier.from_bytes(3, bytes(32))
