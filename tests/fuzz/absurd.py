"""Records that a gateway really signed and that cannot be: years without a date, 2**53 pieces, slots named =cmd|'x'!A0.

The surprise is that these must not be refused: a signed leaf is evidence. They are stored,
    and what is worked out of them
(stock, bills, pages, papers, tables) says what it can and never falls over.
"""

from __future__ import annotations

from random import Random
from typing import Any

import msgspec

from tests.cloud.trade import Trade
from wire.canonical import LeafError
from wire.records import Record, encode

LARGEST = 2**53 - 1
NUMBERS = (
    0, 1, -1, 7, 63, 64, 1000, 10**6, 10**12, 10**15, LARGEST, -LARGEST, 253_402_300_799_999, 253_402_300_800_000,
    -62_135_596_800_001, 32_503_680_000_000, -10, -64,
)  # fmt: skip
TEXTS = (
    "\u00b2", "\u0663", "\u202egpj.exe", "=cmd|'/C calc'!A0", "+1", "-1", "@x", "../..", "<script>", "%s", "{0}",
    "a" * 64, "00",
    "999999999999999999999999", "1-2-3", "\U0001f9ee", "' OR 1=1 --", "pc", "kWh", "Wh", "S", "U", "confirmed",
    "unverified", "drill-8", "glove", "1", "2", "import_wh", "boot", "clock_set",
)  # fmt: skip
BODIES: tuple[dict[str, Any], ...] = (
    {"k": "draw", "slot": "1", "item": "drill-8", "asked": 1, "qty": 1, "outcome": "confirmed", "actuation": "ok",
     "confirmation": "door"},
    {"k": "intent", "slot": "1", "item": "drill-8", "asked": 1},
    {"k": "draw_resolved", "ref": ["cab-1", "b" * 16, 1], "outcome": "confirmed", "qty": 1, "evidence": "count"},
    {"k": "reversal", "ref": ["cab-1", "b" * 16, 1], "qty": 1, "reason": "mistaken"},
    {"k": "refill", "slot": "1", "item": "drill-8", "qty": 5, "expires": 1_800_000_000_000},
    {"k": "count", "slot": "1", "item": "drill-8", "qty": 5, "position": f"{'b' * 16}/3"},
    {"k": "return", "slot": "1", "item": "drill-8", "qty": 1},
    {"k": "loan", "slot": "2", "item": "glove", "qty": 1, "due": 1_800_000_000_000},
    {"k": "loan_back", "slot": "2", "item": "glove", "qty": 1},
    {"k": "reading", "register": "import_wh", "value": 1000, "scale": 0, "unit": "Wh"},
    {"k": "window", "metric": "co2", "from": 1, "to": 2, "mean": 1, "min": 1, "max": 1, "scale": 0, "unit": "ppm",
     "samples": 1, "coverage": 1},
    {"k": "runtime", "from": 1, "to": 2, "speeds": {"1": 60}, "unknown": 1},
    {"k": "device_event", "event": "door_forced", "slot": "1", "data": {"a": 1, "b": [1, "x"]}},
    {"k": "gateway_event", "event": "clock_set", "data": {"by": 1}},
    {"k": "note", "text": "x"},
)  # fmt: skip
SOURCES = ("cab-1", "meter-1", "cab-9", "nobody")


def absurd(chance: Random, trade: Trade) -> Record | None:
    """One record, or None where the change made it none."""
    told = dict(chance.choice(BODIES))
    honest = trade.said(chance.choice(SOURCES), **told)
    for _ in range(chance.randint(1, 3)):
        key = chance.choice([one for one in honest if one not in ("k", "v", "z", "ep", "n", "b")])
        if isinstance(honest[key], int):
            honest[key] = chance.choice(NUMBERS)
        elif isinstance(honest[key], str) and key not in ("src", "ts", "outcome"):
            honest[key] = chance.choice(TEXTS)
        elif isinstance(honest[key], dict):
            honest[key] = {chance.choice(("1", "0", "a_b", "99999999999")): chance.choice(NUMBERS)}
        elif isinstance(honest[key], list):
            honest[key] = [chance.choice(SOURCES), "b" * 16, abs(chance.choice(NUMBERS))]
    if chance.random() < 0.2:
        honest["ts"] = chance.choice(("S", "U", "B"))
    try:
        record: Record = msgspec.convert(honest, Record)
        encode(record)
    except (msgspec.ValidationError, LeafError):
        return None
    return record


def refused(trade: Trade, count: int, seed: str) -> list[str]:
    """Sends so many; what the cloud answered otherwise than with a receipt."""
    chance, wrong = Random(seed), []
    for number in range(count):
        record = absurd(chance, trade)
        if record is None:
            continue
        trade.gateway.keep(record)
        if number % 5 == 4:  # in small batches: each of them must find its receipt
            trade.cloud.clock.ms = max(trade.cloud.clock.ms, trade.at)
            total = len(trade.gateway.leaves)
            answer = trade.gateway.send(trade.sent, total)
            if answer.status_code != 200:
                wrong.append(f"{answer.status_code} {answer.text[:200]}: {trade.gateway.leaves[trade.sent : total]}")
            trade.sent = total
    return wrong
