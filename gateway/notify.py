"""systemd's notify protocol: a datagram of ``KEY=value`` lines to the socket it names (sd_notify(3))."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping


class Notifier:
    """Tells systemd how it goes; does nothing where there is no systemd."""

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        found = os.environ if environment is None else environment
        self._address = found.get("NOTIFY_SOCKET", "")
        period = found.get("WATCHDOG_USEC", "")
        mine = found.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        self.watchdog_seconds = int(period) / 2_000_000 if period.isdigit() and mine else 0.0

    def ready(self, status: str) -> None:
        """Everything is open; the journal takes records."""
        self._send(f"READY=1\nSTATUS={status}")

    def alive(self) -> None:
        """The journal and every session moved since the last time. At least every ``watchdog_seconds``."""
        self._send("WATCHDOG=1")

    def status(self, text: str) -> None:
        """One line for ``systemctl status``."""
        self._send(f"STATUS={text}")

    def stopping(self) -> None:
        """No more intake; what waits is being committed."""
        self._send("STOPPING=1")

    def _send(self, message: str) -> None:
        if not self._address:
            return
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
            try:
                out.connect(address)
                out.sendall(message.encode())
            except OSError:
                # Whoever asked to be told has gone away; that is no reason to stop vending.
                return
