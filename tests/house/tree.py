"""A checkout as the house rules see it: the files somebody wrote, and the Python among them parsed once.

A rule is a function from a `Tree` to findings. It never looks at the disk itself, so that a deliberate violation is a
dictionary of file names and texts.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath

PACKAGES = ("wire", "gateway", "cloud", "firmware_sim")
NOT_OURS = {"build", "dist", "__pycache__", "node_modules"}
READ_AS_TEXT = 2_000_000


@dataclass(frozen=True)
class Source:
    """One file: its path from the root of the checkout, and its text ("" when it is not text)."""

    path: PurePosixPath
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        """The file's syntax; only for Python. A file that is none is empty here: ruff says what is wrong with it."""
        try:
            return ast.parse(self.text, str(self.path))
        except SyntaxError:
            return ast.Module([], [])

    @cached_property
    def nodes(self) -> list[ast.AST]:
        """Every node of the syntax: walking it costs more than any rule does with it."""
        return list(ast.walk(self.tree))

    @cached_property
    def lines(self) -> list[str]:
        """The text, line by line."""
        return self.text.splitlines()

    @cached_property
    def names(self) -> dict[str, str]:
        """What each imported name stands for: `from time import time as now` gives {"now": "time.time"}."""
        found: dict[str, str] = {}
        for node in self.nodes:
            if isinstance(node, ast.Import):
                for alias in node.names:
                    found[alias.asname or alias.name.partition(".")[0]] = (
                        alias.name if alias.asname else alias.name.partition(".")[0]
                    )
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                for alias in node.names:
                    found[alias.asname or alias.name] = f"{node.module}.{alias.name}"
        return found

    def within(self, *folders: str) -> bool:
        """Whether the file is one of these, or in one of these folders; a pattern may have stars."""
        return any(self.path.is_relative_to(folder) or self.path.match(folder) for folder in folders)

    def spelled(self, node: ast.AST) -> str:
        """The full dotted name behind an expression, imports resolved; "" when it is not a plain name."""
        parts: list[str] = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name):
            return ""
        return ".".join([self.names.get(node.id, node.id), *reversed(parts)])

    def imports(self) -> Iterator[tuple[ast.stmt, str]]:
        """Every module or name that is imported, anywhere in the file."""
        for node in self.nodes:
            if isinstance(node, ast.Import):
                yield from ((node, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                yield from ((node, f"{node.module}.{alias.name}") for alias in node.names)

    def docstrings(self) -> set[int]:
        """The ids of the constants that are docstrings."""
        holders = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
        return {
            id(node.body[0].value)
            for node in self.nodes
            if isinstance(node, holders) and node.body and isinstance(node.body[0], ast.Expr)
        }

    def at(self, node: ast.AST | int, finding: str) -> str:
        """A finding with its place in front, as editors understand it."""
        line = node if isinstance(node, int) else getattr(node, "lineno", 1)
        return f"{self.path}:{line}: {finding}"


@dataclass(frozen=True)
class Tree:
    """All files of a checkout that somebody wrote."""

    files: dict[str, Source] = field(default_factory=dict)

    @classmethod
    def of(cls, texts: dict[str, str]) -> Tree:
        """A tree made of texts: how a deliberate violation is written down."""
        return cls({path: Source(PurePosixPath(path), text) for path, text in texts.items()})

    @classmethod
    def read(cls, root: Path) -> Tree:
        """The files of a real checkout; what `.gitignore` leaves out is left out here by name."""
        return cls.of({str(path.relative_to(root)): _text(path) for path in _walk(root)})

    def python(self, *folders: str) -> Iterator[Source]:
        """The Python files of these folders; with none given, of the four packages."""
        for source in self.files.values():
            if source.path.suffix == ".py" and source.within(*(folders or PACKAGES)):
                yield source

    def matching(self, *patterns: str) -> Iterator[Source]:
        """The files of any kind whose path fits one of these patterns or folders."""
        return (source for source in self.files.values() if source.within(*patterns))


Rule = Callable[[Tree], Iterator[str]]


def _walk(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.name in NOT_OURS or path.suffix == ".pyc" or path.name.endswith(".egg-info"):
            continue
        if path.is_dir() and (not path.name.startswith(".") or path.name == ".ci"):
            yield from _walk(path)
        elif path.is_file() and path.name != ".run.lock":
            yield path


def _text(path: Path) -> str:
    raw = path.read_bytes()
    if len(raw) > READ_AS_TEXT or b"\0" in raw[:4096]:
        return ""
    return raw.decode("utf-8", errors="replace")
