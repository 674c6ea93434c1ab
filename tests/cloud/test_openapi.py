"""The committed description of the API is the API's own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cloud import cli

DESCRIPTION = Path(__file__).parents[2] / "docs" / "api" / "openapi.json"


def described(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """What the program says of itself now, its version aside."""
    assert cli.main(["openapi"]) == cli.FINE
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    document["info"].pop("version")
    return document


def test_the_committed_description_has_not_drifted(capsys: pytest.CaptureFixture[str]) -> None:
    committed = json.loads(DESCRIPTION.read_text(encoding="utf-8"))
    committed["info"].pop("version")

    assert committed == described(capsys), "run: ./run tally-cloud openapi --out docs/api/openapi.json"


def test_every_route_says_what_it_is_for_and_every_field_of_a_body_has_a_type(
    capsys: pytest.CaptureFixture[str],
) -> None:
    document = described(capsys)

    silent = [
        f"{method} {path}"
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if not operation.get("description") and not operation.get("summary")
    ]
    assert silent == []
    assert all(path.startswith("/v1/") or path in {"/healthz", "/readyz", "/metrics"} for path in document["paths"])
