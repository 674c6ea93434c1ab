"""Every house rule holds on this tree, and every rule is shown to find what it is there to find."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.house import naming, pages, papers, purity, seams, storage, testing
from tests.house.tree import Rule, Tree
from tests.house.violations import VIOLATIONS

ROOT = Path(__file__).parents[2]
MODULES = (naming, purity, storage, testing, seams, pages, papers)
RULES: list[Rule] = [
    getattr(module, node.name)
    for module in MODULES
    for node in ast.parse(Path(str(module.__file__)).read_text()).body
    if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")
]


@pytest.fixture(scope="module")
def tree() -> Tree:
    return Tree.read(ROOT)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_tree_keeps_the_rule(rule: Rule, tree: Tree) -> None:
    findings = list(rule(tree))

    assert not findings, "\n".join(["", rule.__doc__ or "", *findings])


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_a_rule_says_which_pain_it_prevents(rule: Rule) -> None:
    assert (rule.__doc__ or "").startswith("Prevents ")


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_a_rule_has_a_deliberate_violation(rule: Rule) -> None:
    assert any(violated is rule for violated, *_ in VIOLATIONS)


@pytest.mark.parametrize(("rule", "broken", "named"), VIOLATIONS, ids=lambda part: getattr(part, "__name__", ""))
def test_a_deliberate_violation_is_found(rule: Rule, broken: dict[str, str], named: str) -> None:
    findings = list(rule(Tree.of(broken)))

    assert len(findings) == 1, findings
    assert named in findings[0]
