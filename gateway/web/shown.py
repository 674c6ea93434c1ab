"""What the pages may ask of the gateway, all together. For type checkers: at run time each room knows its own part."""

from __future__ import annotations

from typing import Protocol

from gateway.kiosk_desk import KioskDesk
from gateway.take_draw import DrawResult
from gateway.web.kiosk_page import Served
from gateway.web.setup_deeds import Installed
from gateway.web.status_page import Watched


class Shown(Watched, Served, Installed, Protocol):
    """What the pages show and do."""

    kiosk: KioskDesk | None

    async def draw(
        self, cabinet: str, badge: str, slot: str, quantity: int = 1, for_: str = "", serial: str = ""
    ) -> DrawResult:
        """Somebody takes something. Raises UnknownCabinetError."""

    async def refill(self, cabinet: str, slot: str, quantity: int, badge: str) -> DrawResult:
        """Somebody put something in."""

    async def count(self, cabinet: str, slot: str, quantity: int, badge: str) -> DrawResult:
        """Somebody counted a slot."""

    def metrics(self) -> bytes:
        """The status for Prometheus."""
