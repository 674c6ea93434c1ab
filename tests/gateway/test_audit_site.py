"""A machine with an audit socket, its counters, the journal: each vend on the bill once, or stated as not known."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from firmware_sim.bench import LineSpec
from firmware_sim.devices.ddcmp_socket import DdcmpSocket
from firmware_sim.devices.dex_socket import DexSocket
from firmware_sim.devices.evadts import Column, Machine
from firmware_sim.faults import LinePlan, stream
from gateway.audit_records import unpack
from gateway.take_refill import take_refill
from tests.gateway.site import CABINET, MORNING
from tests.gateway.talking import Talking, talk, talk_on_a_pty
from wire.records import Count, DeviceEvent, Draw, Reading, Refill

SPECS = {"dex": LineSpec(baud=9600), "ddcmp": LineSpec(baud=2400)}
EVERY = {"every": 600}
HOUR = 3_600_000


def machine(**faults: Any) -> Machine:
    columns = {str(n): Column(50, f"ITEM *{n}", 12, 10, 12, 3) for n in range(1, 5)}
    return Machine(columns=columns, **faults)


def socket(kind: str, behind: Machine, **more: Any) -> Any:
    return DexSocket(behind, **more) if kind == "dex" else DdcmpSocket(behind, **more)


def billed(draws: list[Draw]) -> dict[str, int]:
    found: dict[str, int] = {}
    for draw in draws:
        assert draw.outcome == "confirmed"
        found[draw.slot] = found.get(draw.slot, 0) + draw.qty
    return found


@pytest.mark.parametrize("kind", ["dex", "ddcmp"])
def test_what_was_sold_between_two_audits_is_drawn_once(tmp_path: Path, kind: str) -> None:
    sold = machine()

    async def play(site: Talking) -> None:
        await site.told("audit", 1)
        for selection in ("1", "1", "3"):
            sold.vend(selection)
        sold.vend("3", "free")
        await site.told("audit", 3)

        draws = await site.kinds(Draw)
        assert [(one.slot, one.item, one.qty, one.who, one.q) for one in draws] == [
            ("1", "item-1", 2, "", ["audit"]),
            ("3", "item-3", 2, "", ["audit"]),
        ]
        assert draws[0].before == {"paid": 0, "paid_interval": 0}
        assert draws[0].after == {"paid": 2, "paid_interval": 2}
        assert not sold.held

    talk(tmp_path, "evadts", {"socket": kind, **EVERY}, socket(kind, sold), play, spec=SPECS[kind])


def test_what_a_machine_sold_names_the_lots_that_lay_there(tmp_path: Path) -> None:
    sold = machine()

    async def play(site: Talking) -> None:
        await site.told("audit", 1)
        for lot, expires in (("L7", 1), ("L8", 2)):
            filled = Refill(
                v=1, z="", src=CABINET, ep=site.clock.boot, n=0, t=0, ts="S", b=site.clock.boot, m=0, slot="1",
                item="item-1", qty=2, lot=lot, expires=4 * 10**12 + expires,
            )  # fmt: skip
            await site.premises.keep(filled)
        for _ in range(3):
            sold.vend("1")
        await site.told("audit", 2)

        (draw,) = await site.kinds(Draw)
        assert (draw.lot, [(one.lot, one.qty) for one in draw.lots]) == ("L7", [("L7", 2), ("L8", 1)])

    talk(tmp_path, "evadts", {"socket": "dex", **EVERY}, socket("dex", sold), play, spec=SPECS["dex"])


def test_a_machine_that_wants_the_first_word_gets_it(tmp_path: Path) -> None:
    async def play(site: Talking) -> None:
        (audit,) = await site.told("audit", 1)
        assert audit.data["judged"] == "first"

    talk(tmp_path, "evadts", {**EVERY}, DexSocket(machine(), eager=True), play)


def test_after_a_restart_the_journal_knows_the_last_counters(tmp_path: Path) -> None:
    sold = machine()

    async def before(site: Talking) -> None:
        await site.told("audit", 1)
        sold.vend("2")
        await site.journal.abandon()

    async def after(site: Talking) -> None:
        await site.told("audit", 2)
        assert billed(await site.kinds(Draw)) == {"2": 1}

    talk(tmp_path, "evadts", EVERY, DexSocket(sold), before, boot="a" * 16)
    talk(tmp_path, "evadts", EVERY, DexSocket(sold), after, boot="b" * 16, at=MORNING + HOUR)


def test_another_board_bills_nothing_and_says_so(tmp_path: Path) -> None:
    sold = machine()

    async def play(site: Talking) -> None:
        await site.told("audit", 1)
        sold.vend("1")
        sold.swap_board("GWB000000002")
        sold.vend("1")
        audits = await site.told("audit", 2)

        assert [one.data["judged"] for one in audits] == ["first", "new_chain"]
        assert await site.kinds(Draw) == []
        (gap,) = await site.told("audit_gap")
        assert gap.data["reason"] == "board_changed"
        assert [slot for _, slot in site.premises.shelf.doubtful()] == ["1", "2", "3", "4"]
        sold.vend("4")
        await site.told("audit", 3)
        assert billed(await site.kinds(Draw)) == {"4": 1}

    talk(tmp_path, "evadts", EVERY, DexSocket(sold), play)


def test_somebody_else_who_read_the_machine_leaves_a_gap_and_no_counter_is_lost(tmp_path: Path) -> None:
    sold = machine()

    async def play(site: Talking) -> None:
        await site.told("audit", 1)
        sold.vend("1")
        sold.clock = ("260106", "080000")
        sold.read_by("ROUTE", "260106", "080000")
        sold.finished(clears=True)
        sold.vend("1")
        await site.told("audit", 2)

        assert [one.data["reason"] for one in await site.told("audit_gap")] == ["chain_broken"]
        assert billed(await site.kinds(Draw)) == {"1": 2}

    talk(tmp_path, "evadts", EVERY, DexSocket(sold), play)


def test_a_counter_that_rolls_over_goes_on(tmp_path: Path) -> None:
    sold = machine(modulus=65536)
    sold.columns["1"].made["paid"] = 65_530

    async def play(site: Talking) -> None:
        await site.told("audit", 1)
        for _ in range(9):
            sold.vend("1")
        await site.told("audit", 2)

        assert billed(await site.kinds(Draw)) == {"1": 9}

    talk(tmp_path, "evadts", {**EVERY, "modulus": 65536}, DexSocket(sold), play)


def test_test_vends_leave_the_shelf_and_not_the_bill(tmp_path: Path) -> None:
    sold = machine()

    async def play(site: Talking) -> None:
        await site.told("audit", 1)
        await take_refill(site.premises, site.desk, "1", 8, "B0017")
        sold.vend("1", "test")
        sold.vend("1")
        await site.told("audit", 2)

        assert billed(await site.kinds(Draw)) == {"1": 1}
        (count,) = await site.kinds(Count)
        assert (count.slot, count.qty, count.q) == ("1", 6, ["audit", "not_billed"])

    talk(tmp_path, "evadts", EVERY, DexSocket(sold), play)


@pytest.mark.parametrize(
    ("fault", "code"),
    [("wrong_g85", "g85_mismatch"), ("no_g85", "g85_missing")],
)
def test_a_file_that_is_not_believed_is_kept_and_bills_nothing(tmp_path: Path, fault: str, code: str) -> None:
    sold = machine()
    setattr(sold, fault, True)

    async def play(site: Talking) -> None:
        (refused,) = await site.told("audit_refused")
        assert refused.data["code"] == code
        assert await site.kinds(Reading) == []
        assert unpack(await site.told("audit_file")).startswith(b"DXS*")

    talk(tmp_path, "evadts", EVERY, DexSocket(sold), play)


def test_the_whole_file_lies_in_the_journal(tmp_path: Path) -> None:
    sold = machine()
    sold.wrong_se01 = 13

    async def play(site: Talking) -> None:
        (audit,) = await site.told("audit", 1)
        raw = unpack(await site.told("audit_file"))
        assert raw == sold.report()
        assert audit.data["sha256"] == hashlib.sha256(raw).hexdigest()
        assert audit.data["notes"] == "se01"

    talk(tmp_path, "evadts", EVERY, DexSocket(sold), play)


def test_a_machine_that_refuses_or_is_dead_is_named_once(tmp_path: Path) -> None:
    async def play(site: Talking) -> None:
        (failed,) = await site.told("audit_failed")
        await site.clock.sleep(1900)
        assert failed.data["why"] == "refused_conflict"
        assert await site.events() == ["audit_failed"]

    talk(tmp_path, "evadts", EVERY, DexSocket(machine(), refuses=b"03"), play)


def test_a_machine_that_loses_its_power_in_the_middle_is_read_again(tmp_path: Path) -> None:
    sold = machine()
    twin = DexSocket(sold)

    async def play(site: Talking) -> None:
        async def held() -> bool:
            return sold.held

        await site.until(held)
        await site.clock.sleep(0.4)
        site.line.cut_power(twin)
        await site.told("audit_failed")
        site.line.restore_power(twin)
        await site.told("audit")
        sold.vend("1")
        await site.told("audit", 2)
        assert billed(await site.kinds(Draw)) == {"1": 1}

    talk(tmp_path, "evadts", EVERY, twin, play)


def test_the_wrong_code_is_refused_by_a_ddcmp_machine(tmp_path: Path) -> None:
    async def play(site: Talking) -> None:
        (failed,) = await site.told("audit_failed")
        assert failed.data["why"] == "refused_who"

    twin = DdcmpSocket(machine(), codes=("1234", "0000"))
    talk(tmp_path, "evadts", {"socket": "ddcmp", **EVERY}, twin, play, spec=SPECS["ddcmp"])


def test_only_the_list_that_clears_nothing_is_read(tmp_path: Path) -> None:
    twin = DdcmpSocket(machine())

    async def play(site: Talking) -> None:
        await site.told("audit", 2)
        assert set(twin.lists_read) == {2}
        assert not twin.machine.asked_to_clear

    talk(tmp_path, "evadts", {"socket": "ddcmp", **EVERY}, twin, play, spec=SPECS["ddcmp"])


@pytest.mark.parametrize("kind", ["dex", "ddcmp"])
@pytest.mark.parametrize("echo", [False, True])
def test_on_a_bad_line_every_vend_is_drawn_once(tmp_path: Path, kind: str, echo: bool) -> None:
    sold = machine()
    chance = stream(f"shoppers {kind}")
    plan = LinePlan(noise=0.05, flip=0.05, cut=0.03, lose=0.05, late=0.02, split=0.2, echo=echo)
    chosen = {"socket": kind, "every": 300, "echo": "yes" if echo else "no"}

    async def play(site: Talking) -> None:
        await site.told("audit", 1)
        begun = dict(sold.truth)
        for _ in range(25):
            selection = chance.choice(["1", "2", "3", "4"])
            sold.vend(selection)
            if not sold.columns[selection].level:
                sold.refill(selection)
            await site.clock.sleep(97)
        count = (await site.events()).count("audit")
        await site.told("audit", count + 2)

        gaps = [one for one in await site.kinds(DeviceEvent) if one.event == "audit_gap" and one.data["count"]]
        wanted = {name: many - begun[name] for name, many in sold.truth.items() if many > begun[name]}
        assert gaps == []
        assert billed(await site.kinds(Draw)) == wanted

    talk(tmp_path, "evadts", chosen, socket(kind, sold), play, spec=SPECS[kind], plan=plan)


@pytest.mark.parametrize("kind", ["dex", "ddcmp"])
def test_over_a_pseudo_terminal_too(tmp_path: Path, kind: str) -> None:
    sold = machine()
    plan = LinePlan(noise=0.03, flip=0.02, lose=0.02, split=0.2)

    async def play(site: Talking) -> None:
        async def settled() -> bool:
            return bool({"audit", "audit_failed"} & set(await site.events()))

        await site.until(settled, 30)
        readings = await site.kinds(Reading)
        assert not readings or {one.register for one in readings} >= {"1/paid", "4/paid"}

    fast = LineSpec(baud=38400)
    twin = DexSocket(sold) if kind == "dex" else DdcmpSocket(sold, baud=38400)
    talk_on_a_pty(tmp_path, "evadts", {"socket": kind, **EVERY}, twin, play, spec=fast, plan=plan)


def test_an_audit_that_does_not_bill_counts_and_draws_nothing(tmp_path: Path) -> None:
    sold = machine()

    async def play(site: Talking) -> None:
        await site.told("audit", 1)
        sold.vend("1")
        await site.told("audit", 2)

        assert await site.kinds(Draw) == []
        assert len({one.value for one in await site.kinds(Reading) if one.register == "1/paid"}) == 2

    talk(tmp_path, "evadts", {**EVERY, "bills": False}, socket("dex", sold), play, spec=SPECS["dex"])
