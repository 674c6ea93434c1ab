"""The evening of a judged day: everything sent, doubtful slots counted, the period closed, the evidence checked.

The offline verifier is run as any customer would run it, as a command on a file; and once more on a copy in which one
number was changed, since a verifier that says "verified" to everything has proven nothing.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from firmware_sim.accounts import of_product, of_truth
from firmware_sim.judge import Account, Verdict, judge
from firmware_sim.kiosk import People
from firmware_sim.office import Json, Office
from firmware_sim.open_shop import Opened
from firmware_sim.playing import Day, Pace
from firmware_sim.processes import python
from firmware_sim.scenario import Scenario
from firmware_sim.truth import Truth


class NotSettledError(RuntimeError):
    """Records were still on their way after a whole day of the shop's time."""


@dataclass
class Evening:
    """What a day came to."""

    statement: Json
    bundle: Path
    truth: Account
    product: Account
    verdict: Verdict


async def everything_sent(kiosk: People, pace: Pace, hours: int = 24) -> None:
    """Returns when the gateway has no record that the cloud has not cosigned; raises NotSettledError."""
    status: Json = {}
    for _ in range(hours * 60):
        status = await kiosk.status()
        if status and status["pending"] == 0:
            return
        await pace.rest(60_000)
    raise NotSettledError(f"the gateway still keeps {status.get('pending')} records: {json.dumps(status)[:800]}")


async def count_doubtful(day: Day) -> int:
    """The restocker counts every slot that the gateway wants counted; how many that were."""
    counted = 0
    for place in (await day.kiosk.status()).get("doubtful", []):
        for _ in range(100):
            if await day.count(place["cabinet"], place["slot"], day.plan.workers[-1].badge) == "counted":
                counted += 1
                break
            await day.pace.rest(5000)
    return counted


async def settle(
    scenario: Scenario, truth: Truth, office: Office, opened: Opened, folder: Path,
    *, tamper: Callable[[Any], None] | None = None,
) -> Evening:  # fmt: skip
    """Closes the scenario's days as one period, fetches the evidence and holds the two accounts against each other."""
    period = {"from": scenario.agreement.starts.isoformat(), "to": scenario.end_day.isoformat()}
    created = await office.post(f"/v1/agreements/{opened.agreement}/statements", period)
    again = await office.post(f"/v1/agreements/{opened.agreement}/statements", period)
    statement = await office.get(f"/v1/statements/{created['statement_id']}")
    bundle = folder / "statement.bundle.json"
    bundle.write_bytes(await office.bundle(created["statement_id"]))
    product = await of_product(office, statement)
    if tamper is not None:
        tamper(product)
    account = of_truth(scenario, truth, scenario.agreement.starts, scenario.end_day)
    proofs = {
        "the bundle is verified": (await verify(bundle))[0] == 0,
        "a changed copy is refused": (await verify(changed_copy(bundle)))[0] == 1,
        "closing twice gives one statement": again["statement_id"] == created["statement_id"],
        "no leaf is in quarantine": not await office.every("/v1/quarantine"),
        "every collector was asked often enough": truth.looked_often(scenario.agreement.starts, scenario.end_day),
    }
    return Evening(statement, bundle, account, product, judge(account, product, proofs=proofs))


async def verify(bundle: Path) -> tuple[int, str]:
    """Runs ``tally-verify`` on a file: its exit code and what it said."""
    done = await asyncio.to_thread(
        subprocess.run,
        python("cloud.billing.verify_cli", str(bundle)),
        capture_output=True, text=True, check=False, cwd=Path(__file__).parents[1],
    )  # fmt: skip
    return done.returncode, (done.stdout + done.stderr).strip()


def changed_copy(bundle: Path) -> Path:
    """A copy of a bundle in which the first line's quantity is one more."""
    document = json.loads(bundle.read_text("utf-8"))
    line = document["statement"]["lines"][0]
    whole, dot, rest = line["quantity"]["value"].partition(".")
    line["quantity"]["value"] = f"{int(whole) + 1}{dot}{rest}"
    copy = bundle.with_name("changed.bundle.json")
    copy.write_text(json.dumps(document, ensure_ascii=False), "utf-8")
    return copy
