"""What the pages may ask of the gateway, all together. For type checkers: at run time each room knows its own part."""

from __future__ import annotations

from typing import Protocol

from gateway.web.kiosk_deeds import Gateway as Deeds
from gateway.web.kiosk_page import Served
from gateway.web.setup_deeds import Installed
from gateway.web.status_page import Watched


class Shown(Watched, Served, Installed, Deeds, Protocol):
    """What the pages show and do."""

    def metrics(self) -> bytes:
        """The status for Prometheus."""
