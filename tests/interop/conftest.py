"""One log of 700 leaves in a running cloud, exported once for all tests here."""

from __future__ import annotations

import contextlib
import io
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from cloud import cli
from tests.cloud.conftest import databases
from tests.cloud.databases import Databases
from tests.cloud.twins import CloudTwin, GatewayTwin

__all__ = ["databases"]
SIZES = (1, 2, 255, 256, 300, 513, 700)


class Published(NamedTuple):
    """A gateway's log in its cloud, and the folder it was exported to."""

    gateway: GatewayTwin
    folder: Path


@pytest.fixture(scope="session")
def published(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Published]:
    """A log that came in pieces, and its tiles on disk with the leaves beside them."""
    state, folder = tmp_path_factory.mktemp("state"), tmp_path_factory.mktemp("tiles")
    with databases.fresh("sqlite") as address, CloudTwin(address, state) as cloud:
        gateway, at = cloud.gateway(), 0
        for size in SIZES:
            gateway.keep(*(gateway.reading() for _ in range(size - at)))
            assert gateway.send(at, size).status_code == 200
            at = size
        export(address, state, gateway.log, folder)
        yield Published(gateway, folder)


def export(address: str, state: Path, log: str, folder: Path) -> dict[str, object]:
    """``tally-cloud logs export-tiles`` on that database."""
    said, kept = io.StringIO(), dict(os.environ)
    os.environ.update({"TALLY_DATABASE": address, "TALLY_STATE": str(state)})
    try:
        with contextlib.redirect_stdout(said):
            code = cli.main(["logs", "export-tiles", "--log", log, "--out", str(folder), "--entries", "--json"])
    finally:
        os.environ.clear()
        os.environ.update(kept)
    assert code == 0, said.getvalue()
    found: dict[str, object] = json.loads(said.getvalue())
    return found
