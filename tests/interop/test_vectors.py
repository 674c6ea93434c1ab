"""Every group of merkle_vectors.json is used: here those that nothing else asks about, by two implementations."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from tests.interop import tlog
from wire import log, seal

VECTORS: dict[str, Any] = json.loads((Path(__file__).parents[1] / "vectors" / "merkle_vectors.json").read_text())
PUBLISHED, DERIVED, OWN = VECTORS["published"], VECTORS["derived"], VECTORS["own"]
LEAVES = [log.leaf_hash(bytes.fromhex(leaf)) for leaf in PUBLISHED["leaves_hex"]]
BYTES = [log.leaf_hash(bytes([i])) for i in range(130)]
ELSEWHERE = {"leaves_hex", "roots_by_size", "notes", "must_reject", "accumulators", "gateway", "witness", "checkpoints",
             "cosigned_11", "tlog_proof_record_5", "equivocation", "note", "records"}  # fmt: skip
HERE = {"hasher", "subtree_accumulators", "witness_sequence", "inclusion", "consistency", "rfc9162_2_1_5",
        "leaf_hashes", "consistency_4_11_b64"}  # fmt: skip


def test_no_group_of_the_vectors_is_left_out() -> None:
    groups = {*PUBLISHED, *DERIVED, *OWN}

    assert groups == ELSEWHERE | HERE


@pytest.mark.parametrize("case", PUBLISHED["hasher"], ids=lambda case: str(case["what"]))
def test_the_hasher(case: dict[str, Any]) -> None:
    if "leaf_hex" in case:
        found = log.leaf_hash(bytes.fromhex(case["leaf_hex"]))
    elif "left_hex" in case:
        found = log.node_hash(bytes.fromhex(case["left_hex"]), bytes.fromhex(case["right_hex"]))
    else:
        found = log.EMPTY_ROOT

    assert found.hex() == case["hash"]


def test_every_inclusion_proof_of_the_published_leaves() -> None:
    for case in DERIVED["inclusion"]:
        size, index, path = case["size"], case["index"], [bytes.fromhex(node) for node in case["proof"]]

        assert log.inclusion_proof(index, LEAVES[:size]) == path
        log.verify_inclusion(index, size, LEAVES[index], path, log.root(LEAVES[:size]))
        tlog.check_record(path, size, log.root(LEAVES[:size]), index, LEAVES[index])


def test_every_consistency_proof_of_the_published_leaves() -> None:
    for case in DERIVED["consistency"]:
        old, new, path = case["old"], case["new"], [bytes.fromhex(node) for node in case["proof"]]

        assert log.consistency_proof(old, LEAVES[:new]) == path
        log.verify_consistency(old, new, path, log.root(LEAVES[:old]), log.root(LEAVES[:new]))
        tlog.check_tree(path, new, log.root(LEAVES[:new]), old, log.root(LEAVES[:old]))


def test_the_tree_of_rfc_9162_section_2_1_5() -> None:
    given = DERIVED["rfc9162_2_1_5"]
    nodes, size = {name: bytes.fromhex(node) for name, node in given["nodes"].items()}, given["size"]

    for index, names in given["inclusion"].items():
        assert log.inclusion_proof(int(index), LEAVES[:size]) == [nodes[name] for name in names]
    for old, names in given["consistency_to_7"].items():
        assert log.consistency_proof(int(old), LEAVES[:size]) == [nodes[name] for name in names]


def test_every_subtree_up_to_130() -> None:
    hashes, inclusion = [], []
    for end in range(131):
        for start in range(end + 1):
            if not _is_subtree(start, end):
                continue
            subtree = BYTES[start:end]
            hashes.append(f"[{start}, {end}) {log.root(subtree).hex()}\n")
            for index in range(start, end):
                path = "".join(f" {node.hex()}" for node in log.inclusion_proof(index - start, subtree))
                inclusion.append(f"{index} [{start}, {end}){path}\n")
    given = PUBLISHED["subtree_accumulators"]

    assert sha256("".join(hashes).encode()).hexdigest() == given["hashes"]["sha256"]
    assert sha256("".join(inclusion).encode()).hexdigest() == given["inclusion"]["sha256"]


def _is_subtree(start: int, end: int) -> bool:
    if start in (0, end):
        return True
    return start % (1 << (end - start - 1).bit_length()) == 0


def test_a_witness_follows_the_published_sequence() -> None:
    given = PUBLISHED["witness_sequence"]
    key, seen = seal.Verifier(given["vkey"]), {0: log.EMPTY_ROOT}

    for request in given["requests"]:
        checkpoint, old = key.open(request["note"]), request["old"]
        path = _unbase64(request["proof_b64"])
        if old:
            log.verify_consistency(old, checkpoint.size, path, seen[old], checkpoint.root)
            tlog.check_tree(path, checkpoint.size, checkpoint.root, old, seen[old])
        seen[checkpoint.size] = checkpoint.root

    assert sorted(seen) == [0, 1, 3, 5]


def test_our_own_records_hash_and_grow_as_written_down() -> None:
    hashes = [log.leaf_hash(record.encode()) for record in OWN["records"]]

    assert [one.hex() for one in hashes] == OWN["leaf_hashes"]
    assert log.consistency_proof(4, hashes) == _unbase64(OWN["consistency_4_11_b64"])


def _unbase64(texts: Sequence[str]) -> list[bytes]:
    return [base64.b64decode(text) for text in texts]
