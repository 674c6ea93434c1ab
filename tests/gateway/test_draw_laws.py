"""Laws of a draw over any story: people, boards that fail in every way, and a power switch at every step.

The use cases are the real ones; the journal is a list that dies when told to, the board a counter with a temper.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from gateway.clock import Clock
from gateway.device_events import Dispensed
from gateway.ports import Attempt, Confirm, NotStored
from gateway.premises import Given, Premises
from gateway.recover_draws import recover_draws
from gateway.shelf import Shelf
from gateway.take_count import take_count
from gateway.take_draw import take_draw
from gateway.vending import counted, dispensed
from tests.gateway.site import CABINET, MORNING, Told, desired
from wire.ids import RecordKey
from wire.records import Count, Draw, DrawResolved, Intent, Record, Refill

START = 1000
TEMPERS = ("drops", "drops late", "drops twice", "nothing falls", "jams", "no motor", "silent", "silent and empty")


class PowerCut(Exception):
    """The switch."""


class Paper:
    """A journal that outlives its gateway; `cut` counts steps down to the switch."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.commanded: set[RecordKey] = set()
        self.cut = -1
        self.boot = ""

    def step(self) -> None:
        """Something is about to happen, or has just happened."""
        self.cut -= 1
        if self.cut == 0:
            raise PowerCut

    async def append(self, records: Sequence[Record]) -> list[RecordKey]:
        """As the journal."""
        self.step()
        keys = []
        for record in records:
            n = 1 + sum(one.src == record.src and one.ep == record.ep for one in self.records)
            self.records.append(msgspec.structs.replace(record, n=n))
            keys.append(RecordKey(record.src, record.ep, n))
        self.step()
        return keys

    async def mark_commanded(self, key: RecordKey) -> None:
        """As the journal."""
        self.step()
        self.commanded.add(key)
        self.step()

    async def open_attempts(self) -> list[Attempt]:
        """As the journal."""
        ended = {(one.src, one.intent) for one in self.records if isinstance(one, Draw)}
        return [
            Attempt(one, one.key, one.key in self.commanded)
            for one in self.records
            if isinstance(one, Intent) and (one.src, f"{one.ep}/{one.n}") not in ended
        ]

    async def told(self, device: str, count: int) -> list[str]:
        """Nothing numbers its events here."""
        raise NotStored(f"{device}: {count}")

    async def said(self, device: str, count: int) -> list[Record]:
        """Nobody asks."""
        raise NotStored(f"{device}: {count}")


class Board:
    """A board with a drop counter that may or may not be readable afterwards."""

    device = CABINET
    cfg = "cfg"

    def __init__(self, paper: Paper) -> None:
        self.paper = paper
        self.temper, self.readable = "drops", True
        self.counter = 0
        self.drives: dict[RecordKey, int] = {}
        self.left: dict[RecordKey, int] = {}

    async def look(self, slot: str) -> Mapping[str, int]:
        """Its counter."""
        assert slot
        return {"ctr": self.counter} if self.readable else {}

    async def give(self, intent: Intent, key: RecordKey, confirm: Confirm) -> Given:
        """Turns once."""
        self.paper.step()
        self.drives[key] = self.drives.get(key, 0) + 1
        fell = {"drops": 1, "drops late": 1, "drops twice": 2, "silent": 1}.get(self.temper, 0)
        self.counter += fell
        self.left[key] = fell
        self.paper.step()
        if self.temper.startswith("silent"):
            return await self.recall(intent, key, confirm)
        motor = {"jams": "jam", "no motor": "none"}.get(self.temper, "ok")
        drop = "extra" if self.temper == "drops late" else "seen" if fell else "none"
        told = Dispensed("", "", intent.slot, fell, motor, drop, ctr=self.counter)
        fact, qty = dispensed(told, confirm, intent.asked, intent.before.get("ctr"))
        return Given(fact, qty, motor, drop)

    async def recall(self, intent: Intent, key: RecordKey, confirm: Confirm) -> Given:
        """Its counter, if that can be read; nothing moves."""
        assert key
        assert confirm
        now = self.counter if self.readable else None
        fact, qty = counted(intent.before.get("ctr"), now, intent.asked, fresh=True)
        return Given(fact, qty, "unknown", "counter")


class Story(RuleBasedStateMachine):
    """Gateways come and go over one board."""

    @initialize()
    def open(self) -> None:
        """A first boot with a full slot."""
        self.paper = Paper()
        self.board = Board(self.paper)
        self.boots = itertools.count(1)
        self.start()
        at: dict[str, Any] = {"v": 1, "z": "", "src": CABINET, "n": 0, "t": MORNING, "ts": "S", "m": 0}
        boot = self.premises.clock.boot
        full = Refill(**at, ep=boot, b=boot, slot="1", item="item-1", qty=START)
        asyncio.run(self.premises.keep(full))

    def start(self) -> None:
        """The next boot: what the paper says, and nothing else."""
        boot = f"{next(self.boots):016x}"
        ticks = itertools.count()
        clock = Clock(boot, wall=lambda: MORNING + next(ticks), line=lambda: 0.0, synchronised=lambda: True)
        self.premises = Premises(clock, self.paper, Told(desired("sensor")), Shelf())
        for record in self.paper.records:
            self.premises.remember(record)

    def until_cut(self, work: Callable[[], Any], cut: int) -> None:
        """Does something; where the switch is thrown, starts again and ends what is open."""
        self.paper.cut = cut
        try:
            asyncio.run(work())
        except* PowerCut:
            self.start()
        finally:
            self.paper.cut = -1
        asyncio.run(recover_draws(self.premises, {CABINET: self.board}))

    @rule(temper=st.sampled_from(TEMPERS), readable=st.booleans(), cut=st.integers(0, 9))
    def draw(self, temper: str, cut: int, *, readable: bool) -> None:
        """Somebody takes one."""
        self.board.temper, self.board.readable = temper, readable
        self.until_cut(lambda: take_draw(self.premises, self.board, "B0017", "1"), cut)

    @rule(temper=st.sampled_from(TEMPERS), cut=st.integers(1, 8), again=st.integers(1, 4), readable=st.booleans())
    def draw_and_die_twice(self, temper: str, cut: int, again: int, *, readable: bool) -> None:
        """The switch in a draw, and again in the start after it."""
        self.board.temper, self.board.readable = temper, readable
        self.paper.cut = cut
        try:
            asyncio.run(take_draw(self.premises, self.board, "B0017", "1"))
        except PowerCut:
            self.start()
        self.until_cut(lambda: recover_draws(self.premises, {CABINET: self.board}), again)

    @rule()
    def count(self) -> None:
        """Somebody counts what is really there."""
        really = START - sum(self.board.left.values())
        self.until_cut(lambda: take_count(self.premises, self.board, "1", really, "B0017"), 0)

    @rule()
    def restart(self) -> None:
        """A start in peace."""
        self.start()

    def draws(self) -> dict[RecordKey, tuple[str, int]]:
        """How each intent stands now, evidence included: outcome and pieces."""
        decided = {one.ref.key: one for one in self.paper.records if isinstance(one, DrawResolved)}
        ends: dict[RecordKey, tuple[str, int]] = {}
        for one in self.paper.records:
            if isinstance(one, Draw):
                ep, _, n = one.intent.rpartition("/")
                key, later = RecordKey(one.src, ep, int(n)), decided.get(one.key)
                assert key not in ends, "an intent with two ends"
                ends[key] = (later.outcome, later.qty) if later else (one.outcome, one.qty)
        return ends

    @invariant()
    def each_intent_has_one_end_and_one_turn_at_most(self) -> None:
        """No path drives a motor twice for one intent."""
        if hasattr(self, "paper"):
            intents = {one.key for one in self.paper.records if isinstance(one, Intent)}
            assert set(self.draws()) == intents
            assert all(count == 1 for count in self.board.drives.values())

    @invariant()
    def nothing_is_billed_without_proof_and_nothing_that_left_is_forgotten(self) -> None:
        """What is sure is what fell; what is not sure is on no bill."""
        if hasattr(self, "paper"):
            for key, (outcome, qty) in self.draws().items():
                fell = self.board.left.get(key, 0)
                if outcome == "confirmed":
                    assert qty == fell > 0
                elif outcome != "unverified":
                    assert (qty, fell) == (0, 0), outcome

    @invariant()
    def stock_and_outcome_agree_and_a_start_finds_the_same(self) -> None:
        """The shelf is what was put in and counted, less what the ends say."""
        if hasattr(self, "paper"):
            again = Shelf()
            for record in self.paper.records:
                again.apply(record)
            live, rebuilt = self.premises.shelf.look(CABINET, "1"), again.look(CABINET, "1")
            assert live.on_hand == rebuilt.on_hand
            if not any(isinstance(one, Count) for one in self.paper.records):
                assert rebuilt.on_hand == START - sum(qty for _, qty in self.draws().values())


Story.TestCase.settings = settings(
    max_examples=60, stateful_step_count=12, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
TestStory = Story.TestCase
