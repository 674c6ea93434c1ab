"""Pieces of several lots in one draw: each is named, and each goes back to its own."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_sim.devices.uhf_r200 import UhfR200 as ReaderTwin
from gateway.lots import labels, last_of
from gateway.rules import Item, Rules
from gateway.shelf import Shelf
from gateway.take_draw import take_draw
from gateway.uses import Uses
from tests.gateway.kiosk_site import Kiosk, at_the_kiosk
from tests.gateway.mqtt_site import CABINET as MACHINE
from tests.gateway.mqtt_site import MqttSite, on_an_mqtt_site
from tests.gateway.site import CABINET, desired
from tests.gateway.talking import Talking, talk
from tests.gateway.test_uhf_r200 import CHOSEN, LINE, A
from tests.gateway.weighing import BIN, Site, weigh
from wire.ids import RecordKey
from wire.records import Draw, DrawResolved, Intent, OfLot, Record, Ref, Refill, Return, Reversal

LAY = (("L8", 5, 2_000), ("L7", 2, 1_000))


def head(n: int, src: str = "cab", boot: str = "e") -> dict[str, Any]:
    return {"v": 1, "z": "", "src": src, "ep": boot, "n": n, "t": 0, "ts": "S", "b": boot, "m": n}


def filled(src: str, slot: str, boot: str, *lots: tuple[str, int, int]) -> list[Record]:
    return [
        Refill(**head(0, src, boot), slot=slot, item=f"item-{slot}", qty=qty, lot=lot, expires=4_000_000_000_000 + ends)
        for lot, qty, ends in lots or LAY
    ]


def lots(found: Any) -> list[tuple[str, int]]:
    return [(one.lot, one.qty) for one in found]


def shelf(*records: Record) -> Shelf:
    found = Shelf()
    for record in (*filled("cab", "1", "e"), *records):
        found.apply(record)
    return found


def drawn_of(qty: int, outcome: Any = "confirmed", **more: Any) -> Draw:
    return Draw(
        **head(9), slot="1", item="item-1", asked=qty, qty=qty, outcome=outcome, actuation="", confirmation="", **more
    )


SPLIT = {"lot": "L7", "lots": [OfLot("L7", 2), OfLot("L8", 2)]}


@pytest.mark.parametrize(
    ("end", "left"),
    [
        (Reversal(**head(10), ref=Ref("cab", "e", 9), qty=4, reason=""), [("L7", 2), ("L8", 5)]),
        (Reversal(**head(10), ref=Ref("cab", "e", 9), qty=1, reason=""), [("L8", 4)]),
        (Return(**head(10), slot="1", item="item-1", qty=3, lot="L7", lots=[OfLot("L7", 1), OfLot("L8", 2)]),
         [("L7", 1), ("L8", 5)]),
    ],
)  # fmt: skip
def test_what_comes_back_of_a_confirmed_draw_lies_in_its_own_lots(end: Record, left: list[tuple[str, int]]) -> None:
    assert lots(shelf(drawn_of(4, **SPLIT), end).look("cab", "1").lots) == left


def test_an_unproven_draw_that_never_left_lies_in_its_own_lots_again() -> None:
    found = shelf(drawn_of(4, "unverified", **SPLIT))
    before = lots(found.look("cab", "1").lots)

    found.apply(DrawResolved(**head(10), ref=Ref("cab", "e", 9), outcome="not_dispensed", qty=0, evidence="count"))

    assert (before, lots(found.look("cab", "1").lots)) == ([("L8", 3)], [("L7", 2), ("L8", 5)])


def test_a_draw_at_the_kiosk_names_every_lot_and_a_return_the_ones_that_come_back(tmp_path: Path) -> None:
    async def play(kiosk: Kiosk) -> None:
        kiosk.rule(confirm="none", items=(Item("item-3", lot=True),))
        premises = kiosk.gateway.premises
        assert premises is not None
        await premises.keep(*filled(CABINET, "3", kiosk.clock.boot))
        session = await kiosk.badge()
        taken = await kiosk.post("draws", session=session, slot="3", quantity=4)
        await kiosk.client.delete(f"/kiosk/v1/sessions/{session}")
        await kiosk.post("counts", cabinet=CABINET, badge="B0020", slot="3", quantity=3)
        session = await kiosk.badge()
        for quantity in (1, 2):
            await kiosk.post("returns", session=session, record=taken["record"], quantity=quantity)

        (intent,) = await kiosk.kinds(Intent)
        assert intent.q == ["lot:L7", "lots:2:L7", "lots:5:L8"]
        (draw,) = await kiosk.kinds(Draw)
        assert (draw.lot, lots(draw.lots), draw.q) == ("L7", [("L7", 2), ("L8", 2)], [])
        back = [(one.qty, one.lot, lots(one.lots)) for one in await kiosk.kinds(Return)]
        assert back == [(1, "L8", []), (2, "L7", [("L7", 1), ("L8", 1)])]
        assert lots(premises.shelf.look(CABINET, "3").lots) == [("L7", 1), ("L8", 5)]

    at_the_kiosk(tmp_path, play)


@pytest.mark.parametrize(
    ("asked", "gone", "named"),
    [(1, 4, ("L7", [("L7", 2), ("L8", 2)])), (4, 1, ("L7", [])), (1, 9, ("L7", [("L7", 2), ("L8", 5)]))],
)
def test_a_weigh_bin_splits_what_really_left(
    tmp_path: Path, asked: int, gone: int, named: tuple[str, list[tuple[str, int]]]
) -> None:
    async def play(site: Site) -> None:
        await site.premises.keep(*filled(BIN, "1", site.clock.boot))
        taking = asyncio.create_task(take_draw(site.premises, site.cabinet, "B0017", "1", quantity=asked))
        await site.clock.sleep(3)
        await site.take(gone)
        await taking

        (draw,) = await site.kinds(Draw)
        assert (draw.qty, (draw.lot, lots(draw.lots))) == (gone, named)

    weigh(tmp_path, play)


def test_what_left_a_bin_without_a_badge_names_its_lots_too(tmp_path: Path) -> None:
    async def play(site: Site) -> None:
        await site.premises.keep(*filled(BIN, "1", site.clock.boot))
        await site.take(3)

        (draw,) = await site.kinds(Draw)
        assert (draw.lot, lots(draw.lots)) == ("L7", [("L7", 2), ("L8", 1)])

    weigh(tmp_path, play)


def test_a_cabinet_behind_a_broker_names_every_lot(tmp_path: Path) -> None:
    async def play(site: MqttSite) -> None:
        await site.premises.keep(*filled(MACHINE, "1-03", site.clock.boot))
        site.badge("1-03", qty=4)
        await site.clock.sleep(30)

        (draw,) = await site.records(Draw)
        assert (draw.qty, draw.lot, lots(draw.lots)) == (4, "L7", [("L7", 2), ("L8", 2)])

    on_an_mqtt_site(tmp_path, play)


def test_a_tag_says_itself_which_lot_left(tmp_path: Path) -> None:
    twin = ReaderTwin({*A})

    async def play(site: Talking) -> None:
        await site.told("tags_known")
        numbered = (("L7", A[:2]), ("L8", A[2:]))
        await site.premises.keep(*(
            Refill(**head(0, CABINET, site.clock.boot), slot="1", item="item-1", qty=1, lot=lot, serial=number)
            for lot, numbers in numbered for number in numbers
        ))  # fmt: skip
        asyncio.get_running_loop().call_later(6, lambda: twin.inside.difference_update({A[1], A[4], A[5]}))
        await take_draw(site.premises, site.desk, "B0017", "1")

        (draw,) = await site.kinds(Draw)
        assert (draw.serial, draw.lot, lots(draw.lots)) == (" ".join((A[1], A[4], A[5])), "L7", [("L7", 1), ("L8", 2)])

    numbered_rules = Rules(version=5, items=(Item("item-1", serial=True),))
    slots = msgspec.structs.replace(desired(), book=numbered_rules)
    talk(tmp_path, "uhf_r200", CHOSEN, twin, play, spec=LINE, slots=slots)


STORY = st.lists(
    st.tuples(st.sampled_from(["fill", "fill", "draw", "bring_back", "bring_back", "doubt", "decide", "reverse"]),
              st.integers(1, 4)),
    max_size=40,
)  # fmt: skip


@given(STORY)
def test_whatever_is_drawn_decided_brought_back_or_reversed_every_piece_is_in_its_own_lot(
    story: list[tuple[str, int]],
) -> None:
    found, uses, away = Shelf(), Uses(), dict[RecordKey, Draw]()
    put, gone = Counter[str](), Counter[str]()

    def tell(record: Record) -> None:
        found.apply(record)
        uses.apply(record)

    def net(of: list[OfLot], lot: str, qty: int) -> Counter[str]:
        return Counter({one.lot: one.qty for one in of} or {lot: qty})

    for n, (what, qty) in enumerate(story, 1):
        held = found.look("cab", "1")
        drawn = next(reversed(away.values()), None)
        use = uses.at(drawn.key) if drawn is not None else None
        if what == "fill":
            lot = f"L{n % 3}"
            put[lot] += qty
            tell(Refill(**head(n), slot="1", item="item-1", qty=qty, lot=lot, expires=10**12 + n % 3))
        elif what in ("draw", "doubt") and (held.on_hand or 0) >= qty:
            lot, of = labels(held.leaving(qty), qty)
            outcome: Any = "confirmed" if what == "draw" else "unverified"
            made = msgspec.structs.replace(drawn_of(qty, outcome), n=n, lot=lot, lots=of)
            gone += net(of, lot, qty)
            away[made.key] = made
            tell(made)
        elif drawn is None or use is None:
            continue
        elif what == "bring_back" and drawn.outcome == "confirmed" and use.qty >= qty:
            lot, of = labels(last_of(use.lots, use.qty, qty), qty) if use.lots else (use.lot, [])
            gone -= net(of, lot, qty)
            tell(Return(**head(n), slot="1", item="item-1", qty=qty, ref=Ref(*drawn.key), lot=lot, lots=of))
        elif what == "reverse" and drawn.outcome == "confirmed" and use.qty == drawn.qty:
            gone -= net(drawn.lots, drawn.lot, drawn.qty)
            tell(Reversal(**head(n), ref=Ref(*drawn.key), qty=drawn.qty, reason=""))
            del away[drawn.key]
        elif what == "decide" and drawn.outcome == "unverified":
            gone -= net(drawn.lots, drawn.lot, drawn.qty)
            end = DrawResolved(**head(n), ref=Ref(*drawn.key), outcome="not_dispensed", qty=0, evidence="count")
            tell(end)
            del away[drawn.key]

        held = found.look("cab", "1")
        lying = Counter[str]()
        for one in held.lots:
            lying[one.lot] += one.qty
        assert lying == put - gone
        assert sum(lying.values()) == (held.on_hand or 0)
