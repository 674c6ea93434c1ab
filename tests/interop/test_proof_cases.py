"""Proofs and notes with the verdict Go gave: checked here without Go, by our code and by tlog's algorithm retold."""

from __future__ import annotations

import json
import random
from pathlib import Path

from tests.interop.cases import Case, accepted, cases
from tests.interop.tlog import ProofRefused, check_record, check_tree

WRITTEN: list[Case] = json.loads((Path(__file__).parent / "proof_cases.json").read_text())


def retold(case: Case) -> str:
    """The verdict of tlog's algorithm on a proof."""
    path, root = [bytes.fromhex(node) for node in case["path"]], bytes.fromhex(case["root"])
    try:
        if case["kind"] == "inclusion":
            check_record(path, case["size"], root, case["index"], bytes.fromhex(case["leaf"]))
        else:
            check_tree(path, case["size"], root, case["old"], bytes.fromhex(case["was"]))
    except ProofRefused:
        return "reject"
    return "accept"


def test_our_verdicts_are_those_that_go_gave() -> None:
    assert [("accept" if accepted(one) else "reject") for one in WRITTEN] == [one["expect"] for one in WRITTEN]


def test_both_verdicts_are_among_the_cases_of_every_kind() -> None:
    found = {(one["kind"], one["expect"]) for one in WRITTEN}

    assert len(found) == 8


def test_the_algorithm_retold_agrees_with_ours_on_new_cases() -> None:
    made = [one for one in cases(random.Random(99), 600) if "path" in one]

    assert [retold(one) for one in made] == [one["expect"] for one in made]
