"""Proofs and notes of our logs, right ones and mutated ones, as the Go program reads them, with our own verdict."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

from wire import log
from wire.log import ProofError
from wire.seal import Checkpoint, SealError, Signer, verifier

GATEWAY = Signer("tallystick/acme/gw-1/1", bytes([1]) * 32)
WITNESS = Signer("witness.example/w1", bytes([2]) * 32)
Case = dict[str, Any]


def cases(chance: random.Random, count: int) -> Iterator[Case]:
    """``count`` cases, three of four mutated; ``expect`` says what ``wire`` says."""
    hashes = [log.leaf_hash(b"%d" % i) for i in range(300)]
    while count:
        size = chance.randint(1, 300)
        kind = chance.choice(["inclusion", "inclusion", "consistency", "consistency", "note", "cosignature"])
        case = _made(kind, hashes[:size], chance)
        if chance.random() < 0.75:
            _mutate(case, chance)
        case["expect"] = "accept" if accepted(case) else "reject"
        yield case
        count -= 1


def _made(kind: str, hashes: list[bytes], chance: random.Random) -> Case:
    size, root = len(hashes), log.root(hashes)
    case: Case = {"kind": kind, "size": size, "root": root.hex()}
    if kind == "inclusion":
        index = chance.randrange(size)
        path = log.inclusion_proof(index, hashes)
        return case | {"index": index, "leaf": hashes[index].hex(), "path": [node.hex() for node in path]}
    if kind == "consistency":
        old = chance.randint(1, size)
        path = log.consistency_proof(old, hashes)
        return case | {"old": old, "was": log.root(hashes[:old]).hex(), "path": [node.hex() for node in path]}
    note = GATEWAY.sign(Checkpoint(GATEWAY.name, size, root))
    if kind == "note":
        return case | {"note": note, "vkey": GATEWAY.vkey}
    return case | {"note": note + WITNESS.cosign(note, 1_800_000_000), "vkey": WITNESS.cosigner_vkey}


def _mutate(case: Case, chance: random.Random) -> None:
    if "note" in case:
        note, at = case["note"], chance.randrange(len(case["note"]))
        other = chance.choice("A1b+/=\n —0")
        case["note"] = chance.choice([note[:at] + other + note[at + 1 :], note[:at] + note[at + 1 :], note[:at]])
        return
    path: list[str] = case["path"]
    how = chance.choice(["node", "longer", "shorter", "swap", "number", "size", "root", "leaf"])
    if how == "longer":
        path.insert(chance.randint(0, len(path)), "00" * 32)
    elif how in ("node", "shorter") and path:
        at = chance.randrange(len(path))
        path[at : at + 1] = [] if how == "shorter" else ["%064x" % (int(path[at], 16) ^ 1 << chance.randrange(256))]
    elif how == "swap" and len(path) > 1:
        path[0], path[-1] = path[-1], path[0]
    elif how == "size":
        case["size"] = max(0, case["size"] + chance.choice([-1, 1, 2, 64, -case["size"]]))
    elif how == "root":
        case["root"] = "11" * 32
    else:
        name = {"inclusion": "index", "consistency": "old"}[case["kind"]]
        case[name] = max(0, case[name] + chance.choice([-1, 1, 7, 400]))


def accepted(case: Case) -> bool:
    """What ``wire`` says of a case."""
    path = [bytes.fromhex(node) for node in case.get("path", [])]
    root = bytes.fromhex(case["root"])
    try:
        if case["kind"] == "inclusion":
            log.verify_inclusion(case["index"], case["size"], bytes.fromhex(case["leaf"]), path, root)
        elif case["kind"] == "consistency":
            log.verify_consistency(case["old"], case["size"], path, bytes.fromhex(case["was"]), root)
        elif case["kind"] == "note":
            verifier(case["vkey"]).open(case["note"])
        else:
            verifier(case["vkey"]).cosigned_at(case["note"])
    except (ProofError, SealError):
        return False
    return True
