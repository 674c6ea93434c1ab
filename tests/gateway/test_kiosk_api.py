"""The kiosk's API over a whole gateway and a lock board: sessions, draws, limits, returns, loans, refills."""

from __future__ import annotations

import asyncio
from pathlib import Path

from gateway.rules import Blocked, CabinetRules, Item, Waiting
from tests.gateway.kiosk_site import PIN, RULES, Kiosk, at_the_kiosk
from tests.gateway.site import CABINET
from wire.records import Count, DeviceEvent, Draw, Intent, Loan, LoanBack, Note, Refill, Return


def test_badge_tap_take_is_a_draw_with_person_account_and_rules(tmp_path: Path) -> None:
    async def play(kiosk: Kiosk) -> None:
        session = await kiosk.badge()

        taken = await kiosk.post("draws", session=session, slot="2")

        (draw,) = await kiosk.kinds(Draw)
        assert (taken["outcome"], taken["record"]) == ("confirmed", f"{draw.src}/{draw.ep}/{draw.n}")
        assert (draw.who, draw.for_, draw.rules, draw.actuation, draw.confirmation) == (
            "p-17", "CC1", 12, "opened", "door_closed",
        )  # fmt: skip

    at_the_kiosk(tmp_path, play)


def test_a_session_tells_the_person_his_language_and_the_state_of_the_rules(tmp_path: Path) -> None:
    async def play(kiosk: Kiosk) -> None:
        found = await kiosk.post("sessions", cabinet=CABINET, badge="B0017")

        assert (found["name"], found["language"], found["cost_centre"]) == ("Li", "zh-CN", "CC1")
        assert found["rules"] == {"version": 12, "age_seconds": 0, "old": False}

    at_the_kiosk(tmp_path, play)


def test_the_third_piece_of_two_a_day_is_refused_with_reason_numbers_and_whom_to_ask(tmp_path: Path) -> None:
    async def play(kiosk: Kiosk) -> None:
        session = await kiosk.badge()
        for _ in range(2):
            await kiosk.post("draws", session=session, slot="1")

        refused = await kiosk.post("draws", session=session, slot="1")

        assert (refused["outcome"], refused["reason"]) == ("refused", "limit_quantity")
        assert refused["sentence"] == "The limit is reached: 2 of 2 pieces in this period."
        assert refused["ask"] == RULES.help
        tile = (await kiosk.slots(session))["1"]
        assert (tile["left"], tile["allowed"], tile["limit"]["used"]) == (0, False, 2)
        assert (await kiosk.slots(session))["2"]["allowed"]

    at_the_kiosk(tmp_path, play)


def test_a_limit_survives_a_restart_and_ends_with_the_day(tmp_path: Path) -> None:
    async def draw_two(kiosk: Kiosk) -> None:
        session = await kiosk.badge()
        for _ in range(2):
            await kiosk.post("draws", session=session, slot="1")

    async def refused(kiosk: Kiosk) -> None:
        found = await kiosk.post("draws", session=await kiosk.badge(), slot="1")
        assert found["reason"] == "limit_quantity"

    async def allowed(kiosk: Kiosk) -> None:
        found = await kiosk.post("draws", session=await kiosk.badge(), slot="1")
        assert found["outcome"] == "confirmed"

    at_the_kiosk(tmp_path, draw_two)
    at_the_kiosk(tmp_path, refused, boot="c")
    at_the_kiosk(tmp_path, allowed, boot="d", days=1)


def test_a_second_person_is_busy_and_the_same_card_twice_is_one_session(tmp_path: Path) -> None:
    async def play(kiosk: Kiosk) -> None:
        first = await kiosk.badge()

        again = await kiosk.badge()
        other = await kiosk.post("sessions", cabinet=CABINET, badge="B0020")

        assert again == first
        assert (other["outcome"], other["session"]) == ("busy", "")

    at_the_kiosk(tmp_path, play)


def test_a_door_that_stands_open_belongs_to_the_first_person(tmp_path: Path) -> None:
    async def play(kiosk: Kiosk) -> None:
        kiosk.shuts_after = 30
        session = await kiosk.badge()
        drawing = asyncio.create_task(kiosk.post("draws", session=session, slot="2"))
        await kiosk.clock.sleep(5)

        other = await kiosk.post("sessions", cabinet=CABINET, badge="B0020")
        state = await kiosk.get(f"cabinets/{CABINET}/state")
        taken = await drawing

        assert other["reason"] == "door_open"
        assert state["state"] == "serving"
        assert (state["attempt"]["stage"], state["attempt"]["door_open"]) == ("commanded", True)
        assert taken["outcome"] == "confirmed"
        assert [one.who for one in await kiosk.kinds(Draw)] == ["p-17"]

    at_the_kiosk(tmp_path, play)


def test_a_session_ends_by_itself_and_says_that_nothing_was_taken(tmp_path: Path) -> None:
    async def play(kiosk: Kiosk) -> None:
        session = await kiosk.badge()
        await kiosk.clock.sleep(17)

        answer = await kiosk.client.post("/kiosk/v1/draws", json={"session": session, "slot": "1"})

        assert (answer.status_code, answer.json()["title"]) == (401, "session-over")
        ended = [one for one in await kiosk.kinds(DeviceEvent) if one.event == "session_ended"]
        assert [one.data for one in ended] == [{"why": "time", "draws": 0}]
        assert await kiosk.kinds(Intent) == []

    at_the_kiosk(tmp_path, play)


def test_badge_and_pin_wants_both_and_stops_listening_after_wrong_ones(tmp_path: Path) -> None:
    async def play(kiosk: Kiosk) -> None:
        asked = await kiosk.post("sessions", cabinet=CABINET, badge="B0018")
        right = await kiosk.post("sessions", cabinet=CABINET, badge="B0018", pin="1234")
        await kiosk.client.delete(f"/kiosk/v1/sessions/{right['session']}")
        wrong = [await kiosk.post("sessions", cabinet=CABINET, badge="B0018", pin="9999") for _ in range(5)]
        late = await kiosk.post("sessions", cabinet=CABINET, badge="B0018", pin="1234")

        assert (asked["reason"], right["outcome"], right["person"]) == ("pin_needed", "open", "p-18")
        assert [one["reason"] for one in wrong] == ["pin_wrong"] * 4 + ["pin_locked"]
        assert late["reason"] == "pin_locked"

    async def after_a_restart(kiosk: Kiosk) -> None:
        locked = await kiosk.post("sessions", cabinet=CABINET, badge="B0018", pin="1234")
        await kiosk.clock.sleep(15 * 60)
        opened = await kiosk.post("sessions", cabinet=CABINET, badge="B0018", pin="1234")

        assert (locked["reason"], opened["outcome"]) == ("pin_locked", "open")

    at_the_kiosk(tmp_path, play)
    at_the_kiosk(tmp_path, after_a_restart, boot="c")


def test_a_number_and_a_pin_do_where_no_badge_is_at_hand(tmp_path: Path) -> None:
    async def play(kiosk: Kiosk) -> None:
        found = await kiosk.post("sessions", cabinet=CABINET, code="4712", pin="1234")
        await kiosk.client.delete(f"/kiosk/v1/sessions/{found['session']}")
        strange = await kiosk.post("sessions", cabinet=CABINET, code="0000", pin="1234")

        assert (found["outcome"], found["person"]) == ("open", "p-19")
        assert strange["reason"] == "unknown_code"

    at_the_kiosk(tmp_path, play)


def test_what_comes_back_unused_is_credited_to_its_draw_and_lies_there_again(tmp_path: Path) -> None:
    async def play(kiosk: Kiosk) -> None:
        session = await kiosk.badge()
        await kiosk.post("draws", session=session, slot="1")
        (mine,) = (await kiosk.get(f"sessions/{session}/mine"))["draws"]

        back = await kiosk.post("returns", session=session, record=mine["record"])
        twice = await kiosk.post("returns", session=session, record=mine["record"])

        (record,) = await kiosk.kinds(Return)
        (draw,) = await kiosk.kinds(Draw)
        assert (back["outcome"], twice["reason"]) == ("returned", "nothing_to_return")
        assert (record.ref.key, record.for_, record.slot, record.condition) == (draw.key, "CC1", "1", "unused")
        assert (await kiosk.slots(session))["1"]["limit"]["used"] == 0
        assert kiosk.opened == [1, 1]

    at_the_kiosk(tmp_path, play)


def test_a_tool_is_lent_with_a_date_comes_back_and_is_never_a_draw(tmp_path: Path) -> None:
    async def play(kiosk: Kiosk) -> None:
        session = await kiosk.badge()
        as_goods = await kiosk.post("draws", session=session, slot="4")
        lent = await kiosk.post("loans", session=session, slot="4")
        (mine,) = (await kiosk.get(f"sessions/{session}/mine"))["loans"]

        back = await kiosk.post("loan-returns", session=session, record=mine["record"])

        (loan,), (returned,) = await kiosk.kinds(Loan), await kiosk.kinds(LoanBack)
        assert (as_goods["reason"], lent["outcome"], back["outcome"]) == ("is_a_loan", "lent", "brought_back")
        assert (loan.due - loan.t) // 86_400_000 in (6, 7)
        assert returned.ref.key == loan.key
        assert [one.outcome for one in await kiosk.kinds(Draw)] == ["denied"]
        assert kiosk.gateway.premises is not None
        assert await kiosk.gateway.premises.journal.open_attempts() == []

    at_the_kiosk(tmp_path, play)


def test_it_did_not_come_out_is_kept_as_said_and_the_slot_is_counted(tmp_path: Path) -> None:
    async def play(kiosk: Kiosk) -> None:
        session = await kiosk.badge()
        taken = await kiosk.post("draws", session=session, slot="2")

        told = await kiosk.post("reports", session=session, record=taken["record"], what="not_out")

        (note,) = await kiosk.kinds(Note)
        assert (told["outcome"], note.ref.n) == ("reported", int(taken["record"].rpartition("/")[2]))
        assert (await kiosk.slots(session))["2"]["doubtful"]
        assert kiosk.opened == [2]

    at_the_kiosk(tmp_path, play)


def test_a_refill_says_found_filled_and_spoiled_and_nobody_draws_meanwhile(tmp_path: Path) -> None:
    async def play(kiosk: Kiosk) -> None:
        session = await kiosk.badge("B0020")
        visit = await kiosk.post("visits", session=session)
        pick = {one["slot"]: one["quantity"] for one in visit["pick"]}
        during = await kiosk.post("sessions", cabinet=CABINET, badge="B0017")

        path = f"visits/{visit['visit']}/slots"
        done = await kiosk.post(path, session=session, slot="1", found=2, filled=6, spoiled=1, lot="L7")
        full = await kiosk.post(path, session=session, slot="2", full=True)
        closed = (await kiosk.client.delete(f"/kiosk/v1/visits/{visit['visit']}?session={session}")).json()

        assert (pick["1"], during["reason"]) == (10, "service_mode")
        assert (done["outcome"], done["qty"], full["qty"]) == ("refilled", 6, 10)
        assert [(one.qty, one.q) for one in await kiosk.kinds(Count)] == [(2, ["manual"]), (7, ["manual", "spoiled"])]
        refills = await kiosk.kinds(Refill)
        assert [(one.qty, one.visit, one.lot) for one in refills] == [
            (6, visit["visit"], "L7"),
            (10, visit["visit"], ""),
        ]
        assert "claimed_full" in refills[1].q
        assert {one["slot"]: one["after"] for one in closed["slots"]} == {"1": 7, "2": 10, "3": None, "4": None}
        assert (await kiosk.get(f"cabinets/{CABINET}/state"))["state"] == "session"

    at_the_kiosk(tmp_path, play)


def test_a_lot_goes_from_its_refill_to_the_draw_and_a_serial_number_to_the_loan(tmp_path: Path) -> None:
    async def play(kiosk: Kiosk) -> None:
        kiosk.rule(items=(Item("item-4", loan_days=7, serial=True),))
        session = await kiosk.badge("B0020")
        visit = (await kiosk.post("visits", session=session))["visit"]
        for lot, expires in (("L8", "2028-01-31"), ("L7", "2027-06-30")):
            await kiosk.post(f"visits/{visit}/slots", session=session, slot="2", filled=1, lot=lot, expires=expires)
        await kiosk.client.delete(f"/kiosk/v1/visits/{visit}?session={session}")
        for _ in range(2):
            await kiosk.post("draws", session=session, slot="2")
        nameless = await kiosk.post("loans", session=session, slot="4")
        await kiosk.post("loans", session=session, slot="4", serial="T-0042")

        assert [(one.lot, one.q) for one in await kiosk.kinds(Draw) if one.qty] == [("L7", []), ("L8", [])]
        assert nameless["reason"] == "serial_needed"
        assert [one.serial for one in await kiosk.kinds(Loan)] == ["T-0042"]

    at_the_kiosk(tmp_path, play)


def test_only_a_restocker_may_refill(tmp_path: Path) -> None:
    async def play(kiosk: Kiosk) -> None:
        assert (await kiosk.post("visits", session=await kiosk.badge()))["reason"] == "role_needed"

    at_the_kiosk(tmp_path, play)


def test_goods_put_by_are_for_whom_they_are_put_by_or_for_who_knows_the_code(tmp_path: Path) -> None:
    async def play(kiosk: Kiosk) -> None:
        by_code = Waiting("wc-2", CABINET, "3", "item-3", code=PIN)
        kiosk.rule(waiting=(Waiting("wc-1", CABINET, "2", "item-2", person="p-17"), by_code))
        wrong = await kiosk.post("pickups", cabinet=CABINET, code="0000")
        coded = await kiosk.post("pickups", cabinet=CABINET, code="1234")
        session = await kiosk.badge()
        reserved = await kiosk.post("draws", session=session, slot="3")
        mine = await kiosk.get(f"sessions/{session}/mine")

        taken = await kiosk.post("pickups", session=session, id="wc-1")

        assert [one["id"] for one in mine["waiting"]] == ["wc-1"]
        assert (wrong["reason"], reserved["reason"]) == ("unknown_code", "slot_reserved")
        assert (coded["outcome"], taken["outcome"]) == ("picked_up", "picked_up")
        confirmed = [one for one in await kiosk.kinds(Draw) if one.outcome == "confirmed"]
        assert [(one.who, one.slot) for one in confirmed] == [("pickup-wc-2", "3"), ("p-17", "2")]

    at_the_kiosk(tmp_path, play)


def test_a_blocked_badge_and_old_rules_are_refused_but_for_essentials(tmp_path: Path) -> None:
    async def play(kiosk: Kiosk) -> None:
        kiosk.rule(blocked=Blocked(badges=frozenset({"B0017"})))
        blocked = await kiosk.post("sessions", cabinet=CABINET, badge="B0017")
        kiosk.rule(
            cabinets={CABINET: CabinetRules(max_age_hours=1, when_old="essentials")},
            items=(Item("item-2", essential=True),),
        )
        assert kiosk.gateway.premises is not None
        kiosk.gateway.premises.desired.age_seconds = 7200  # type: ignore[misc]
        session = await kiosk.badge()

        one = await kiosk.post("draws", session=session, slot="1")
        two = await kiosk.post("draws", session=session, slot="2")

        assert (blocked["reason"], one["reason"], two["outcome"]) == ("badge_blocked", "not_essential", "confirmed")
        assert "old_list" in (await kiosk.kinds(Draw))[-1].q

    at_the_kiosk(tmp_path, play)
