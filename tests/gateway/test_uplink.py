"""The way up, against a cloud written from the wire alone."""

from __future__ import annotations

from pathlib import Path

from tests.gateway.desk import a_journal, an_uplink, cosigned, new_cloud, play, readings


def test_what_was_recorded_is_cosigned(tmp_path: Path) -> None:
    async def main() -> None:
        cloud = new_cloud()
        async with a_journal(tmp_path) as journal:
            await journal.append(readings(3))

            async with an_uplink(journal, cloud) as uplink:
                await cosigned(uplink, 3)

        assert [record.n for record in cloud.records()] == [1, 2, 3]

    play(main())
