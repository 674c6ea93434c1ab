"""Broken disks under a real gateway, and flipped bits in its file; each module's long run is one command."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.reliability import bit_flips, disk_faults
from tests.reliability.aside import aside


@pytest.mark.slow
def test_a_broken_disk_stops_acknowledgements_is_stated_and_heals_without_a_restart() -> None:
    result = disk_faults.play(rounds=1)

    assert result.findings == []
    assert result.faults == len(disk_faults.FAULTS)
    assert result.refused > 0


@pytest.mark.slow
def test_disk_faults_find_a_gateway_that_acknowledges_what_it_could_not_store() -> None:
    result = disk_faults.play(1, "acknowledge")

    assert any("acknowledged while the disk was broken" in one for one in result.findings)


@pytest.mark.slow
def test_every_record_that_a_flipped_bit_changed_is_found_and_none_is_sent(tmp_path: Path) -> None:
    result = aside(bit_flips.flips, 500, 1, tmp_path)

    assert result.findings == []
    assert result.found == result.changed > 100


@pytest.mark.slow
def test_flipped_bits_go_unnoticed_without_a_hash_for_each_record(tmp_path: Path) -> None:
    result = aside(bit_flips.flips, 120, 1, tmp_path, blind=True)

    assert "nobody noticed" in result.findings[0] or "nobody had stored" in result.findings[0]
