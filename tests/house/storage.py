"""Rules about what is written down: SQL, commits, and the records of the wire."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from tests.house.tree import Tree

SQL = re.compile(
    r"\s*(SELECT\s|INSERT\s+(OR\s+\w+\s+)?INTO\s|UPDATE\s+\w+\s+SET\s|DELETE\s+FROM\s|(CREATE|ALTER|DROP)\s+(TABLE|INDEX|VIEW)\s"
    r"|WITH\s+(RECURSIVE\s+)?\w+\s*(\([^)]*\))?\s+AS\s*\(|PRAGMA\s|BEGIN(\s+IMMEDIATE|\s+EXCLUSIVE)?\s*;?$|COMMIT\s*;?$|ROLLBACK\s*;?$"
    r"|VACUUM\s|COPY\s+\w+\s*\()"
)
SQL_FILES = (
    "*/repository.py",
    "*/repository/*.py",
    "gateway/journal",
    "cloud/ingest",
    "cloud/migrations",
    "cloud/database*.py",
)
COMMIT_FILES = ("gateway/journal", "cloud/database*.py")


def sql_has_its_rooms(tree: Tree) -> Iterator[str]:
    """Prevents the query nobody finds when a column changes: SQL lives in repositories, the journal and ingest."""
    for source in tree.python():
        if source.within(*SQL_FILES):
            continue
        docstrings = source.docstrings()
        for node in source.nodes:
            text = node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
            if SQL.match(text) and id(node) not in docstrings:
                yield source.at(node, f"SQL outside a repository: {' '.join(text.split())[:50]!r}")


def one_place_commits(tree: Tree) -> Iterator[str]:
    """Prevents half-done writes: who opens the transaction closes it, and nobody in between can."""
    for source in tree.python():
        if source.within(*COMMIT_FILES):
            continue
        for node in source.nodes:
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "commit":
                yield source.at(node, "commit: only the Store port and the journal end a transaction")


def only_the_wire_defines_records(tree: Tree) -> Iterator[str]:
    """Prevents the same record declared twice: the two drift, and the older one is still being sent."""
    for source in tree.python("gateway", "cloud", "firmware_sim"):
        for node in source.nodes:
            if isinstance(node, ast.ClassDef):
                tags = [word.value for word in node.keywords if word.arg == "tag_field"]
                if any(isinstance(tag, ast.Constant) and tag.value == "k" for tag in tags):
                    yield source.at(node, f"{node.name} is told apart by `k`: records are declared in wire/records.py")
            elif isinstance(node, ast.Dict) and {"k", "src"} <= {getattr(key, "value", None) for key in node.keys}:
                yield source.at(node, "a record written by hand: make it with wire.records and encode it")
