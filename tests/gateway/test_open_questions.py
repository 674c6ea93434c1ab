"""Unproven draws have an owner and a deadline, a contract may decide them, and tools that are kept become draws."""

from __future__ import annotations

from pathlib import Path

import msgspec

from gateway.open_questions import questions
from gateway.ports import Verdict
from gateway.rules import CabinetRules, Item
from tests.gateway.kiosk_site import Kiosk, at_the_kiosk
from tests.gateway.site import CABINET
from wire.records import DeviceEvent, Draw, DrawResolved, Loan, LoanBack

HOUR = 3600


def unproven(kiosk: Kiosk, rules: CabinetRules) -> None:
    """From now on nothing at the cabinet proves that goods left."""
    kiosk.rule(confirm="none", cabinets={CABINET: rules})


def test_an_unproven_draw_has_an_owner_and_is_said_once_when_its_time_is_over(tmp_path: Path) -> None:
    async def play(kiosk: Kiosk) -> None:
        unproven(kiosk, CabinetRules(resolve_hours=2, resolve_owner="storekeeper"))
        await kiosk.post("draws", session=await kiosk.badge(), slot="2")
        (before,) = (await kiosk.get("questions"))["questions"]

        await kiosk.clock.sleep(5 * HOUR)

        (after,) = (await kiosk.get("questions"))["questions"]
        assert (before["owner"], before["overdue"], after["overdue"]) == ("storekeeper", False, True)
        told = [one for one in await kiosk.kinds(DeviceEvent) if one.event == "unverified_overdue"]
        assert [(one.slot, one.data["owner"]) for one in told] == [("2", "storekeeper")]

    at_the_kiosk(tmp_path, play)


def test_a_contract_with_the_rule_of_payment_decides_at_once_and_says_so(tmp_path: Path) -> None:
    async def play(kiosk: Kiosk) -> None:
        unproven(kiosk, CabinetRules(mdb_strict=True))

        await kiosk.post("draws", session=await kiosk.badge(), slot="2")
        await kiosk.clock.sleep(1)

        (draw,), (decided,) = await kiosk.kinds(Draw), await kiosk.kinds(DrawResolved)
        assert (draw.outcome, decided.outcome, decided.ref.key) == ("unverified", "confirmed", draw.key)
        assert decided.evidence.startswith("contract: mdb_strict")
        assert kiosk.gateway.premises is not None
        assert questions(kiosk.gateway.premises) == []

    at_the_kiosk(tmp_path, play)


def test_a_tool_that_is_kept_too_long_becomes_a_draw_in_the_same_commit_as_its_return(tmp_path: Path) -> None:
    async def lend(kiosk: Kiosk) -> None:
        kiosk.rule(items=(Item("item-4", loan_days=1, kept_after_days=2),))
        await kiosk.post("loans", session=await kiosk.badge(), slot="4")

    async def later(kiosk: Kiosk) -> None:
        kiosk.rule(items=(Item("item-4", loan_days=1, kept_after_days=2),))
        await kiosk.clock.sleep(120)

        (loan,), (back,), (draw,) = [await kiosk.kinds(kind) for kind in (Loan, LoanBack, Draw)]
        assert (back.ref.key, back.q, draw.outcome, draw.q, draw.who) == (
            loan.key, ["kept"], "confirmed", ["kept_loan"], "p-17",
        )  # fmt: skip

    async def once(kiosk: Kiosk) -> None:
        kiosk.rule(items=(Item("item-4", loan_days=1, kept_after_days=2),))
        await kiosk.clock.sleep(120)
        assert len(await kiosk.kinds(Draw)) == 1

    at_the_kiosk(tmp_path, lend)
    at_the_kiosk(tmp_path, later, boot="c", days=4)
    at_the_kiosk(tmp_path, once, boot="d", days=5)


STORE = CabinetRules(resolve_hours=2, resolve_owner="storekeeper")


async def undecided(kiosk: Kiosk) -> str:
    """A draw of Li's that nothing proves."""
    unproven(kiosk, STORE)
    drawn = await kiosk.post("draws", session=await kiosk.badge(), slot="2")
    await kiosk.clock.sleep(20)
    return str(drawn["record"])


def test_an_overdue_draw_is_an_alarm_until_its_owner_decides_it(tmp_path: Path) -> None:
    async def play(kiosk: Kiosk) -> None:
        record = await undecided(kiosk)
        early = [one.code for one in kiosk.gateway.status().alarms]
        await kiosk.clock.sleep(3 * HOUR)
        late = [one for one in kiosk.gateway.status().alarms if one.code == "draw_unproven"]
        shown = (await kiosk.client.get("/status", headers={"accept": "application/json"})).json()["unproven"]
        told = await kiosk.post(
            "verdicts",
            session=await kiosk.badge("B0021"),
            record=record,
            outcome="confirmed",
            evidence="slot seen empty",
        )
        await kiosk.clock.sleep(10)

        assert ("draw_unproven" in early, [one.about for one in late]) == (False, [record])
        assert "storekeeper must count the slot or decide" in late[0].text
        assert [(one["record"], one["owner"], one["overdue"], one["person"]) for one in shown] == [
            (record, "storekeeper", True, "")
        ]
        (decided,) = await kiosk.kinds(DrawResolved)
        assert (told["outcome"], decided.outcome, decided.qty) == ("decided", "confirmed", 1)
        assert decided.evidence == "verdict of p-21: slot seen empty"
        assert "draw_unproven" not in [one.code for one in kiosk.gateway.status().alarms]

    at_the_kiosk(tmp_path, play)


def test_nobody_decides_but_its_owner_with_a_reason_and_never_who_drew_it(tmp_path: Path) -> None:
    async def play(kiosk: Kiosk) -> None:
        record = await undecided(kiosk)

        async def said(badge: str, **more: str) -> str:
            session = await kiosk.badge(badge)
            told = await kiosk.post("verdicts", session=session, record=record, outcome="confirmed", **more)
            await kiosk.client.delete(f"/kiosk/v1/sessions/{session}")
            return str(told["reason"])

        reasons = [await said("B0020", evidence="seen"), await said("B0021", evidence=" ")]
        kiosk.rule(confirm="none", cabinets={CABINET: CabinetRules(resolve_owner="p-17")})
        reasons.append(await said("B0017", evidence="I did not take it"))

        assert reasons == ["not_your_verdict", "no_evidence", "own_draw"]
        assert await kiosk.kinds(DrawResolved) == []

    at_the_kiosk(tmp_path, play)


def test_a_verdict_at_the_suppliers_desk_decides_once_and_names_who_gave_it(tmp_path: Path) -> None:
    async def play(kiosk: Kiosk) -> None:
        record = await undecided(kiosk)
        premises = kiosk.gateway.premises
        assert premises is not None
        said = Verdict("not_dispensed", "the piece hangs in the coil", "ops@supplier")
        verdicts = {CABINET: {record.partition("/")[2]: said, "b/99": said}}
        premises.desired.current = msgspec.structs.replace(premises.desired.current, verdicts=verdicts)  # type: ignore[misc]
        await kiosk.clock.sleep(180)

        (decided,) = await kiosk.kinds(DrawResolved)
        assert (decided.outcome, decided.qty) == ("not_dispensed", 0)
        assert decided.evidence == "verdict of ops@supplier: the piece hangs in the coil"

    at_the_kiosk(tmp_path, play)


def test_a_count_that_decides_nothing_leaves_the_draw_to_its_owner_and_the_shelf_as_counted(tmp_path: Path) -> None:
    async def play(kiosk: Kiosk) -> None:
        await kiosk.post("refills", cabinet=CABINET, badge="B0020", slot="2", quantity=10)
        record = await undecided(kiosk)
        await kiosk.post("counts", cabinet=CABINET, badge="B0020", slot="2", quantity=4)
        (waits,) = (await kiosk.get("questions"))["questions"]
        session = await kiosk.badge("B0021")
        await kiosk.post("verdicts", session=session, record=record, outcome="not_dispensed", evidence="seen")

        assert waits["record"] == record
        assert (await kiosk.slots())["2"]["on_hand"] == 4
        assert (await kiosk.get("questions"))["questions"] == []

    at_the_kiosk(tmp_path, play)
