"""The demo: a shop of real programs at a fast clock, told as it happens; then its bill, and whether the bill is true.

Everything it writes lies in one folder, which it makes and knows again by a mark; Ctrl-C ends every program.
"""

from __future__ import annotations

import asyncio
import shutil
import signal
import sys
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from firmware_sim import scenario as scenarios
from firmware_sim import shop
from firmware_sim.live import Live, live
from firmware_sim.office import Json
from firmware_sim.processes import ProgramError
from firmware_sim.settling import changed_copy, everything_sent, verify

MARK = ".tallystick-demo"
WATCH_SECONDS = 0.7
# Longer than every program together may take to end.
CLEANING_UP_S = 25.0


def run_demo(name: str, folder: Path, *, once: bool) -> int:
    """Runs until Ctrl-C, or until the first bill is verified when ``once``; 0, or 1 when something failed."""
    scenario = scenarios.load(name)
    try:
        _own(folder)
        if asyncio.run(_until_stopped(_show(scenario, folder.resolve(), once=once))):
            _say("Stopped. All programs have ended; what they wrote is in", str(folder))
    except (ProgramError, FileExistsError) as error:
        print(f"tally-sim demo: {error}", file=sys.stderr)
        return 1
    return 0


async def _until_stopped(show: Coroutine[Any, Any, None]) -> bool:
    """Runs the show to its end or until SIGINT or SIGTERM; whether it was stopped. A cancellation that gets lost on its
    way is sent again, so that Ctrl-C is always the end.
    """
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    task, stopped = loop.create_task(show), loop.create_task(stop.wait())
    await asyncio.wait({task, stopped}, return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    interrupted = not task.done()
    while not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=CLEANING_UP_S)
    if not task.cancelled():
        task.result()
    return interrupted


def _own(folder: Path) -> None:
    """An empty folder of ours; raises FileExistsError rather than touch anybody else's."""
    if folder.exists():
        if not (folder / MARK).exists() and any(folder.iterdir()):
            raise FileExistsError(f"{folder} is not a demo's folder; name another with --folder")
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    (folder / MARK).write_text("made by tally-sim demo; safe to delete\n", "utf-8")


async def _show(scenario: scenarios.Scenario, folder: Path, *, once: bool) -> None:
    _say(f"{scenario.about}")
    _say("Starting cloud, broker and gateway; devices speak on pseudo-terminals and MQTT ...")
    async with live(scenario, folder) as run:
        teller = Teller(run)
        code = await run.office.post("/v1/entry-codes", {})
        _say(f"Supplier's page    {run.urls['cloud']}/enter?code={code['code']}")
        _say(f"Gateway's page     {run.urls['gateway']}/")
        _say(f"The shop's clock runs {scenario.scale} times as fast as yours.\n")
        run.day.tell = teller.heard
        watching = asyncio.ensure_future(teller.watch())
        try:
            for day in range(scenario.days):
                start = 0 if day == 0 else scenario.ms("00:00", day)
                await run.day.play(start, scenario.ms("00:00", day + 1))
                await _evening(run, scenario.first_day + timedelta(days=day), day)
                if once:
                    return
            _say("The shop's week is over. The pages stay up; Ctrl-C ends everything.")
            await asyncio.Event().wait()
        finally:
            watching.cancel()
            with suppress(asyncio.CancelledError):
                await watching


async def _evening(run: Live, day: date, number: int) -> None:
    """Closes the day's bill, verifies it, and shows that a changed copy is refused."""
    await run.pace.until(run.scenario.ms("00:00", number + 1) + 60_000)
    await everything_sent(run.day.kiosk, run.pace)
    first = run.scenario.agreement.starts if number == 0 else day
    period = {"from": first.isoformat(), "to": (day + timedelta(days=1)).isoformat()}
    made = await run.office.post(f"/v1/agreements/{run.opened.agreement}/statements", period)
    statement = await run.office.get(f"/v1/statements/{made['statement_id']}")
    _say(f"\nThe statement for {statement['period']['label']}:")
    for line in statement["lines"]:
        _say(f"  {line['no']:>3}  {line['text']} {statement['total']['currency']}")
    _say(f"       total {statement['total']['amount']} {statement['total']['currency']}")
    bundle = run.folder / f"statement-{statement['number']}.bundle.json"
    bundle.write_bytes(await run.office.bundle(made["statement_id"]))
    for title, path in (
        ("tally-verify", bundle),
        ("tally-verify, on a copy with one number changed", changed_copy(bundle)),
    ):
        _, said = await verify(path)
        _say(f"\n$ {title} {path.name}")
        _say("\n".join(f"  {line}" for line in said.splitlines()))
    due = run.truth.bill(first, day + timedelta(days=1)).total
    _say(f"\nThe simulator's own account says {due}; the bill says {statement['total']['amount']}.\n")


@dataclass
class Teller:
    """Says what happens: at the doors at once, in the cloud as soon as it is seen there."""

    run: Live
    stock: dict[tuple[str, str], str] = field(default_factory=dict)
    orders: set[str] = field(default_factory=set)

    def heard(self, event: object, outcome: str) -> None:
        """Something ended at a door."""
        if isinstance(event, shop.Visit):
            what = f"badge {event.badge} wants {event.quantity} {event.item} from {event.cabinet}/{event.slot}"
            _say(f"{self._clock()}  {what}: {outcome}")

    async def watch(self) -> None:
        """Looks at the cloud's shelves and orders for as long as the demo runs."""
        while True:
            with suppress(Exception):
                for shelf in await self.run.office.every("/v1/stock"):
                    self._shelf(shelf)
                for register in await self.run.office.every("/v1/registers"):
                    self._register(register)
                for order in await self.run.office.every("/v1/orders", {"state": "proposed"}):
                    self._order(order)
            await asyncio.sleep(WATCH_SECONDS)

    def _shelf(self, shelf: Json) -> None:
        place, now = (shelf["device_id"], shelf["slot"]), shelf["on_hand"]["value"]
        before = self.stock.get(place)
        if before is not None and before != now:
            _say(f"{self._clock()}    cloud: stock of {place[0]}/{place[1]} {before} -> {now}")
        self.stock[place] = now

    def _register(self, register: Json) -> None:
        place, now = (register["device_id"], register["register"]), str(register["reading"]["value"])
        if self.stock.get(place) not in (None, now):
            _say(f"{self._clock()}    cloud: {place[0]} shows {now} {register['reading']['unit']}")
        self.stock[place] = now

    def _order(self, order: Json) -> None:
        if order["order_id"] not in self.orders:
            self.orders.add(order["order_id"])
            quantity = f"{order['quantity']['value']} {order['quantity']['unit']} {order['item_id']}"
            _say(f"{self._clock()}    cloud: order proposed: {quantity} for {order['device_id']}/{order['slot']}")
            _say(f"              because {order['reason']['text']}")

    def _clock(self) -> str:
        at = datetime.fromtimestamp(self.run.pace.now_ms() / 1000, ZoneInfo(self.run.scenario.zone))
        return at.strftime("%a %H:%M")


def _say(*words: str) -> None:
    print(*words, flush=True)
