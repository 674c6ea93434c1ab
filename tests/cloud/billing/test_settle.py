"""Whatever the order in which facts come to hand, each is billed once, in one statement."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from cloud.agreements.terms import AgreementTerms, Version
from cloud.billing.facts import Fact
from cloud.billing.scope import Scope
from cloud.billing.settle import Settlement, settle
from cloud.calendar import parse_day, period
from cloud.metering.usage import RegisterState
from cloud.rating.lines import LeafRef, Line
from tests.cloud.trade import DAY, TERMS
from wire.records import Draw, DrawResolved, Reading, Record, Ref, Reversal

DAYS = [parse_day(f"2026-11-0{day}") for day in range(1, 8)]
PERIODS = [period(first, end, "UTC") for first, end in itertools.pairwise(DAYS)]
BEGIN = PERIODS[0].from_ms
PLAIN = {name: value for name, value in TERMS.items() if name != "agreement_id"}
VERSION = Version(1, "2026-11-01", AgreementTerms.model_validate(PLAIN | {"zone": "UTC"}))


def said(src: str, index: int) -> dict[str, object]:
    return {"v": 1, "z": "", "src": src, "ep": "e", "n": index + 1, "t": 0, "ts": "S", "b": "e", "m": 0}


def draw(index: int, qty: int, outcome: str = "confirmed") -> Record:
    body = {"slot": "1", "item": "drill-8", "asked": qty, "qty": qty, "outcome": outcome}
    return Draw(**said("cab-1", index), **body, actuation="", confirmation="")  # type: ignore[arg-type]


def reading(index: int, value: int) -> Record:
    body = {"register": "import_wh", "value": value, "scale": 0, "unit": "Wh"}
    return Reading(**said("meter-1", index), **body)  # type: ignore[arg-type]


def facts_of(story: Sequence[tuple[str, int, int]]) -> list[Fact]:
    """(what, how much, hours after the beginning) in log order."""
    facts, register = [], 0
    for index, (what, amount, hour) in enumerate(story):
        if what == "read":
            register += amount
            record = reading(index, register)
        elif what == "resolve":
            ref = Ref("cab-1", "e", max(1, amount))
            record = DrawResolved(**said("cab-1", index), ref=ref, outcome="confirmed", qty=1, evidence="")  # type: ignore[arg-type]
        elif what == "reverse":
            record = Reversal(**said("cab-1", index), ref=Ref("cab-1", "e", max(1, amount)), qty=1, reason="")  # type: ignore[arg-type]
        else:
            record = draw(index, amount, "unverified" if what == "unsure" else "confirmed")
        facts.append(Fact(LeafRef(log=0, index=index, at=BEGIN + hour * DAY // 24, quality="synchronised"), record))
    return facts


def closings(facts: Sequence[Fact], sizes: Sequence[int]) -> list[Settlement]:
    """One settlement a day; at each the cloud has the leaves up to a size."""
    made: list[Settlement] = []
    registers: list[RegisterState] = []
    settled = 0
    for at, (span, size) in enumerate(zip(PERIODS, [*sorted(sizes), len(facts)], strict=True)):
        scope = Scope(
            period=span,
            closed=tuple(PERIODS[:at]),
            versions=(VERSION,),
            settled=(settled,),
            registers=tuple(registers),
        )
        made.append(settle(scope, facts[:size]))
        registers, settled = made[-1].registers, size
    return made


def quantity(lines: Sequence[Line], kind: str) -> Fraction:
    return sum((Fraction(line.quantity.value) for line in lines if line.kind == kind), Fraction(0))


HOURS = 24 * len(PERIODS)
STORIES = st.lists(
    st.tuples(
        st.sampled_from(["draw", "draw", "unsure", "resolve", "reverse", "read"]),
        st.integers(0, 9),
        st.integers(0, HOURS - 1),
    ),
    max_size=40,
)


@given(STORIES, st.lists(st.integers(0, 40), min_size=len(PERIODS) - 1, max_size=len(PERIODS) - 1))
def test_pieces_and_energy_of_all_statements_are_those_of_one_over_everything(
    story: list[tuple[str, int, int]], sizes: list[int]
) -> None:
    facts = facts_of(story)
    whole = period(DAYS[0], DAYS[6], "UTC")
    at_once = settle(Scope(period=whole, closed=(), versions=(VERSION,), settled=(0,)), facts)

    made = closings(facts, [min(size, len(facts)) for size in sizes])

    lines = [line for one in made for line in one.lines]
    assert quantity(lines, "per_piece") == quantity(at_once.lines, "per_piece")
    leaves = [leaf.index for line in lines for leaf in line.leaves if line.kind == "per_piece"]
    assert sorted(leaves) == sorted(
        leaf.index for line in at_once.lines for leaf in line.leaves if line.kind == "per_piece"
    )


@given(STORIES, st.lists(st.integers(0, 40), min_size=len(PERIODS) - 1, max_size=len(PERIODS) - 1))
def test_registers_are_billed_without_gap_or_overlap(story: list[tuple[str, int, int]], sizes: list[int]) -> None:
    in_order = [(what, amount, index * (HOURS - 1) // 40) for index, (what, amount, _) in enumerate(story)]
    facts = facts_of(in_order)

    made = closings(facts, [min(size, len(facts)) for size in sizes])

    lines = [line for one in made for line in one.lines if line.kind == "energy"]
    points = sorted((line.registers[0].value, line.registers[1].value) for line in lines)
    assert all(before[1] == after[0] for before, after in itertools.pairwise(points))
    register = [fact.record.value for fact in facts if isinstance(fact.record, Reading)]
    assert quantity(lines, "energy") * 1000 == (register[-1] - register[0] if register else 0)


@given(STORIES)
def test_the_total_is_the_sum_of_the_lines_and_a_leaf_is_on_one_line(story: list[tuple[str, int, int]]) -> None:
    whole = period(DAYS[0], DAYS[6], "UTC")

    made = settle(Scope(period=whole, closed=(), versions=(VERSION,), settled=(0,)), facts_of(story))

    assert Fraction(made.total) == sum((Fraction(line.amount) for line in made.lines), Fraction(0))
    leaves = [leaf for line in made.lines for leaf in line.leaves[1 if line.registers else 0 :]]
    assert len(set(leaves)) == len(leaves)
    assert [line.no for line in made.lines] == list(range(1, len(made.lines) + 1))
