"""Serial adapters by the name that stays: /dev/serial/by-id, and those that have none.

The surprise is /dev/ttyUSB0: after a reboot it is the other adapter, and the meter's line goes to the lock board.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

BY_ID = Path("/dev/serial/by-id")


class Adapter(msgspec.Struct, frozen=True):
    """One port. `stable`: its name is the same after a reboot. `line`: who has it already; empty: nobody."""

    port: str
    device: str
    about: str
    stable: bool
    line: str = ""


def adapters(taken: dict[str, str], folder: Path = BY_ID) -> list[Adapter]:
    """Every serial port that looks like an adapter; `taken` maps ports to lines. Stable names first."""
    from serial.tools import list_ports  # noqa: PLC0415 - only where somebody sets up

    owners = {str(Path(port).resolve()): line for port, line in taken.items()}
    found: dict[str, Adapter] = {}
    for link in sorted(folder.iterdir()) if folder.is_dir() else []:
        device = str(link.resolve())
        found[device] = Adapter(str(link), device, link.name, stable=True, line=owners.get(device, ""))
    for one in sorted(list_ports.comports(), key=lambda port: str(port.device)):
        if one.device not in found and one.vid is not None:
            about = str(one.description or "")
            found[one.device] = Adapter(one.device, one.device, about, stable=False, line=owners.get(one.device, ""))
    return list(found.values())
