"""Unproven draws have an owner and a deadline, a contract may decide them, and tools that are kept become draws."""

from __future__ import annotations

from pathlib import Path

from gateway.open_questions import questions
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
