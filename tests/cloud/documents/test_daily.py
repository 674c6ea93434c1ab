"""Day by day: the bars add up to the registers and the pieces, however readings and midnights fall."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from cloud.agreements.terms import AgreementTerms
from cloud.calendar import month
from cloud.documents.daily import Series, daily
from cloud.rating.lines import Amount, LeafRef, Line, RegisterPoint
from wire.records import DeviceEvent, Draw, Reading, Record

ZONE = "Asia/Shanghai"
NOVEMBER = month("2026-11", ZONE)
HOUR = 3_600_000
DAY = 24 * HOUR
PEAK = {
    "kind": "time_of_use", "source": {"devices": ["meter-1"], "subjects": ["import_wh"], "unit": "Wh"},
    "windows": {"rules": [{"window": "peak", "from": "08:00", "to": "22:00"}], "otherwise": "valley"},
    "prices": {"peak": "1.00", "valley": "0.30"},
}  # fmt: skip
TERMS: dict[str, Any] = {
    "supplier_id": "s", "customer_id": "c", "currency": "CNY", "zone": ZONE, "starts": "2026-11-01",
    "devices": ["cab-1", "meter-1"],
    "charges": [
        {"kind": "per_piece", "prices": {"drill": "1.20"}},
        {"kind": "energy", "unit_price": "0.85", "devices": ["meter-1"]},
    ],
}  # fmt: skip


def terms() -> AgreementTerms:
    return AgreementTerms.model_validate(TERMS)


def line(**said: Any) -> Line:
    facts: dict[str, Any] = {
        "no": 1, "kind": "per_piece", "version": 1, "charge": 0, "device": "cab-1", "subject": "drill",
        "first": "2026-11-01", "end": "2026-12-01", "effect": "usage", "belongs_to": "",
        "quantity": Amount(value="1", unit="pc"),
        "unit_price": "1.20", "unrounded": "1.2", "rounding": "half_up", "amount": "1.20", "level": "B", "days": 0,
        "month_days": 0, "rollovers": 0, "modulus": "", "registers": [], "leaves": [],
    }  # fmt: skip
    return Line(**{**facts, **said})


def base(at: int, src: str) -> dict[str, Any]:
    return {"v": 1, "z": "", "src": src, "ep": "e", "n": 0, "t": at, "ts": "S", "b": "b" * 16, "m": 0}


def drawn(at: int, qty: int = 1, **said: Any) -> Draw:
    facts: dict[str, Any] = {
        "intent": "e/1", "slot": "1", "item": "drill", "planogram": 1, "rules": 1, "asked": qty, "qty": qty,
        "actuation": "opened", "confirmation": "door", "outcome": "confirmed", "before": {}, "after": {},
    }  # fmt: skip
    return Draw(**{**base(at, "cab-1"), **facts, **said})


def read(at: int, value: int) -> Reading:
    return Reading(**base(at, "meter-1"), register="import_wh", value=value, scale=0, unit="Wh")


def metered(at: int = NOVEMBER.to_ms, value: int = 0) -> Line:
    leaf = LeafRef(log=0, index=0, at=at, quality="synchronised")
    point = RegisterPoint(device="meter-1", register="import_wh", value=value, scale=0, unit="Wh", leaf=leaf)
    return line(no=2, kind="energy", device="meter-1", subject="import_wh", registers=[point, point])


def of(records: list[Record], *lines: Line) -> list[Series]:
    return daily(lines, records, terms(), NOVEMBER, ZONE)


def test_pieces_fall_on_the_day_of_the_customers_clock() -> None:
    late = NOVEMBER.from_ms + DAY - 1

    (goods,) = of([drawn(late, 2), drawn(late + 1, 3), drawn(late, 9, outcome="void")], line())

    assert goods.days["2026-11-01"] == [Decimal(2)]
    assert goods.days["2026-11-02"] == [Decimal(3)]
    assert (len(goods.days), goods.total) == (30, Decimal(5))


def test_energy_between_two_readings_is_shared_out_over_midnight_by_time() -> None:
    evening = NOVEMBER.from_ms + DAY - 6 * HOUR

    (energy,) = of([read(evening, 1000), read(evening + 24 * HOUR, 5000)], metered())

    assert energy.days["2026-11-01"] == [Decimal(1)]
    assert energy.days["2026-11-02"] == [Decimal(3)]


def test_a_tariff_by_time_of_day_stacks_its_windows() -> None:
    start = NOVEMBER.from_ms
    by_time = AgreementTerms.model_validate({**TERMS, "charges": [PEAK]})

    (energy,) = daily([], [read(start, 0), read(start + DAY, 24_000)], by_time, NOVEMBER, ZONE)

    assert energy.parts == ["peak", "valley"]
    assert energy.days["2026-11-01"] == [Decimal(14), Decimal(10)]


def test_a_register_that_fell_and_a_clock_nobody_trusts_draw_no_bar() -> None:
    start = NOVEMBER.from_ms
    unsure = Reading(**{**base(start + HOUR, "meter-1"), "ts": "U"}, register="import_wh", value=9, scale=0, unit="Wh")

    assert of([read(start, 500), unsure, read(start + DAY, 400)], metered()) == []


def test_the_bars_follow_the_bill_where_readings_lie_or_transformers_count() -> None:
    start = NOVEMBER.from_ms
    behind = {"device": "meter-1", "modulus": "10000", "max_kw": "400",
              "ratios": [{"since": "2026-10-01T00:00:00Z", "factor": "40"}]}  # fmt: skip
    agreed = AgreementTerms.model_validate(
        {**TERMS, "charges": [{"kind": "energy", "unit_price": "0.85", "devices": [behind]}]}
    )
    days = [(0, 9_990_000), (1, 9_995_000), (2, 8_000_000), (3, 9_999_000), (4, 2_000), (5, 99_000_000), (6, 4_000)]
    records: list[Record] = [read(start + day * DAY, value) for day, value in days]

    (energy,) = daily([metered()], records, agreed, NOVEMBER, ZONE)

    # 5, then 4 in two days over a misread, 3 over the wrap, 2 in two days over what no meter reaches; times 40.
    assert [value for (value,) in list(energy.days.values())[:6]] == [200, 80, 80, 120, 40, 40]


def test_the_bars_on_both_sides_of_a_changed_ratio_are_by_the_ratio_of_their_day() -> None:
    start = NOVEMBER.from_ms
    ratios = [
        {"since": f"2026-{day}T00:00:00+08:00", "factor": factor} for day, factor in (("10-01", "40"), ("11-02", "80"))
    ]
    behind = {"device": "meter-1", "ratios": ratios}
    agreed = AgreementTerms.model_validate(
        {**TERMS, "charges": [{"kind": "energy", "unit_price": "0.85", "devices": [behind]}]}
    )

    (energy,) = daily([metered()], [read(start, 0), read(start + 2 * DAY, 2000)], agreed, NOVEMBER, ZONE)

    assert [value for (value,) in list(energy.days.values())[:2]] == [40, 80]


def test_the_first_bar_goes_on_from_the_last_reading_of_the_statement_before() -> None:
    start = NOVEMBER.from_ms

    (energy,) = of([read(start + 6 * HOUR, 5000), read(start + 12 * HOUR, 6000)], metered(start - 2 * HOUR, 1000))

    # 4 kWh in eight hours, of which two lie before the period; then one.
    assert energy.total == Decimal(4)


def test_the_bars_of_an_exchanged_meter_begin_anew() -> None:
    start = NOVEMBER.from_ms
    swapped = [
        DeviceEvent(**base(start + hour * HOUR, "meter-1"), event="identified", data={"number": number})
        for hour, number in ((0, "A17"), (30, "B04"))
    ]
    readings = [
        read(start + hour * HOUR, value) for hour, value in ((1, 1000), (25, 3000), (31, 500_000), (48, 501_000))
    ]

    (energy,) = of([swapped[0], *readings[:2], swapped[1], *readings[2:]], metered())

    assert energy.total == Decimal(3)


@given(st.lists(st.tuples(st.integers(1, 90 * HOUR), st.integers(0, 10**6)), min_size=1, max_size=20))
def test_the_bars_add_up_to_what_the_registers_moved_in_the_period(steps: list[tuple[int, int]]) -> None:
    at, value, records = NOVEMBER.from_ms, 0, [read(NOVEMBER.from_ms, 0)]
    for apart, more in steps:
        at, value = at + apart, value + more
        records.append(read(at, value))

    found = of(list(records), metered())

    inside = at <= NOVEMBER.to_ms
    total = sum((one.total for one in found), Decimal(0))
    assert abs(total - Decimal(value) / 1000) <= Decimal("0.001") * 40 if inside else total <= Decimal(value) / 1000 + 1
