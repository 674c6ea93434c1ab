"""The supplier's clerk: orders what is proposed, registers the meter that was forgotten, closes what is due; for ever.

It works through the public API, repeats whatever failed, and keeps the papers that left the house: an order or a
statement that comes a second time under another number would be paid twice.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import httpx

from firmware_sim.office import Office, OfficeError
from tests.simulation import books, site

if TYPE_CHECKING:
    from tests.simulation.world import World


class Desktop(httpx.AsyncBaseTransport):
    """The office's own line to the cloud: short, but the cloud may be away."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """See httpx."""
        body = await request.aread()
        copy = httpx.Request(request.method, request.url, headers=request.headers, content=body)
        answer = await self._world.cloud.answer(copy)
        if answer is None:
            raise httpx.ConnectError("the cloud is away", request=request)
        headers = [(name, value) for name, value in answer.headers.items() if name != "content-length"]
        return httpx.Response(answer.status_code, headers=headers, content=await answer.aread())


class Clerk:
    """``orders``: what was sent to the supplier's warehouse, by cause; ``statements``: what was sent out, by period."""

    def __init__(self, world: World, key: str) -> None:
        self.orders: dict[tuple[str, str, str, int], str] = {}
        self.statements: dict[tuple[str, str], str] = {}
        self._world = world
        self._client = httpx.AsyncClient(base_url="http://cloud.invalid", transport=Desktop(world))
        self.office = Office(self._client, key)
        # Its writes are numbered, and who set the shop up has numbered his from 1 under the same key.
        self.office._writes = 1000

    async def work(self, *, register: bool) -> bool:
        """One round; False when the cloud was away for any of it."""
        try:
            await self._register(wanted=register)
            await self._order()
            await self._close()
        except (httpx.HTTPError, OfficeError) as error:
            if isinstance(error, OfficeError) and " 503 " not in str(error):
                self._world.watcher.found(f"the office was refused: {error}")
            return False
        return True

    async def _register(self, *, wanted: bool) -> None:
        if not wanted:
            return
        known = {one["device_id"] for one in await self.office.every("/v1/devices")}
        if site.LATE_METER not in known:
            await self.office.post("/v1/devices", site.device(site.LATE_METER, "modbus_meter"))
        for leaf in await self.office.every("/v1/quarantine", {"state": "open"}):
            await self.office.post(f"/v1/quarantine/{leaf['id']}/retry", {})

    async def _order(self) -> None:
        for order in await self.office.every("/v1/orders"):
            cause = (order["device_id"], order["slot"], order["evidence"]["log"], order["evidence"]["index"])
            # An order that is only proposed follows the stock: its evidence moves, its number stays.
            if order["state"] == "proposed":
                await self.office.post(f"/v1/orders/{order['order_id']}/confirmation", {})
            known = self.orders.setdefault(cause, order["order_id"])
            if known != order["order_id"]:
                self._world.watcher.found(f"one draw ({cause}) was ordered for twice: {known} and {order['order_id']}")

    async def decide(self) -> list[str]:
        """Says of each draw that nothing proved what the people on the spot tell him; those that are still open.

        Where no count can settle it, as after the first count of a new card, only he can.
        """
        world = self._world
        held = books.consumed(books.once(books.cloud_records(world.cloud.path)))
        first, end = world.scenario.agreement.starts, world.scenario.end_day
        missing = Counter(world.truth.pieces(first, end))
        missing.subtract(held)
        try:
            waiting = await self.office.every("/v1/unproven-draws")
            for draw in waiting:
                place = draw["device_id"], draw["item_id"]
                gone = missing[place] >= draw["quantity"]
                missing[place] -= draw["quantity"] if gone else 0
                if not draw["said"]:
                    outcome = "confirmed" if gone else "not_dispensed"
                    said = {"record": draw["record"], "outcome": outcome, "evidence": "asked", "who": "the clerk"}
                    await self.office.post("/v1/unproven-draws/verdicts", said)
        except (httpx.HTTPError, OfficeError) as error:
            return [str(error)]
        return [draw["record"] for draw in waiting]

    async def _close(self) -> None:
        for one in (await self.office.post("/v1/closing-runs", {}))["items"]:
            self._world.trace.note("closed", one["first"], one["number"], one["total"])
        for one in await self.office.every("/v1/statements", {"agreement_id": site.AGREEMENT}):
            period = (str(one["period"]["first"]), str(one["period"]["end"]))
            known = self.statements.setdefault(period, one["statement_id"])
            if known != one["statement_id"]:
                self._world.watcher.found(f"two statements of {period}: {known} and {one['statement_id']}")

    async def close(self) -> None:
        """The end of the day."""
        await self._client.aclose()
