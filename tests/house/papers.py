"""Rules about what is no code: documents that lead somewhere, decisions in order, nothing foreign, nothing secret."""

from __future__ import annotations

import posixpath
import re
import tomllib
from collections.abc import Iterator

from tests.house.tree import PACKAGES, Source, Tree

ADR = re.compile(r"docs/adr/(\d{4})-[a-z0-9-]+\.md$")
ADR_PARTS = ("Context", "Decision", "Consequences", "Alternatives", "Enforced by")
ADR_MOST_LINES = 40
GUARD = re.compile(r"`(tests/[\w/.-]+|\.ci/run)`")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
FENCED = re.compile(r"```(?:sh|bash|shell|console)\n(.*?)```", re.DOTALL)
FOREIGN = re.compile(r"(\.min\.(js|css)|\.(woff2?|ttf|otf|eot|jar|whl|so|dll|exe|pyc|wasm))$")
LONGEST_SCRIPT_LINE = 500
SECRETS = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----\s+[A-Za-z0-9+/=]{40}|PRIVATE\+KEY\+[^+\s]+\+[0-9a-f]{8}\+"
    r"|\btsk_[A-Za-z0-9_-]{24,}|\bAKIA[0-9A-Z]{16}\b|\bgh[pousr]_[A-Za-z0-9]{36}\b"
)
BUILT_IN = {"setup", "test", "pytest", "python", "ruff", "mypy", "lint-imports"}


def nothing_foreign_is_committed(tree: Tree) -> Iterator[str]:
    """Prevents code that nobody here can review or update: third-party parts come from the lock."""
    for source in tree.files.values():
        if FOREIGN.search(str(source.path)):
            yield source.at(1, "third-party or built file: it comes from a package, or not at all")
        elif source.path.suffix in {".js", ".css"}:
            for number, line in enumerate(source.lines, 1):
                if len(line) > LONGEST_SCRIPT_LINE:
                    yield source.at(number, f"a line of {len(line)} characters is minified code")


def no_secret_is_committed(tree: Tree) -> Iterator[str]:
    """Prevents the key that is public for ever: history keeps what a later commit takes out."""
    for source in tree.files.values():
        found = SECRETS.search(source.text)
        if found:
            yield source.at(source.text.count("\n", 0, found.start()) + 1, "looks like a secret: make it in the test")


def decisions_are_numbered_and_whole(tree: Tree) -> Iterator[str]:
    """Prevents a decision that is remembered and not written: each ADR says why, what else, and what enforces it."""
    records = [
        (int(found.group(1)), source) for source in tree.matching("docs/adr") if (found := ADR.match(str(source.path)))
    ]
    for expected, (number, source) in enumerate(sorted(records, key=lambda one: one[0])):
        if number != expected:
            yield source.at(1, f"number {number:04}, expected {expected:04}: no gaps, no doubles; 0000 is the template")
        for part in ADR_PARTS:
            if not re.search(rf"^\*\*{part}\.\*\*", source.text, re.MULTILINE):
                yield source.at(1, f"no paragraph `**{part}.**`")
        for guard in GUARD.findall(source.text.partition("**Enforced by.**")[2]):
            if not _exists(tree, source, f"../../{guard}"):
                yield source.at(len(source.lines), f"{guard} is said to enforce this and does not exist")
        if len(source.lines) > ADR_MOST_LINES:
            yield source.at(ADR_MOST_LINES, f"{len(source.lines)} lines: a decision fits on a page")


def links_lead_somewhere(tree: Tree) -> Iterator[str]:
    """Prevents documents that rot: every relative link of a document is a file or folder of this checkout."""
    for source in tree.files.values():
        if source.path.suffix != ".md":
            continue
        for number, line in enumerate(source.lines, 1):
            for target in LINK.findall(line):
                path = target.partition("#")[0]
                if path and ":" not in path and not _exists(tree, source, path):
                    yield source.at(number, f"the link to {path} leads nowhere")


def _exists(tree: Tree, source: Source, link: str) -> bool:
    path = posixpath.normpath(posixpath.join(str(source.path.parent), link))
    return path in tree.files or any(name.startswith(f"{path}/") for name in tree.files)


def commands_in_the_readme_exist(tree: Tree) -> Iterator[str]:
    """Prevents the first command of a newcomer failing: a shell line is a `./run` that this tree knows."""
    readme = tree.files.get("README.md")
    if readme is None:
        return
    scripts = tomllib.loads(tree.files["pyproject.toml"].text)["project"]["scripts"]
    for block in FENCED.finditer(readme.text):
        for line in block.group(1).splitlines():
            command = line.partition("#")[0].split()
            if command and not _is_known(tree, command, set(scripts)):
                yield readme.at(
                    readme.text[: block.start()].count("\n") + 1, f"`{line.strip()}` is no command of this tree"
                )


def _is_known(tree: Tree, command: list[str], scripts: set[str]) -> bool:
    if command[:2] == ["git", "clone"] or command[0] == "cd":
        return True
    if command[0] != "./run":
        return False
    if len(command) == 1 or command[1] in scripts:
        return True
    files = [word for word in command[2:] if word.endswith(".py")]
    return command[1] in BUILT_IN and all(word in tree.files for word in files)


def every_package_says_it_is_typed(tree: Tree) -> Iterator[str]:
    """Prevents types that stop at the package's door: without `py.typed` nobody else's checker reads them."""
    for package in PACKAGES:
        if f"{package}/__init__.py" in tree.files and f"{package}/py.typed" not in tree.files:
            yield f"{package}/py.typed: missing"
