"""Late data, in shops that nobody thought of."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cloud.billing.random_corrections import difference
from tests.cloud.databases import Databases


@pytest.mark.parametrize("number", [4, 12, 113])
def test_original_lines_and_deltas_together_are_one_rating_of_everything(
    databases: Databases, tmp_path: Path, number: int
) -> None:
    assert difference(databases, tmp_path, number) == ""
