"""A Qibixx adapter and the machine, the card reader or the satellite cabinet on the other side of its MDB bus.

The surprise is that it answers for itself: the adapter keeps the bus's five-millisecond rules alone, and its host only
hears lines. It says ``c,ERR,"cashless is on"`` to a host that switches it on twice, and forgets all with its power.

    C,1 -> c,STATUS,INACTIVE .. DISABLED .. ENABLED     a selection: c,STATUS,VEND,price,item
    C,VEND,x -> c,VEND,SUCCESS | c,ERR,VEND 3, then c,STATUS,IDLE, ENABLED      C,STOP -> c,STATUS,IDLE, ENABLED
    D,2 -> d,STATUS,RESET, d,STATUS,INIT,1   D,READER,1 -> d,STATUS,IDLE   D,REQ,x,i -> d,STATUS,VEND .. RESULT
    M,1 -> m,ACK     R,aa[,data] -> p,ACK or p,<hex>
Source: docs.qibixx.com API pages; MDB/ICP v4.2 section 9; docs/protocols/mdb_adapter.md. PURE.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from firmware_sim.devices.twin import Transmit

_LINE_S, _MOTOR_S, _CARD_S = 0.02, 2.0, 1.5


@dataclass
class Machine:
    """What is behind the bus. ``turns(item)``: None while all is well, else what fails; ``card``: what a card gives."""

    prices: dict[str, str] = field(default_factory=lambda: {"5": "1.00", "10": "1.20"})
    turns: Callable[[str], str | None] = lambda _: None
    card: Callable[[str, str], str] = lambda amount, _: f"1,{amount}"
    dispensed: list[str] = field(default_factory=list)
    selected: str = ""


class MdbAdapter:
    """One adapter. ``repeats``: it says the end of a vend twice, as a slave does that was not acknowledged."""

    def __init__(self, machine: Machine, *, repeats: bool = False, resets: bool = False) -> None:
        self.machine = machine
        self.resets = resets
        self._repeats = repeats
        self._heard = bytearray()
        self._plan: list[tuple[float, Callable[[], list[str]]]] = []
        self._cashless = False
        self._polled: list[bytes] = []
        self._powered = True
        self.lines: list[str] = []

    def select(self, item: str, now: float) -> None:
        """Somebody presses a button of the machine."""
        if self._cashless and self._powered:
            self.machine.selected = item
            self._later(now, _LINE_S, [f"c,STATUS,VEND,{self.machine.prices[item]},{item}"])

    def reset_bus(self, now: float) -> None:
        """The VMC starts anew."""
        self._plan.clear()
        self.machine.selected = ""
        self._polled = [b"\x00"]
        self._later(now, _LINE_S, ["c,STATUS,INACTIVE", "c,STATUS,DISABLED", "c,STATUS,ENABLED"])

    def receive(self, data: bytes, now: float) -> list[Transmit]:
        """See ``Twin``."""
        if not self._powered:
            return []
        self._heard += data
        *whole, rest = bytes(self._heard).replace(b"\r", b"\n").split(b"\n")
        self._heard[:] = rest[-200:]
        for line in whole:
            self._obey(line.decode("latin-1").strip(), now)
        return []

    def due(self) -> float | None:
        """See ``Twin``."""
        return min((at for at, _ in self._plan), default=None)

    def wake(self, now: float) -> list[Transmit]:
        """See ``Twin``."""
        ready = sorted((one for one in self._plan if one[0] <= now), key=lambda one: one[0])
        self._plan = [one for one in self._plan if one[0] > now]
        said: list[Transmit] = []
        for at, what in ready:
            for line in what():
                said.append(Transmit(at + 0.003 * len(said), line.encode("latin-1") + b"\r\n"))
        return said

    def power_off(self, now: float) -> None:  # noqa: ARG002 - as at any time
        """See ``Twin``."""
        self._powered = self._cashless = False
        self._plan.clear()
        self._heard.clear()

    def power_on(self, now: float) -> None:  # noqa: ARG002 - as at any time
        """See ``Twin``."""
        self._powered = True

    # Inside

    def _later(self, now: float, seconds: float, lines: list[str]) -> None:
        self._plan.append((now + seconds, lambda: lines))

    def _obey(self, line: str, now: float) -> None:
        self.lines.append(line)
        word, _, rest = line.partition(",")
        if word == "C":
            self._cashless_word(rest, now)
        elif word == "D":
            self._vmc_word(rest, now)
        elif word == "M":
            self._later(now, _LINE_S, ["m,ACK"])
        elif word == "R":
            self._later(now, _LINE_S, [self._bus(bytes.fromhex(rest.replace(",", "")), now)])

    def _cashless_word(self, rest: str, now: float) -> None:
        if rest == "1" and self._cashless:
            self._later(now, _LINE_S, ['c,ERR,"cashless is on"'])
        elif rest == "1":
            self._cashless = True
            self._later(now, _LINE_S, ["c,1", "c,STATUS,INACTIVE"])
            self._later(now, 0.3, ["r,ACK", "c,STATUS,DISABLED", "r,ACK", "c,STATUS,ENABLED"])
        elif rest == "STOP":
            self.machine.selected = ""
            self._later(now, _LINE_S, ["c,STATUS,IDLE", "c,STATUS,ENABLED", "r,ACK"])
        elif rest.startswith("VEND,") and self.machine.selected:
            item, self.machine.selected = self.machine.selected, ""
            self._later(now, _LINE_S, ["r,ACK"])
            self._plan.append((now + _MOTOR_S, lambda: self._motor(item, now + _MOTOR_S)))

    def _motor(self, item: str, now: float) -> list[str]:
        if self.resets:
            self.machine.dispensed.append(item)
            self.reset_bus(now)
            return []
        trouble = self.machine.turns(item)
        if trouble is None:
            self.machine.dispensed.append(item)
        word = "c,VEND,SUCCESS" if trouble is None else f"c,ERR,VEND {trouble}"
        return [*([word] * (1 + self._repeats)), "c,STATUS,IDLE", "c,STATUS,ENABLED", "r,ACK"]

    def _vmc_word(self, rest: str, now: float) -> None:
        if rest in ("1", "2"):
            self._later(now, _LINE_S, ["d,STATUS,RESET"])
            self._later(now, 0.2, ["d,STATUS,INIT,1"])
        elif rest in ("READER,1", "END", "END,-1"):
            self._later(now, 0.1, ["d,STATUS,IDLE"])
        elif rest.startswith("REQ,"):
            _, amount, item = rest.split(",")
            self._later(now, _LINE_S, ["d,STATUS,VEND"])
            self._later(now, _CARD_S, [f"d,STATUS,RESULT,{self.machine.card(amount, item)}"])

    def _bus(self, data: bytes, now: float) -> str:
        if data[:1] == b"\x43" and data[1:2] == b"\x02":
            item = data[2:4].hex()
            self._plan.append((now + _MOTOR_S, lambda: self._satellite(item)))
        if data[:1] == b"\x42" and self._polled:
            block = self._polled.pop(0)
            return "p," + (block + bytes((sum(block) & 0xFF,))).hex().upper()
        return "p,ACK"

    def _satellite(self, item: str) -> list[str]:
        trouble = self.machine.turns(item)
        if trouble is None:
            self.machine.dispensed.append(item)
            self._polled.append(b"\x02")
        else:
            self._polled.append(b"\x03" + bytes.fromhex(item) + int(trouble).to_bytes(2, "big"))
        return []
