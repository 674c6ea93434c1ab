"""One request, sent twice: by a double touch, a browser that lost the answer, a page that outlived a power cut."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from gateway.rules import Item, Waiting
from tests.gateway.kiosk_site import PIN, Kiosk, at_the_kiosk
from tests.gateway.site import CABINET
from wire.records import Count, Draw, Intent, Loan, LoanBack, Note, Refill, Return

ONE = "req-0001"


async def twice(kiosk: Kiosk, path: str, **body: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """At once and again later: three times the same words."""
    first, at_once = await asyncio.gather(*(kiosk.post(path, request=ONE, **body) for _ in range(2)))
    assert at_once == first
    return first, await kiosk.post(path, request=ONE, **body)


def test_a_draw_that_is_asked_for_again_is_the_same_draw(tmp_path: Path) -> None:
    async def play(kiosk: Kiosk) -> None:
        session = await kiosk.badge()

        taken, again = await twice(kiosk, "draws", session=session, slot="2")
        other = await kiosk.post("draws", session=session, slot="2", request="req-0002")

        assert (taken["outcome"], again) == ("confirmed", taken)
        assert other["record"] != taken["record"]
        assert (kiosk.opened, len(await kiosk.kinds(Draw))) == ([2, 2], 2)

    at_the_kiosk(tmp_path, play)


def test_a_refusal_that_is_asked_for_again_is_the_same_refusal(tmp_path: Path) -> None:
    async def play(kiosk: Kiosk) -> None:
        session = await kiosk.badge()
        refused, again = await twice(kiosk, "draws", session=session, slot="4")

        assert (refused["reason"], again) == ("is_a_loan", refused)
        assert len(await kiosk.kinds(Draw)) == 1

    at_the_kiosk(tmp_path, play)


def test_the_same_id_for_something_else_is_refused_and_of_another_person_is_his_own(tmp_path: Path) -> None:
    async def play(kiosk: Kiosk) -> None:
        session = await kiosk.badge()
        await kiosk.post("draws", session=session, slot="2", request=ONE)
        mistaken = await kiosk.client.post("/kiosk/v1/draws", json={"session": session, "slot": "3", "request": ONE})
        await kiosk.client.delete(f"/kiosk/v1/sessions/{session}")
        theirs = await kiosk.post("draws", session=await kiosk.badge("B0021"), slot="2", request=ONE)

        assert (mistaken.status_code, mistaken.json()["title"]) == (409, "request-used")
        assert theirs["outcome"] == "confirmed"
        assert [one.who for one in await kiosk.kinds(Draw)] == ["p-17", "p-21"]

    at_the_kiosk(tmp_path, play)


def test_goods_coming_back_counts_reports_and_refills_are_done_once_too(tmp_path: Path) -> None:
    async def play(kiosk: Kiosk) -> None:
        kiosk.rule(confirm="sensor", items=(Item("item-4", loan_days=7),))
        await kiosk.post("counts", cabinet=CABINET, badge="B0020", slot="2", quantity=9)
        session = await kiosk.badge()
        taken = await kiosk.post("draws", session=session, slot="2", quantity=3)
        lent = await kiosk.post("loans", session=session, slot="4")
        told = [
            await twice(kiosk, "reports", session=session, record=taken["record"], what="fewer"),
            await twice(kiosk, "returns", session=session, record=taken["record"], quantity=1, condition="used"),
            await twice(kiosk, "loan-returns", session=session, record=lent["record"]),
        ]
        await kiosk.client.delete(f"/kiosk/v1/sessions/{session}")
        told.append(await twice(kiosk, "counts", cabinet=CABINET, badge="B0020", slot="1", quantity=4))
        told.append(await twice(kiosk, "refills", cabinet=CABINET, badge="B0020", slot="1", quantity=2))
        session = await kiosk.badge("B0020")
        visit = (await kiosk.post("visits", session=session))["visit"]
        told.append(await twice(kiosk, f"visits/{visit}/slots", session=session, slot="3", found=1, filled=5))

        assert all(first == again for first, again in told)
        assert [first["outcome"] for first, _ in told] == [
            "reported", "returned", "brought_back", "counted", "refilled", "refilled",
        ]  # fmt: skip
        kinds = {Note: 1, Return: 1, LoanBack: 1, Loan: 1, Count: 3, Refill: 2}
        assert {kind: len(await kiosk.kinds(kind)) for kind in kinds} == kinds

    at_the_kiosk(tmp_path, play)


def test_after_a_restart_the_journal_answers_and_nothing_is_done_again(tmp_path: Path) -> None:
    said: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {}

    async def play(kiosk: Kiosk) -> None:
        kiosk.rule(waiting=(Waiting("wc-2", CABINET, "3", "item-3", code=PIN),))
        coded = {"cabinet": CABINET, "code": "1234", "request": ONE}
        said["pickup"] = "pickups", coded, await kiosk.post("pickups", **coded)
        session = await kiosk.badge()
        for name, path, slot in (("draw", "draws", "2"), ("loan", "loans", "4")):
            body = {"session": session, "slot": slot, "request": name}
            said[name] = path, body, await kiosk.post(path, **body)
        body = {"session": session, "record": said["draw"][2]["record"], "request": ONE}
        said["return"] = "returns", body, await kiosk.post("returns", **body)
        counted = {"cabinet": CABINET, "badge": "B0020", "slot": "1", "quantity": 4, "request": ONE}
        await kiosk.client.delete(f"/kiosk/v1/sessions/{session}")
        said["count"] = "counts", counted, await kiosk.post("counts", **counted)

    async def again(kiosk: Kiosk) -> None:
        before = len(await kiosk.kinds(Intent)), len(await kiosk.kinds(Return)), len(await kiosk.kinds(Count))
        for path, body, first in said.values():
            told = await kiosk.post(path, **body)
            assert {**told, "slot": first["slot"]} == first
        looked_up = {"slot": "", "since_ms": 0, "whose": "1234", "request": ONE}
        found = await kiosk.post(f"cabinets/{CABINET}/last", **looked_up)
        assert (found["outcome"], found["record"]) == ("picked_up", said["pickup"][2]["record"])
        unheard = await kiosk.client.post("/kiosk/v1/draws", json={**said["draw"][1], "request": "never-sent"})

        assert unheard.status_code == 401
        assert kiosk.opened == []
        after = len(await kiosk.kinds(Intent)), len(await kiosk.kinds(Return)), len(await kiosk.kinds(Count))
        assert after == before == (3, 1, 1)

    at_the_kiosk(tmp_path, play)
    at_the_kiosk(tmp_path, again, boot="c")


@pytest.mark.parametrize("session", [True, False])
def test_who_asks_again_while_the_door_is_still_open_waits_for_the_same_draw(
    tmp_path: Path,
    session: bool,
) -> None:
    async def play(kiosk: Kiosk) -> None:
        kiosk.shuts_after = 20
        body: dict[str, Any] = {"slot": "2", "request": ONE}
        body |= {"session": await kiosk.badge()} if session else {"cabinet": CABINET, "badge": "B0017"}
        drawing = asyncio.create_task(kiosk.post("draws", **body))
        await kiosk.clock.sleep(5)

        again = await kiosk.post("draws", **body)

        assert (again, kiosk.opened) == (await drawing, [2])

    at_the_kiosk(tmp_path, play)


def test_a_draw_that_a_restart_cut_off_is_looked_into_and_never_begun_again(tmp_path: Path) -> None:
    asked: dict[str, Any] = {"slot": "2", "request": ONE}

    async def play(kiosk: Kiosk) -> None:
        kiosk.shuts_after = 600
        asked["session"] = await kiosk.badge()
        drawing = asyncio.create_task(kiosk.client.post("/kiosk/v1/draws", json=asked))
        await kiosk.clock.sleep(5)
        drawing.cancel()

    async def again(kiosk: Kiosk) -> None:
        told = await kiosk.post("draws", **asked)

        (intent,), (draw,) = await kiosk.kinds(Intent), await kiosk.kinds(Draw)
        assert (told["outcome"], told["record"]) == ("unverified", f"{draw.src}/{draw.ep}/{draw.n}")
        assert (draw.intent, kiosk.opened) == (f"{intent.ep}/{intent.n}", [])

    at_the_kiosk(tmp_path, play)
    at_the_kiosk(tmp_path, again, boot="c")
