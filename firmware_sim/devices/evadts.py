"""A vending machine with an audit socket: it sells, it counts, and it hands its counters to whoever asks properly.

The surprise is what the counters do that no text promises: they roll over where the firmware's memory ends (65,536 or
100,000 as soon as 10^8), interval counters are cleared not when the machine is read but at the first *paid* vend after
the reading was finished, a service technician swaps the board, and SE01 is simply wrong in most machines.

    DXS*..  ST*001*0001  ID1 CB1 VA1-3 PA1.. EA2 EA3 EA7  G85*crc  SE*n*0001  DXE*1*1     each with CR LF

Source: EVA-DTS 6.2.2 chapters 2 and 3; docs/protocols/evadts.md. PURE.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Vend = Literal["paid", "free", "test"]


def arc(data: bytes) -> int:
    """CRC-16/ARC, a bit at a time."""
    register = 0
    for byte in data:
        register ^= byte
        for _ in range(8):
            carry = register & 1
            register >>= 1
            if carry:
                register ^= 0xA001
    return register


@dataclass
class Column:
    """One selection: what it holds and every vend it ever made (unbounded here; the board shows it modulo its own)."""

    price: int = 0
    product: str = ""
    capacity: int = 0
    standard: int = 0
    level: int = 0
    minimum: int = 0
    made: dict[str, int] = field(default_factory=lambda: {"paid": 0, "free": 0, "test": 0})
    since: dict[str, int] = field(default_factory=lambda: {"paid": 0, "free": 0, "test": 0})
    sold_out: str = ""
    presses: int = 0


class Machine:
    """The machine behind both sockets. ``truth`` is what really left, for a judge."""

    def __init__(
        self,
        *,
        serial: str = "GWT000000001",
        board: str = "GWB000000001",
        modulus: int = 100_000_000,
        columns: dict[str, Column] | None = None,
    ) -> None:
        self.serial = serial
        self.board = board
        self.modulus = modulus
        self.columns = columns if columns is not None else {}
        self.truth: dict[str, int] = dict.fromkeys(self.columns, 0)
        self.reads = 0
        self.stamps = [("000000", "000000", "0000"), ("000000", "000000", "0000")]
        self.power_cycles = 0
        self.events: dict[str, int] = {}
        self.clock = ("260106", "073000")
        self.asked_to_clear = False
        self.line_end = "\r\n"
        self.wrong_se01 = 0
        self.wrong_g85 = False
        self.no_g85 = False
        self.held = False

    def vend(self, selection: str, kind: Vend = "paid") -> bool:
        """Somebody buys; False where the column is empty or a reader holds the machine."""
        column = self.columns[selection]
        if self.held:
            return False
        if not column.level:
            column.sold_out = column.sold_out or "*".join(self.clock)
            column.presses += 1
            return False
        if kind == "paid" and self.asked_to_clear:
            self._clear_intervals()
        column.level -= 1
        column.made[kind] += 1
        column.since[kind] += 1
        self.truth[selection] += 1
        return True

    def refill(self, selection: str) -> None:
        """Somebody fills the column up."""
        column = self.columns[selection]
        column.level, column.sold_out, column.presses = column.capacity, "", 0

    def swap_board(self, board: str, *, serial: str = "") -> None:
        """A technician changes the control board: all counters begin anew."""
        self.board = board
        self.serial = serial or self.serial
        for column in self.columns.values():
            column.made = dict.fromkeys(column.made, 0)
            column.since = dict.fromkeys(column.since, 0)
        self.reads = 0
        self.stamps = [("000000", "000000", "0000"), ("000000", "000000", "0000")]

    def read_by(self, terminal: str, date: str, time: str) -> bytes:
        """What a reader gets now; it is written into EA3 before."""
        self.reads += 1
        self.stamps = [self.stamps[1], (date, time, terminal)]
        return self.report()

    def finished(self, *, clears: bool) -> None:
        """The reader said goodbye, properly."""
        self.asked_to_clear = self.asked_to_clear or clears

    def report(self) -> bytes:
        """The file, with the faults this firmware has."""
        body = self._head()
        for name, column in self.columns.items():
            body += self._column(name, column)
        body += [f"EA2*{code}**{count}*0" for code, count in self.events.items()]
        (was_date, was_time, was_by), (date, time, by) = self.stamps
        body.append(f"EA3*{self.reads}*{date}*{time}*{by}*{was_date}*{was_time}*{was_by}")
        body.append(f"EA7*1*{self.power_cycles}")
        summed = "".join(line + "\r\n" for line in body).encode("ascii")
        lines = ["DXS*GWT0000001*VA*V0/6*1", *body]
        if not self.no_g85:
            lines.append(f"G85*{arc(summed) ^ (0x0101 if self.wrong_g85 else 0):04X}")
        lines += [f"SE*{len(body) + 1 + (not self.no_g85) + self.wrong_se01}*0001", "DXE*1*1"]
        return "".join(line + self.line_end for line in lines).encode("ascii")

    def _head(self) -> list[str]:
        totals = {
            kind: (sum(c.made[kind] for c in self.columns.values()), sum(c.since[kind] for c in self.columns.values()))
            for kind in ("paid", "test", "free")
        }
        return [
            "ST*001*0001", f"ID1*{self.serial}*TOOLCAB24*0101*BAY 3**CAB0001", f"CB1*{self.board}*GWCTRL*0102",
            *(f"VA{n}*0*{total % self.modulus}*0*{since}" for n, (total, since) in enumerate(totals.values(), 1)),
        ]  # fmt: skip

    def _column(self, name: str, column: Column) -> list[str]:
        shown = {kind: count % self.modulus for kind, count in column.made.items()}
        product = column.product.replace("^", "^5E^").replace("*", "^2A^")
        stock = f"{column.capacity}*{column.standard}*{shown['paid']}**{column.level}*{column.minimum}"
        lines = [
            f"PA1*{name}*{column.price}*{product}*{stock}",
            f"PA2*{shown['paid']}*0*{column.since['paid']}*0",
        ]
        if column.made["test"]:
            lines.append(f"PA3*{shown['test']}*0*{column.since['test']}*0")
        if column.made["free"]:
            lines.append(f"PA4*{shown['free']}*0*{column.since['free']}*0")
        if column.sold_out:
            lines.append(f"PA5*{column.sold_out}*{column.presses}")
        return lines

    def _clear_intervals(self) -> None:
        self.asked_to_clear = False
        for column in self.columns.values():
            column.since = dict.fromkeys(column.since, 0)
