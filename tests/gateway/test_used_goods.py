"""Burn stock: what was brought back used is taken first, costs nothing, and is found again after a restart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gateway import boot
from gateway.rules import Blocked, Limit
from gateway.shelf import Shelf
from tests.gateway.desk import a_journal, an_uplink, cosigned, draw, new_cloud, play, readings
from tests.gateway.kiosk_site import Kiosk, at_the_kiosk
from wire.records import USED_TAKEN, DeviceEvent, Draw, Return


async def bring_back_used(kiosk: Kiosk, session: str, pieces: int = 2) -> None:
    """Somebody takes new ones and brings them back used."""
    for _ in range(pieces):
        taken = await kiosk.post("draws", session=session, slot="1")
        told = await kiosk.post("returns", session=session, record=taken["record"], condition="used")
        assert told["outcome"] == "returned", told


async def used(kiosk: Kiosk, session: str, slot: str = "1") -> Any:
    return (await kiosk.slots(session))[slot]["used"]


def test_used_pieces_are_offered_where_the_same_is_new_and_taken_without_a_draw(tmp_path: Path) -> None:
    async def play(kiosk: Kiosk) -> None:
        session = await kiosk.badge()
        await bring_back_used(kiosk, session)
        offered = await used(kiosk, session), await used(kiosk, session, "2")

        told = await kiosk.post("used", session=session, slot="1", quantity=1, request="one")
        again = await kiosk.post("used", session=session, slot="1", quantity=1, request="one")

        assert offered == (2, 0)
        assert (told["outcome"], told["sentence"]) == (
            "used_taken",
            "Take it out of the box for used goods. It costs nothing.",
        )
        assert again == told
        assert await used(kiosk, session) == 1
        assert (len(await kiosk.kinds(Draw)), len(await kiosk.kinds(Return))) == (2, 2)

    at_the_kiosk(tmp_path, play)


def test_no_more_used_pieces_leave_than_were_brought_back(tmp_path: Path) -> None:
    async def play(kiosk: Kiosk) -> None:
        session = await kiosk.badge()
        await bring_back_used(kiosk, session, 1)

        many = await kiosk.post("used", session=session, slot="1", quantity=2)
        other = await kiosk.post("used", session=session, slot="2")
        strange = await kiosk.post("used", session=session, slot="99")

        assert (many["reason"], other["reason"], strange["outcome"]) == ("no_used", "no_used", "refused")
        assert await used(kiosk, session) == 1

    at_the_kiosk(tmp_path, play)


def test_whoever_finds_the_box_without_them_says_so_and_nobody_is_sent_there_again(tmp_path: Path) -> None:
    async def play(kiosk: Kiosk) -> None:
        session = await kiosk.badge()
        await bring_back_used(kiosk, session)

        told = await kiosk.post("used", session=session, slot="1", quantity=0)

        assert told["outcome"] == "used_missing"
        assert await used(kiosk, session) == 0

    at_the_kiosk(tmp_path, play)


def test_the_box_is_known_after_a_restart(tmp_path: Path) -> None:
    async def before(kiosk: Kiosk) -> None:
        session = await kiosk.badge()
        await bring_back_used(kiosk, session)
        await kiosk.post("used", session=session, slot="1")

    async def after(kiosk: Kiosk) -> None:
        assert await used(kiosk, await kiosk.badge()) == 1

    at_the_kiosk(tmp_path, before)
    at_the_kiosk(tmp_path, after, boot="c")


def test_what_a_person_may_not_have_new_he_may_not_have_used(tmp_path: Path) -> None:
    async def play(kiosk: Kiosk) -> None:
        session = await kiosk.badge()
        await bring_back_used(kiosk, session)
        kiosk.rule(blocked=Blocked(items=frozenset({"item-1"})))

        told = await kiosk.post("used", session=session, slot="1")

        assert told["reason"] == "item_blocked"

    at_the_kiosk(tmp_path, play)


def test_a_limit_that_is_reached_keeps_nobody_from_used_pieces(tmp_path: Path) -> None:
    async def play(kiosk: Kiosk) -> None:
        session = await kiosk.badge()
        await bring_back_used(kiosk, session)
        kiosk.rule(limits=(Limit("none", quantity=0),))

        new = await kiosk.post("draws", session=session, slot="1")
        told = await kiosk.post("used", session=session, slot="1", quantity=2)

        assert new["reason"] == "limit_quantity"
        assert (told["outcome"], told["qty"]) == ("used_taken", 2)

    at_the_kiosk(tmp_path, play)


def test_the_box_of_used_goods_is_known_when_its_records_are_pruned(tmp_path: Path) -> None:
    said = {name: getattr(draw(), name) for name in ("v", "z", "src", "ep", "n", "b", "m", "t", "ts")}
    back = Return(**said, slot="burn", item="mill", qty=3, condition="used")
    out = DeviceEvent(**said, event=USED_TAKEN, slot="burn", data={"item": "mill", "quantity": 1, "slot": "7"})

    async def main() -> None:
        cloud = new_cloud()
        async with a_journal(tmp_path) as journal, an_uplink(journal, cloud) as uplink:
            await journal.append([back, out, *readings(5)])
            await cosigned(uplink, 7)
            cloud.seconds, cloud.backed_up = cloud.seconds + 100 * 86_400, 7
            await journal.append([draw()])
            await cosigned(uplink, 8)
            assert await uplink.prune(90) == 7
            shelf = Shelf()
            await boot.remember(journal, ["cab-1"], shelf.apply)

        assert shelf.used("cab-1", "mill") == 2

    play(main())
