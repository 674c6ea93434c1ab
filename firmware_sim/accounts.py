"""The two accounts of a run: truth's, from the simulator's own ledger, and the product's, read over the public API."""

from __future__ import annotations

from collections import Counter
from datetime import date
from decimal import Decimal

from firmware_sim.judge import Account
from firmware_sim.office import Json, Office
from firmware_sim.scenario import Scenario
from firmware_sim.truth import Truth


def of_truth(scenario: Scenario, truth: Truth, first: date, end: date) -> Account:
    """What really happened in local days ``[first, end)``, and what is due for it."""
    bill = truth.bill(first, end)
    on_hand = truth.on_hand()
    low = {
        (cabinet.id, slot.slot): int(on_hand.get((cabinet.id, slot.slot), 0) <= slot.min)
        for cabinet in scenario.cabinet
        for slot in cabinet.slot
    }
    return Account(
        pieces=truth.pieces(first, end),
        stock=on_hand,
        wh=truth.wh(first, end),
        runs=truth.run_seconds(first, end),
        money={(line.kind, line.device, _subject(line.kind, line.subject)): line.amount for line in bill.lines},
        total=bill.total,
        orders=low,
        records={"draws": len(truth.left), "refills": len(truth.refills), "missing or surplus pieces": 0},
    )


async def of_product(office: Office, statement: Json) -> Account:
    """What the product says: the statement, the shelves, the open orders, the moves of goods."""
    account = Account(total=Decimal(statement["total"]["amount"]))
    for line in statement["lines"]:
        _add_line(account, line)
    for shelf in await office.every("/v1/stock"):
        account.stock[shelf["device_id"], shelf["slot"]] = _whole(shelf["on_hand"]["value"])
        account.orders[shelf["device_id"], shelf["slot"]] = 0
    for order in await office.every("/v1/orders", {"state": "proposed"}):
        account.orders[order["device_id"], order["slot"]] = 1
    moves: Counter[str] = Counter({"draws": 0, "refills": 0, "missing or surplus pieces": 0})
    for move in await office.every("/v1/stock-moves"):
        pieces = _whole(move["quantity"]["value"])
        if move["target"] == "consumed":
            moves["draws"] += 1
        elif move["source"] == "consumed":
            moves["draws"] -= 1
        elif move["source"] == "warehouse":
            moves["refills"] += 1
        elif "variance" in (move["source"], move["target"]):
            moves["missing or surplus pieces"] += pieces
    account.records = dict(moves)
    return account


def _add_line(account: Account, line: Json) -> None:
    key = (line["kind"], line["device_id"], _subject(line["kind"], line["subject"]))
    sign = -1 if line["effect"] == "credit" else 1
    account.money[key] = account.money.get(key, Decimal(0)) + sign * Decimal(line["amount"]["amount"])
    quantity = sign * Decimal(line["quantity"]["value"])
    if line["kind"] == "per_piece":
        goods = (line["device_id"], line["subject"])
        account.pieces[goods] = account.pieces.get(goods, 0) + _whole(str(quantity))
    elif line["kind"] == "energy":
        account.wh[line["device_id"]] = account.wh.get(line["device_id"], 0) + _whole(str(quantity * 1000))
    elif line["kind"] == "weighted_runtime" and "corrects" not in line:
        for step in line["steps"]:
            speed = step["what"].removeprefix("speed ")
            if speed != "unknown":
                run = (line["device_id"], speed)
                account.runs[run] = account.runs.get(run, 0) + sign * _whole(step["quantity"])


def _subject(kind: str, subject: str) -> str:
    """What a line is about, in both accounts; a fee is about nothing but itself, running about its coil."""
    return "" if kind in ("monthly_fee", "weighted_runtime") else subject


def _whole(value: str) -> int:
    number = Decimal(value)
    if number != number.to_integral_value():
        raise ValueError(f"{value} is not a whole number")
    return int(number)
