"""Every test that takes ``address``, ``store`` or ``cloud`` runs on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cloud.databases import DIALECTS, Databases
from tests.cloud.twins import CloudTwin


@pytest.fixture(scope="session")
def databases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Databases]:
    """Where databases come from."""
    made = Databases(tmp_path_factory.mktemp("databases"))
    yield made
    made.close()


@pytest.fixture(params=DIALECTS)
def address(request: pytest.FixtureRequest, databases: Databases) -> Iterator[str]:
    """An empty database of each kind, with the schema in it."""
    with databases.fresh(request.param) as made:
        yield made


@pytest.fixture
def cloud(address: str, tmp_path: Path) -> Iterator[CloudTwin]:
    """A whole cloud with one tenant, spoken to over HTTP."""
    with CloudTwin(address, tmp_path / "state") as made:
        yield made
