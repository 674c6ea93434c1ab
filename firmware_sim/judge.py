"""Two accounts of one day, held against each other: what truly happened, and what the product says. PURE.

One account is the simulator's own (what left the slots, what flowed through the meters, what that costs by the plain
words of the agreement); the other is read from the product's public API. They are the same shape and come from code
that shares nothing. Every number that is compared is counted: a judge that compared nothing has found nothing out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, TypeVar

K = TypeVar("K")


@dataclass
class Account:
    """What one side says of a period.

    ``pieces``: (device, item) -> pieces billed or taken. ``stock``: (device, slot) -> pieces in the slot at the end.
    ``wh``: meter -> Wh. ``runs``: (coil, speed) -> effective seconds. ``money``: (kind, device, subject) -> amount;
    ``total`` their sum. ``orders``: (device, slot) -> how many open orders there are, or, on the side of truth, should
    be. ``records``: facts of each kind.
    """

    pieces: dict[tuple[str, str], int] = field(default_factory=dict)
    stock: dict[tuple[str, str], int] = field(default_factory=dict)
    wh: dict[str, int] = field(default_factory=dict)
    runs: dict[tuple[str, str], int] = field(default_factory=dict)
    money: dict[tuple[str, str, str], Decimal] = field(default_factory=dict)
    total: Decimal = Decimal(0)
    orders: dict[tuple[str, str], int] = field(default_factory=dict)
    records: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Difference:
    """One thing the two accounts do not agree on."""

    what: str
    where: str
    truth: str
    product: str

    def __str__(self) -> str:
        return f"{self.what} {self.where}: in truth {self.truth}, the product says {self.product}"


@dataclass(frozen=True)
class Verdict:
    """How many of each thing were compared, and what differed."""

    compared: dict[str, int]
    differences: list[Difference]

    @property
    def sound(self) -> bool:
        """True when something of every kind was compared and nothing differed."""
        return not self.differences and bool(self.compared) and all(self.compared.values())


def judge(truth: Account, product: Account, *, proofs: Mapping[str, bool]) -> Verdict:
    """Holds one account against the other. ``proofs``: further yes-or-no checks by name, e.g. "bundle verified"."""
    found: list[Difference] = []
    found += _differ("pieces", truth.pieces, product.pieces)
    found += _differ("stock", truth.stock, product.stock)
    found += _differ("energy in Wh", truth.wh, product.wh)
    found += _differ("effective seconds", truth.runs, product.runs)
    found += _differ("money", truth.money, product.money)
    found += _differ("open order", truth.orders, product.orders)
    found += _differ("records", truth.records, product.records)
    if truth.total != product.total:
        found.append(Difference("money", "total", str(truth.total), str(product.total)))
    found += [Difference("proof", name, "True", "False") for name, held in proofs.items() if not held]
    compared = {
        "pieces": sum(truth.pieces.values()),
        "kwh": -(-sum(truth.wh.values()) // 1000),
        "money": len(truth.money) + 1,
        "stock": len(truth.stock),
        "orders": len(truth.orders),
        "records": sum(truth.records.values()),
        "proofs": len(proofs),
    }
    if truth.runs or product.runs:
        compared["minutes run"] = sum(truth.runs.values()) // 60
    return Verdict(compared, found)


def document(scenario: str, seed: int, mode: str, verdict: Verdict, **more: Any) -> dict[str, Any]:  # noqa: ANN401
    """What ``tally-sim judge --json`` prints."""
    return {
        "scenario": scenario,
        "seed": seed,
        "mode": mode,
        "compared": verdict.compared,
        "differences": [
            {"what": one.what, "where": one.where, "truth": one.truth, "product": one.product}
            for one in verdict.differences
        ],
        **more,
    }


def _differ(what: str, truth: Mapping[K, object], product: Mapping[K, object]) -> list[Difference]:
    missing = "nothing"
    return [
        Difference(what, _place(key), str(truth.get(key, missing)), str(product.get(key, missing)))
        for key in sorted({*truth, *product}, key=str)
        if truth.get(key) != product.get(key)
    ]


def _place(key: object) -> str:
    return " / ".join(str(part) for part in key if part) if isinstance(key, tuple) else str(key)
