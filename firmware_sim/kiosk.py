"""People at the gateway's own pages: badge and slot in, an outcome out. Works while the gateway comes and goes.

A worker whose request dies with the gateway does not press again: what became of the draw is the gateway's to find out.
"""

from __future__ import annotations

from typing import Any, Protocol

import httpx

Json = dict[str, Any]


class People(Protocol):
    """What people can do at a gateway, however they reach it. Answers have an ``outcome``."""

    async def draw(self, cabinet: str, badge: str, slot: str, quantity: int) -> Json:
        """Asks for goods; returns when the draw has ended."""

    async def refill(self, cabinet: str, badge: str, slot: str, quantity: int) -> Json:
        """Says what was put in."""

    async def count(self, cabinet: str, badge: str, slot: str, quantity: int) -> Json:
        """Says what lies there."""

    async def status(self) -> Json:
        """``pending`` records, ``doubtful`` slots; empty when the gateway is not there."""


class Kiosk:
    """The touch screen of one gateway. ``client``: an HTTP client whose base URL is the gateway's pages."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def draw(self, cabinet: str, badge: str, slot: str, quantity: int) -> Json:
        """Asks for goods; returns when the draw has ended. outcome "no_answer": the gateway is not there."""
        return await self._post("draws", {"cabinet": cabinet, "badge": badge, "slot": slot, "quantity": quantity})

    async def refill(self, cabinet: str, badge: str, slot: str, quantity: int) -> Json:
        """Says what was put in."""
        return await self._post("refills", {"cabinet": cabinet, "badge": badge, "slot": slot, "quantity": quantity})

    async def count(self, cabinet: str, badge: str, slot: str, quantity: int) -> Json:
        """Says what lies there."""
        return await self._post("counts", {"cabinet": cabinet, "badge": badge, "slot": slot, "quantity": quantity})

    async def status(self) -> Json:
        """The gateway's health; empty when it is not there."""
        try:
            answer = await self._client.get("/status", headers={"accept": "application/json"})
        except httpx.HTTPError:
            return {}
        found: Json = answer.json()
        return found

    async def _post(self, what: str, body: Json) -> Json:
        try:
            answer = await self._client.post(f"/kiosk/v1/{what}", json=body)
        except httpx.HTTPError:
            return {"outcome": "no_answer"}
        found: Json = answer.json()
        return found if "outcome" in found else {"outcome": f"http {answer.status_code}", "detail": found}
