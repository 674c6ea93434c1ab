"""Rules about names and sizes: what makes a file findable, and a reader reach its end."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from tests.house.tree import Tree

VAGUE = {"utils", "util", "helpers", "helper", "common", "misc", "shared", "base_utils", "tools", "stuff"}
GOD_CLASS = re.compile(r"\w(Manager|Service|Helper|Processor|Impl)$")
MOST_LINES = 400
MOST_FUNCTION_LINES = 50
WRITTEN = {".py", ".js", ".css", ".html", ".sql", ".toml", ".sh"}
GENERATED = ("requirements.lock", "wire/schema", "tests/vectors", "*.po", "*.pot")


def no_file_is_named_after_nothing(tree: Tree) -> Iterator[str]:
    """Prevents `utils.py`: a name that says nothing attracts everything, and nobody finds anything in it again."""
    for source in tree.files.values():
        for part in (*source.path.parent.parts, source.path.stem):
            if part.lower() in VAGUE:
                yield source.at(1, f"`{part}` says nothing about what is inside: name it after what it is about")


def no_class_is_named_after_its_own_importance(tree: Tree) -> Iterator[str]:
    """Prevents god objects: a `BillingManager` may do anything about billing, so in the end it does."""
    for source in tree.python(".", "*.py"):
        for node in source.nodes:
            if isinstance(node, ast.ClassDef) and GOD_CLASS.search(node.name):
                yield source.at(node, f"class {node.name}: name the thing it is, or make it a function")


def no_file_is_too_long(tree: Tree) -> Iterator[str]:
    """Prevents the file of which nobody has read the second half. Aim below 300 lines; 400 is the wall."""
    for source in tree.files.values():
        written = source.path.suffix in WRITTEN or source.path.name == "run"
        if written and not source.within(*GENERATED) and len(source.lines) > MOST_LINES:
            yield source.at(MOST_LINES, f"{len(source.lines)} lines, at most {MOST_LINES}: split it by subject")


def no_function_is_too_long(tree: Tree) -> Iterator[str]:
    """Prevents the function that has to be scrolled: its tail is where the second responsibility lives."""
    for source in tree.python(".", "*.py"):
        for node in source.nodes:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                if length > MOST_FUNCTION_LINES:
                    yield source.at(node, f"{node.name} has {length} lines, at most {MOST_FUNCTION_LINES}")
