"""Every board behind a device file: pyserial, a thread, real time, and everything a line can do to bytes."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

from firmware_sim.faults import LinePlan
from tests.gateway.board_site import KINDS, balance, intents, on_a_pty

NOISY = LinePlan(noise=0.1, flip=0.03, cut=0.03, lose=0.03, late=0.02, late_s=0.2, split=0.2, split_s=0.02)
# Quick coils and hands; short patience, because what is lost is waited for in earnest.
QUICK: dict[str, dict[str, Any]] = {
    "coil_vmc": {"patience": 3},
    "coil_tcn": {"delay": 0.6},
    "motor_zdm8": {"patience": 2.5},
    "lock_8a": {},
    "lock_kerong": {},
    "lock_wkly": {},
}
DRAWS = 3


async def vend(folder: Path, kind: str, *, power_cut: bool = False) -> None:
    """Some people one after the other, perhaps with a board that loses its power under one; the books afterwards."""
    plan = replace(NOISY, echo=power_cut and KINDS[kind].half_duplex)
    async with on_a_pty(folder / kind, kind, plan=plan, seed=f"pty/{kind}", turn_s=0.15, **QUICK[kind]) as site:
        # Nobody takes something and shuts the door again in less.
        site.hand_after = 2.1
        async with site.gateway(settle=1.0) as gateway:
            for _ in range(2 if site.kind.doors else DRAWS):
                site.refill()
                before = site.turns
                await gateway.draw()
                assert site.turns - before <= (3 if site.kind.doors else 1), kind
                await gateway.clock.sleep(0.7)

            if power_cut:
                site.refill()
                taking = gateway.begin_draw()
                await gateway.clock.sleep(0.25)
                site.line.cut_power(site.twin)
                await gateway.clock.sleep(0.3)
                site.line.restore_power(site.twin)
                await taking

            records = await gateway.records()
            sure, unsure = balance(records)
            assert sure <= site.fell <= sure + unsure, kind
            assert intents(records) == len(await gateway.draws())
            assert site.fell, kind


def test_every_board_vends_behind_a_device_file_and_no_piece_is_lost_or_invented(tmp_path: Path) -> None:
    async def main() -> None:
        await asyncio.gather(*(vend(tmp_path, kind) for kind in sorted(KINDS)))

    asyncio.run(main())
