"""What every business event does to the books: accounts, postings, and that each entry sums to nothing. PURE.

The surprise: goods are booked twice, as pieces and as money at cost, in the same two accounts, so that a cabinet's
value and its count can both be checked. Delivery to a cabinet is no sale: the goods stay ours until the draw (IFRS 15
B77-B78).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256

import msgspec

WAREHOUSE = "Assets:Inventory:Warehouse"
COST_OF_GOODS = "Expenses:CostOfGoods"
SHRINKAGE = "Expenses:Shrinkage"
UNMATCHED = "Liabilities:UnmatchedPayments"
INCOME: Mapping[str, str] = {
    "per_piece": "Income:Goods", "energy": "Income:Cooling", "time_of_use": "Income:Cooling", "area": "Income:Cooling",
    "weighted_runtime": "Income:Cooling", "late_fee": "Income:LateFees", "interest": "Income:LateFees",
    "coupon": "Income:Discounts", "agreed": "Income:Other",
}  # fmt: skip
_COMPONENT = re.compile(r"[A-Z0-9][A-Za-z0-9-]*\Z")


class Unbalanced(ValueError):
    """An entry whose postings of a commodity do not sum to nothing."""


class Posting(msgspec.Struct, frozen=True):
    """Units of a commodity onto an account: positive debit, negative credit."""

    account: str
    commodity: str
    units: int


class Entry(msgspec.Struct, frozen=True):
    """An event with its postings. ``entry_id`` names the event; ``on_day`` is a local day."""

    entry_id: str
    kind: str
    on_day: str
    at_ms: int
    agreement_id: str
    text: str
    postings: list[Posting]

    def hash_after(self, before: str) -> str:
        """The hash that chains this entry to the one before it."""
        return sha256(before.encode() + msgspec.json.encode(self, order="sorted")).hexdigest()


def component(text: str) -> str:
    """An id as a part of an account's name: unchanged where it can be, else made to fit with a piece of its hash."""
    if _COMPONENT.match(text):
        return text
    fitted = re.sub(r"[^A-Za-z0-9-]", "-", text)
    return f"{fitted[:1].upper()}{fitted[1:]}-{sha256(text.encode()).hexdigest()[:6]}"


def commodity(item: str) -> str:
    """An item as a commodity: capitals, at most 24 letters, never a currency's three."""
    fitted = re.sub(r"[^A-Z0-9-]", "-", item.upper())[:14].strip("-")
    return f"X-{fitted}-{sha256(item.encode()).hexdigest()[:4].upper()}"


def income_account(kind: str, measured_at_air: Iterable[str] = ()) -> str:
    """The income a kind of charge belongs to; ``measured_at_air``: kinds that a guarantee covers."""
    if kind in set(measured_at_air):
        return "Income:Air"
    return INCOME.get(kind, "Income:Services")


def consigned(device: str) -> str:
    """The goods in a cabinet."""
    return f"Assets:Inventory:Consigned:{component(device)}"


def unbilled(customer: str, agreement: str) -> str:
    """What an agreement's customer owes and no invoice has asked for."""
    return f"Assets:Unbilled:{component(customer)}:{component(agreement)}"


def receivable(customer: str) -> str:
    """What invoices ask of a customer."""
    return f"Assets:Receivable:{component(customer)}"


def prepaid(customer: str) -> str:
    """What a customer has paid and nothing has used."""
    return f"Liabilities:Prepaid:{component(customer)}"


def refund_liability(customer: str) -> str:
    """What will probably be credited for a missed guarantee."""
    return f"Liabilities:Refund:{component(customer)}"


def deposits(customer: str) -> str:
    """A customer's deposits."""
    return f"Liabilities:Deposits:{component(customer)}"


def cash(account: str) -> str:
    """A bank account of ours."""
    return f"Assets:Cash:{component(account or 'Unknown')}"


def output_tax(category: str, percent: str) -> str:
    """Tax we owe for a rate."""
    return f"Liabilities:OutputTax:{component(category)}-{percent.replace('.', '-')}"


def checked(entry: Entry) -> Entry:
    """The entry without empty postings; raises Unbalanced."""
    sums: dict[str, int] = {}
    for one in entry.postings:
        sums[one.commodity] = sums.get(one.commodity, 0) + one.units
    if any(sums.values()):
        raise Unbalanced(f"{entry.entry_id}: {sums} is not nothing")
    return msgspec.structs.replace(entry, postings=[one for one in entry.postings if one.units])


def pair(debit: str, credit: str, unit: str, units: int) -> list[Posting]:
    """The same amount onto one account and off another."""
    return [Posting(debit, unit, units), Posting(credit, unit, -units)]


def goods_moved(sides: tuple[str, str], item: str, micro: int, currency: str, minor: int) -> list[Posting]:
    """Goods from ``sides[0]`` to ``sides[1]``, as pieces and at cost."""
    source, target = sides
    found = pair(target, source, commodity(item), micro)
    return [*found, *pair(target, source, currency, minor)] if minor else found


def average_out(micro: int, stock: tuple[int, int], cost_minor: int) -> int:
    """What goods that leave are worth: their share of (micro, minor), the last ones the rest; below nothing, today's
    cost (``cost_minor``, of all of them).
    """
    held, worth = stock
    if held <= 0 or micro > held:
        return cost_minor
    return worth if micro == held else (2 * worth * micro + held) // (2 * held)


def true_up(owed: str, currency: str, due: Mapping[str, int], booked: Mapping[str, int]) -> list[Posting]:
    """What brings booked income to what it should be: the rest of each account against what is unbilled."""
    found = []
    for account in sorted({*due, *booked}):
        found += pair(owed, account, currency, due.get(account, 0) - booked.get(account, 0))
    return found


def balances(entries: Sequence[Entry]) -> dict[tuple[str, str], int]:
    """Every account's balance by commodity."""
    found: dict[tuple[str, str], int] = {}
    for entry in entries:
        for one in entry.postings:
            found[one.account, one.commodity] = found.get((one.account, one.commodity), 0) + one.units
    return found
